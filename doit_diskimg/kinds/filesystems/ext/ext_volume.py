"""`Ext`: an ext2, ext3 or ext4 volume as the user describes it.

Every `doit` imports this module, so it imports next to nothing; `mke2fs` does the work.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, field
from typing import Literal

from doit_diskimg.disk.sockets import Payload, Place, Room
from doit_diskimg.disk.symbols import Guid
from doit_diskimg.errors import Problem
from doit_diskimg.frozen import dataclass, keep_copies
from doit_diskimg.plan.content import Files, Sources, Tree, Wanted, wanted_files
from doit_diskimg.plan.picture import Picture
from doit_diskimg.units import SECTOR, SizeLike, parse_size

ARGUMENTS = (
    "-q", "-F", "-T", "default", "-O", "{features}", "-b", "{block_size}", "-I", "{inode_size}",
    "-N", "{inodes}", "-m", "0", "-e", "continue", "-U", "{uuid}", "-L", "{label}",
    "-E", "hash_seed={hash_seed},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,"
    "no_copy_xattrs", "-d", "tree", "payload", "{blocks}",
)  # fmt: skip
"""mke2fs's: what it would choose by size, configuration, clock or chance is given."""


@dataclass(frozen=True, described=True)
class Ext(Payload):
    """An ext2, ext3 or ext4 volume and what is in it, made by ``mke2fs`` (package e2fsprogs).

    ``files`` is a `Tree`, or maps paths in the volume to sources as `Fat` does: a path of the host,
    ``bytes``, a ``Tree``, or a list of these.  Names are case-sensitive and have up to 255
    bytes of UTF-8.

    ``version`` is 2, 3 (with a journal) or 4.  ``size`` is the volume's, the partition's unless
    given; one of them has to be.  ``label`` has up to 16 bytes.  ``block_size`` is 1024, 2048 or
    4096 bytes, no less than a sector: 1024 below 512 MiB, else 4096, unless given.  ``inodes`` is
    how many files and directories there is room for: one for each 4 KiB (16 KiB from 512 MiB on)
    and as many as there are, unless given.  ``inode_size`` is 128 or 256; a small driver may want
    128.
    ``features`` are names as mke2fs's ``-O`` takes them, ``"^dir_index"`` to leave one out.

    Everything belongs to user and group 0 and has the image's time stamp.  Directories have mode
    0755, files 0644, or 0755 if their owner on the host may execute them; ``modes`` gives other
    permission bits by path (``{"tmp": 0o1777}``, ``"/"`` is the root).  ``uuid`` is the partition's
    GUID unless given.
    """

    files: Mapping[str, Sources] | Tree | Sequence[Tree] = field(default_factory=dict)
    _: KW_ONLY
    version: Literal[2, 3, 4] = 4
    size: SizeLike | None = None
    label: str = ""
    block_size: SizeLike | None = None
    inodes: int | None = None
    inode_size: int = 256
    features: Sequence[str] = ()
    modes: Mapping[str, int] = field(default_factory=dict)
    uuid: str | Guid | None = None
    arguments: tuple[str, ...] = field(default=ARGUMENTS, init=False, repr=False)
    """What mke2fs is told: a field, so that it is a part of the description."""

    def __post_init__(self) -> None:
        keep_copies(self)

    populated = True

    def sources(self, where: str) -> Iterator[Wanted]:
        return wanted_files(self.files, where)

    def blank(self) -> object:
        """Return what decides the room, sizes in bytes."""
        return [_bytes(self.size), _bytes(self.block_size), self.version]

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> Iterator[Problem]:
        from doit_diskimg.kinds.filesystems.ext import mke2fs

        return mke2fs.problems(self, where, size, sector_size)

    def room(
        self, size: int | None, files: Files, where: str, sector_size: int = SECTOR
    ) -> Room:
        from doit_diskimg.kinds.filesystems.ext import mke2fs

        return mke2fs.room(self, size, where, sector_size)

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        from doit_diskimg.kinds.filesystems.ext import mke2fs

        return mke2fs.fill(self, place, files, where)


def _bytes(size: SizeLike | None) -> object:
    """Return ``size`` in bytes, or as it is if it is no size: `problems` says so."""
    try:
        return None if size is None else parse_size(size)
    except ValueError:
        return size
