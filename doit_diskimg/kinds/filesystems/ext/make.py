"""The recipe for an ext volume: mke2fs makes it from a staged tree, debugfs sets owners and times.

What mke2fs would take from its surroundings is given instead: features, inodes, UUID and hash seed
by argument; its configuration as a file of ours; the clock by ``E2FSPROGS_FAKE_TIME``, which
libext2fs reads.  Three things remain, which it copies from the staged files: their owner, who is
whoever builds, and access and change time, which nobody can set.  debugfs writes these, by inode
number, so that no name of the user's is ever part of a command.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from doit_diskimg.errors import (
    BadPath,
    ContentTooLarge,
    DescriptionError,
    Problem,
    ProgramFailed,
    VolumeFull,
    WorldError,
    refuse,
)
from doit_diskimg.kinds.filesystems.ext import ext_check, ext_tree
from doit_diskimg.kinds.filesystems.ext.ext_check import Geometry
from doit_diskimg.kinds.filesystems.ext.ext_tree import Gathered
from doit_diskimg.plan.content import Files
from doit_diskimg.plan.recipe import PAYLOAD, Command, Made, Program, Recipe, Staged
from doit_diskimg.units import format_size

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.disk.ports import Place
    from doit_diskimg.kinds.filesystems.ext.ext_volume import Ext

MKE2FS = Program("mke2fs", "e2fsprogs", ("-V",))
DEBUGFS = Program("debugfs", "e2fsprogs", ("-V",))

_TREE = "tree"
_CONFIGURATION = "mke2fs.conf"
_CORRECTIONS = "corrections"
_ROOT_INODE = 2  # EXT2_ROOT_INO

_EXT2 = "sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr"
_EXT4 = "extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize"
FEATURES = {
    2: f"none,{_EXT2}", 3: f"none,{_EXT2},has_journal", 4: f"none,{_EXT2},has_journal,{_EXT4}",
}
"""What e2fsprogs 1.47 has in its mke2fs.conf, but for metadata_csum_seed, which the GRUB 2.06 of
the same Debian can't read, and orphan_file, which hardly a driver knows."""


def volume(ext: "Ext", place: "Place", files: Files, where: str) -> Made:
    """Return the volume that ``ext`` becomes at ``place``.

    Raises DescriptionError with everything that is wrong, or WorldError.
    """
    problems = [*ext_check.problems(ext, where, place.extent.length, place.sector_size)]
    gathered = ext_tree.gather(ext, files, where)
    problems += gathered.problems + _unknown_modes(ext, gathered, where)
    staged: list[Staged] = []
    if not problems:
        problems += _oversized(gathered, files, place.extent.length)
    if not problems:
        staged = _staged(ext, gathered, files)
    refuse(problems, gathered.failed)
    geometry = ext_check.geometry(ext, place.extent.length, place.sector_size)
    try:
        return files.make(_recipe(ext, place, geometry, staged), f"{where}.payload")
    except WorldError as error:
        raise _in_our_words(error, gathered, geometry, files, where) from error


def _unknown_modes(ext: "Ext", gathered: Gathered, where: str) -> list[Problem]:
    return [
        BadPath(
            f"{where}.modes[{path!r}]", "there is nothing at that path",
            "modes are for what is in the volume", "mend the path or remove it",
        )
        for path in ext.modes
        if path.strip("/") and path.strip("/") not in gathered.nodes
    ]


def _oversized(gathered: Gathered, files: Files, length: int) -> Iterator[Problem]:
    """Yield what can't be right, before it is read: a sparse file has any length for nothing."""
    for path, (source, where) in gathered.nodes.items():
        try:
            size = files.size(source, where) if isinstance(source, str) else 0
        except WorldError:
            continue  # to be told when it is staged
        if size > length:
            yield ContentTooLarge(
                where, f"{path!r} has {size:,} bytes", f"the whole volume has {length:,}",
                "leave it out, or give the partition a larger size",
            )


