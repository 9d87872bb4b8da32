"""Makes an image of GRUB's with GRUB's own grub-mkimage: as an ordinary user, and of files alone.

The image is made in a folder of its own beside its final path and renamed when it is whole.
"""

import os
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from doit_diskimg.errors import BadValue, DescriptionError, ProgramMissing, WorldError
from doit_diskimg.host import program
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.folder import NEW
from doit_diskimg.host.hashing import digest_file, is_sure
from doit_diskimg.host.machine import Signature
from doit_diskimg.host.paths import normal
from doit_diskimg.host.scratch import Scratch
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import host_failed
from doit_diskimg.host.target import check_target
from doit_diskimg.kinds.bootloaders.grub_image import GrubImage, dependencies
from doit_diskimg.plan.recipe import Command

_Digests = dict[str, list[Any]]
"""Path -> signature and digest of what was read there."""

_CONFIG = "early.cfg"


def make(image: GrubImage, session: Session) -> _Digests:
    """Make the image's file; return what it was made of, for `another`.

    Raises WorldError, DescriptionError.
    """
    target = normal(image.path)
    check_target(target)
    mkimage = program.find(image.mkimage)
    if mkimage is None:
        raise WorldError(program.missing(image.mkimage, target, "an image of GRUB's"))
    files = RealFiles(session=session)
    for name in _ingredients(image):
        files.digest(os.path.join(image.folder, name), target)
    config = image.config
    if config is not None and not isinstance(config, bytes):
        config = files.read(os.fspath(config), "config")
    try:
        _make(image, mkimage, target, config)
    except OSError as error:
        if isinstance(error, WorldError):
            raise
        raise host_failed(target, error, "make it") from error
    digests: _Digests = files.record()["digests"]
    return digests


def _make(image: GrubImage, mkimage: str, target: str, config: bytes | None) -> None:
    name = "image"
    with Scratch(target) as scratch:
        if config is not None:
            with open(scratch.open(_CONFIG, NEW), "wb") as file:
                file.write(config)
        early = None if config is None else _CONFIG
        arguments = image.arguments(os.path.abspath(image.folder), name, early)
        command = Command(image.mkimage, arguments)
        program.run(mkimage, command, scratch.path, {}, target, "an image of GRUB's")
        scratch.finish(name)


def _ingredients(image: GrubImage) -> list[str]:
    """Return the names of GRUB's files that go into the image; all of them are there."""
    try:
        there = set(os.listdir(image.folder))
        with open(os.path.join(image.folder, "moddep.lst"), encoding="ascii") as file:
            text = file.read()
    except (OSError, ValueError):
        raise _missing(image, image.folder) from None
    names = image.ingredients(dependencies(text))
    unknown = [name for name in image.chosen if f"{name}.mod" not in there]
    if unknown:
        raise DescriptionError(*[_unknown(image, name, there) for name in unknown])
    for name in names:
        if name not in there:
            raise _missing(image, os.path.join(image.folder, name))
    return names


def _missing(image: GrubImage, path: str) -> WorldError:
    return WorldError(ProgramMissing(
        normal(image.path), f"there is no {path!r}", f"GRUB's files for {image.format} must be "
        "there", f"install them (Debian package {image.package}), or write directory=...",
    ))


def _unknown(image: GrubImage, name: str, there: set[str]) -> BadValue:
    modules = [file.removesuffix(".mod") for file in there if file.endswith(".mod")]
    close = get_close_matches(name, sorted(modules), 1)
    return BadValue(
        "modules", f"GRUB has no {name!r} for {image.format}",
        f"must be modules in {image.folder!r}",
        f"write {close[0]!r}" if close else "leave it out",
    )


def another(known: _Digests, session: Session) -> str:
    """Return which file is another than the one that an image was made of; empty if none is.

    A file that is gone is missed when the image has to be made again: it is still right.
    """
    for path, (*numbers, digest) in known.items():
        signature = Signature(*numbers)
        with suppress(FileNotFoundError):
            try:
                found, now = digest_file(path, session, (signature, digest))
            except WorldError:
                return path
            if now != digest:
                return path
            if found != signature and is_sure(path, found, session):
                known[path] = [*found, digest]
    return ""
