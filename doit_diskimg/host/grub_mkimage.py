"""Makes an image of GRUB's with GRUB's own grub-mkimage: as an ordinary user, and of files alone.

The image is made in a folder of its own beside its final path and renamed when it is whole.  Its
state folder, beside it too, says which file is ours: no other is replaced or removed.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from filecmp import cmp
from typing import Any

from doit_diskimg.errors import (
    BadValue,
    DescriptionError,
    DiskimgError,
    ProgramMissing,
    WorldError,
)
from doit_diskimg.host import own, program
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.folder import NEW
from doit_diskimg.host.hashing import digest_file, is_sure, unknown
from doit_diskimg.host.machine import Signature
from doit_diskimg.host.own import check_target
from doit_diskimg.host.paths import normal
from doit_diskimg.host.scratch import Scratch
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import StateFolder, host_failed
from doit_diskimg.kinds.bootloaders.grub_image import GrubImage, dependencies
from doit_diskimg.plan.canonical import canonical
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.recipe import Command

FORMAT = 2
"""Raised when images are made in another way."""

_CONFIG = "early.cfg"

_OF = "the contents of "
"""How the words for a file begin; its path follows."""


def made_of(image: GrubImage, before: Mapping[str, Any], session: Session) -> dict[str, Any]:
    """Return what the image is made of, in words and values; see `chain.facts`.

    GRUB's files are looked at one by one.  Those that are gone are as they were ``before``: they
    are missed when the image has to be made again, and until then it is right.
    """
    description = repr(canonical([FORMAT, image])).encode("utf-8", "surrogatepass")
    version = f"the version of {image.program}"
    found = {
        "the description": digest_of(description),
        version: program.installed(image.mkimage, before.get(version, [])),
    }
    with suppress(DiskimgError):  # the task will run into it and say so
        for path in [*_paths(image, before), *_config_path(image)]:
            word = f"{_OF}{path}"
            found[word] = _contents(path, before.get(word), session)
    return found


def _paths(image: GrubImage, before: Mapping[str, Any]) -> list[str]:
    try:
        return [os.path.join(image.folder, name) for name in _ingredients(image)]
    except WorldError:
        return [word.removeprefix(_OF) for word in before if word.startswith(_OF)]


def _config_path(image: GrubImage) -> list[str]:
    is_path = image.config is not None and not isinstance(image.config, bytes)
    return [normal(image.config)] if is_path else []  # type: ignore[arg-type]


def _contents(path: str, known: Any, session: Session) -> Any:
    """Return a file's signature and digest; what is ``known`` of it as long as the digest is that.
    """
    try:
        earlier = None if known is None else (Signature(*known[:4]), str(known[4]))
        signature, digest = digest_file(path, session, earlier)
    except FileNotFoundError:
        return known
    except OSError as error:
        return str(error)  # the task will run into it and say so
    if known is not None and known[4] == digest:
        return known
    return [*(signature if is_sure(path, signature, session) else unknown(signature)), digest]


def make(image: GrubImage, session: Session) -> None:
    """Make the image's file.  Raises WorldError, DescriptionError."""
    target = normal(image.path)
    check_target(target)
    StateFolder(target).check()
    mkimage = program.find(image.mkimage)
    if mkimage is None:
        raise WorldError(program.missing(image.mkimage, target, "an image of GRUB's"))
    _ingredients(image)
    config = image.config
    if config is not None and not isinstance(config, bytes):
        config = RealFiles(session=session).read(os.fspath(config), "config")
    try:
        _make(image, mkimage, target, config)
    except OSError as error:
        raise host_failed(target, error, "make it") from error


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
        _put(scratch, name, target)


def _put(scratch: Scratch, name: str, target: str) -> None:
    """Give the new file its name, unless a file that is not ours has it."""
    record, new = own.images(StateFolder(target)), os.path.join(scratch.path, name)
    if os.path.lexists(target) and not own.is_claimed(record, target, seconds=True):
        # What has the very bytes is of an earlier version of ours, or as good as that.
        if not cmp(new, target, shallow=False):
            raise own.foreign(target, "move it away, or delete it")
        own.claim(record, target, target)
        return
    own.claim(record, new, target)
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