def _staged(ext: "Ext", gathered: Gathered, files: Files) -> list[Staged]:
    """Return the tree with its digests; what files of the host are missing goes to ``gathered``."""
    modes = {path.strip("/"): mode for path, mode in ext.modes.items()}
    staged = [Staged(_TREE, None, "", modes.get("", 0o755))]
    for path, (source, where) in gathered.nodes.items():
        mode, digest = (0o755 if source is None else 0o644), ""
        if isinstance(source, str):
            try:
                digest = files.digest(source, where)
                mode = 0o755 if files.executable(source, where) else 0o644
            except WorldError as error:
                gathered.failed += error.problems
        staged.append(Staged(f"{_TREE}/{path}", source, digest, modes.get(path, mode)))
    return staged


def _recipe(ext: "Ext", place: "Place", geometry: Geometry, staged: list[Staged]) -> Recipe:
    seconds = max(1, place.epoch)  # to libext2fs a faked time of 0 is none
    entries = len(staged) - 1  # without the root
    values = {
        "features": ",".join([FEATURES[ext.version], *ext.features]),
        "block_size": geometry.block_size,
        "blocks": geometry.blocks,
        "inode_size": ext.inode_size,
        "inodes": ext_check.inodes(ext, geometry, entries),
        "uuid": _uuid(ext, place),
        "hash_seed": _hash_seed(_uuid(ext, place)),
        "label": ext.label,
    }
    notes = [
        Staged(_CONFIGURATION, b"[defaults]\n[fs_types]\n\tdefault = {\n\t}\n", ""),
        Staged(_CORRECTIONS, "".join(_corrections(entries, seconds)).encode("ascii"), ""),
    ]
    return Recipe(
        length=geometry.length,
        staged=(*notes, *staged),
        commands=(
            Command(MKE2FS, tuple(text.format_map(values) for text in ext.arguments)),
            Command(DEBUGFS, ("-w", "-f", _CORRECTIONS, PAYLOAD), silent=True),
        ),
        environment=(
            ("E2FSPROGS_FAKE_TIME", str(seconds)),
            ("MKE2FS_CONFIG", _CONFIGURATION),
            ("SOURCE_DATE_EPOCH", str(seconds)),
        ),
        seconds=seconds,
    )


def _corrections(entries: int, seconds: int) -> Iterator[str]:
    """Yield debugfs's commands: mke2fs gives the staged files inodes one after the other."""
    first = ext_check.RESERVED_INODES + 1  # lost+found
    for inode in (_ROOT_INODE, *range(first, first + 1 + entries)):
        for field in ("uid", "gid"):
            yield f"set_inode_field <{inode}> {field} 0\n"
        for field in ("atime", "ctime", "mtime"):
            yield f"set_inode_field <{inode}> {field} @{seconds}\n"


def _uuid(ext: "Ext", place: "Place") -> "UUID":
    from uuid import UUID

    if ext.uuid is None:
        return place.identity
    return ext.uuid if isinstance(ext.uuid, UUID) else UUID(str(ext.uuid))


def _hash_seed(uuid: "UUID") -> "UUID":
    """Return the secret of the directories' hashes, which protects nothing in an image."""
    from uuid import uuid5

    return uuid5(uuid, "hash seed")


def _in_our_words(
    error: WorldError, gathered: Gathered, geometry: Geometry, files: Files, where: str
) -> DescriptionError | WorldError:
    """Return the error; if mke2fs ran out of room, with the numbers that a user needs."""
    text = str(error)
    if not any(type(problem) is ProgramFailed for problem in error.problems):
        return error
    if "Could not allocate" not in text and "too small" not in text:
        return error
    sizes = {
        path: len(node.source) if isinstance(node.source, bytes) else files.size(
            node.source, node.where
        )
        for path, node in gathered.nodes.items()
        if node.source is not None
    }
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:3]
    total = format_size(sum(sizes.values()))
    names = ", ".join(f"{path} {format_size(sizes[path])}" for path in largest)
    what = "inodes" if "allocate inode" in text else "blocks"
    remedy = "raise inodes, or leave it out" if what == "inodes" else "make the partition larger"
    return DescriptionError(
        VolumeFull(
            f"{where}.files",
            f"{len(gathered.nodes):,} files and directories with {total} "
            f"(the largest: {names}) need more {what}",
            f"the volume has {format_size(geometry.length)}",
            f"{remedy}, or leave files out",
        )
    )
