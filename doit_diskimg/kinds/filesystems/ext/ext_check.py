"""The fields of an `Ext`: what can't be, and what follows from them."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from doit_diskimg.disk.fields import Kind, is_number, kind_problems
from doit_diskimg.errors import (
    BadLabel,
    BadPath,
    BadSize,
    BadValue,
    DuplicatePath,
    Problem,
    TooSmall,
)
from doit_diskimg.kinds.filesystems.ext.ext_volume import Ext
from doit_diskimg.plan.content import Tree
from doit_diskimg.units import MIB, align_down, format_size, parse_size

VERSIONS = (2, 3, 4)
BLOCK_SIZES = (1024, 2048, 4096)
INODE_SIZES = (128, 256)
LONGEST_LABEL = 16  # s_volume_name
_LARGE = 512 * MIB
"""From here on mke2fs takes larger blocks and fewer inodes."""
LEAST_BLOCKS = 64
"""Below some 50 blocks mke2fs finds no room for its own tables."""
LEAST_BLOCKS_WITH_JOURNAL = 2048
"""libext2fs, ext2fs_default_journal_size: below it mke2fs makes a volume without the journal."""


def _one_of(*known: int) -> Kind:
    *others, last = map(str, known)
    must = f"must be {', '.join(others)} or {last}" if others else f"must be {last}"
    change = "write one of these, or leave it out"
    return Kind(lambda value: is_number(value) and value in known, must, change)


def is_files(files: object) -> bool:
    """Return whether ``files`` can be what is in a volume, whatever is wrong with it in detail."""
    return isinstance(files, (Mapping, Tree, list, tuple))


def _are_features(names: object) -> bool:
    return isinstance(names, (list, tuple)) and all(
        isinstance(name, str) and re.fullmatch(r"\^?[A-Za-z0-9_]+", name) for name in names
    )


def _is_uuid(value: object) -> bool:
    try:
        return value is None or bool(UUID(str(value)))
    except ValueError:
        return False


_KINDS = {
    "files": Kind(
        is_files, "must be paths and their sources, or a Tree",
        'write for example Tree("sysroot")',
    ),
    "version": _one_of(*VERSIONS),
    "inode_size": _one_of(*INODE_SIZES),
    "features": Kind(
        _are_features, "must be a list of names as mke2fs's -O takes them",
        'write for example ["^dir_index"]',
    ),
    "modes": Kind(
        lambda value: isinstance(value, Mapping), "must be paths and permission bits",
        'write for example {"tmp": 0o1777}',
    ),
    "uuid": Kind(
        _is_uuid, "must be 32 hexadecimal digits", "leave it out to have the partition's GUID"
    ),
    "inodes": Kind(
        lambda value: value is None or (isinstance(value, int) and value >= 16),
        "must be a number from 16 on", "leave it out to have it chosen",
    ),
}  # fmt: skip


class ExtGeometry(NamedTuple):
    """The size of a volume."""

    block_size: int
    blocks: int

    @property
    def length(self) -> int:
        """Bytes of the volume."""
        return self.block_size * self.blocks


def geometry(ext: Ext, size: int | None, sector_size: int) -> ExtGeometry:
    """Return the size of the volume in a partition of ``size`` bytes; its fields are right.

    A block is no smaller than a sector of the disk: Linux could not read it.
    """
    wanted = size if ext.size is None else parse_size(ext.size)
    assert wanted is not None
    if ext.block_size is None:
        block_size = max(sector_size, 1024 if wanted < _LARGE else 4096)
    else:
        block_size = parse_size(ext.block_size)
    return ExtGeometry(block_size, wanted // block_size)


def problems(ext: Ext, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
    """Yield what is wrong with the fields; ``size`` is the partition's."""
    yield from kind_problems(ext, f"{where}.", _KINDS)
    yield from _label(ext.label, f"{where}.label")
    if isinstance(ext.modes, Mapping):
        yield from _modes(ext.modes, where)
    sizes = [*_size(ext, where, size, sector_size)]
    yield from sizes
    if not sizes and ext.version in VERSIONS and (ext.size is not None or size is not None):
        yield from _too_small(ext, where, size, sector_size)


def missing_size(ext: Ext, where: str, size: int | None) -> Iterator[Problem]:
    """Yield a problem if there is no size; the rest of a disk is one when its place is known."""
    if ext.size is None and size is None:
        yield BadSize(
            f"{where}.size", "there is none", "an ext volume is as large as you say: mke2fs knows "
            "how much room its own tables take, we don't",
            'write for example size="64MiB", or size="rest" on a disk with a size',
        )


def _label(label: object, where: str) -> Iterator[Problem]:
    if not isinstance(label, str) or not label.isprintable():
        yield BadLabel(where, f"{label!r}", "must be printable text", "write another")
    elif len(label.encode("utf-8", "surrogateescape")) > LONGEST_LABEL:
        yield BadLabel(
            where, f"{label!r} has {len(label.encode('utf-8', 'surrogateescape'))} bytes",
            f"at most {LONGEST_LABEL} fit", "make it shorter",
        )


def _modes(modes: Mapping[str, int], where: str) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for path, mode in modes.items():
        if isinstance(path, str) and seen.setdefault(path.strip("/"), path) != path:
            yield DuplicatePath(
                f"{where}.modes[{path!r}]", f"modes[{seen[path.strip('/')]!r}] is the same path",
                "a file has its mode once", "remove one of the two",
            )
        found = f"{mode:#o}" if isinstance(mode, int) else f"{mode!r}"
        if not isinstance(path, str):
            yield BadPath(
                f"{where}.modes", f"{path!r} is not a path", "a key is text",
                'write "/" for the root',
            )
        elif not isinstance(mode, int) or not 0 <= mode <= 0o7777 or not mode & 0o400:
            yield BadValue(
                f"{where}.modes[{path!r}]", found, "must be permission bits up to 0o7777, with "
                "0o400: mke2fs reads the file as its owner", "write for example 0o600",
            )


def _size(ext: Ext, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
    try:
        own = None if ext.size is None else parse_size(ext.size)
        block_size = None if ext.block_size is None else parse_size(ext.block_size)
    except ValueError as error:
        yield BadSize(
            where, str(error), "size and block_size are bytes, or numbers with a unit",
            'write for example size="64MiB"',
        )
        return
    if block_size is not None:
        sizes = tuple(size for size in BLOCK_SIZES if size >= sector_size)
        kind = _one_of(*sizes)
        if not kind.holds(block_size):
            yield BadValue(f"{where}.block_size", f"{block_size} is given", kind.must, kind.change)
    if own is not None and size is not None and own > size:
        yield BadSize(
            f"{where}.payload.size", f"{format_size(own)}",
            f"its partition has {format_size(size)}", "leave one of the two out",
        )


def _too_small(
    ext: Ext, where: str, size: int | None, sector_size: int
) -> Iterator[Problem]:
    found = geometry(ext, size, sector_size)
    least = LEAST_BLOCKS if ext.version == 2 else LEAST_BLOCKS_WITH_JOURNAL
    if found.blocks < least:
        needed = least * found.block_size
        yield TooSmall(
            f"{where}.size", f"{found.blocks:,} blocks of {format_size(found.block_size)}",
            f"ext{ext.version} needs {least:,} at least",
            f"make it {format_size(needed)} or more" + ("" if ext.version == 2 else ", or ext2"),
        )


def inodes(ext: Ext, volume: ExtGeometry, entries: int) -> int:
    """Return how many inodes the volume gets; ``entries`` are its files and directories.

    The reserved ones and lost+found come on top.  In steps of two, so that a file more does not
    move everything behind the inode tables.
    """
    if ext.inodes is not None:
        return ext.inodes
    ratio = 4096 if volume.length < _LARGE else 16384
    number = max(16, align_down(volume.length, ratio) // ratio)
    while number < entries + RESERVED_INODES + 1:
        number *= 2
    return number


RESERVED_INODES = 10
"""EXT2_GOOD_OLD_FIRST_INO - 1; the first free one becomes lost+found, the next the first file."""
