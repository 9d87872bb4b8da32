"""The second opinion: reads an image with other code than wrote it.

``doit_diskimg.verify(path)`` is the whole of it for users; this package is callable so that the
function and the folder can have one name.  Nothing here imports `ondisk`, `tables` or
`filesystems`: a mistake there must not be able to hide here.

In reading order:

    finding        what can be reported, and in what words
    catalogue      every code with its severity, its meaning and its remedy
    source         the image as bytes: bounded reads, holes
    image          what is on the disk: a table or a bare volume; the order of the checks
    partitions     what every table must keep
    mbr, gpt       the tables
    boot_sector    FAT: the boot sector and what follows from it
    allocation     FAT: the tables and the chains in them
    names          FAT: characters, short names, long names
    directory      FAT: the entries of one directory
    volume         FAT: one volume from the boot sector to the last lost cluster
    fsinfo         FAT32: what there is besides
    witnesses      fsck.fat, sgdisk and pyfatfs, who are asked too
    fat            what pyfatfs reads
    against_plan   what the image holds and what was planned
"""

import sys
from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doit_diskimg.verify.finding import Finding


class _Callable(ModuleType):
    """This package: ``import doit_diskimg.verify.judge`` finds it, a call checks an image."""

    def __call__(
        self, path: str | PathLike[str], *, offset: int | None = None, witnesses: bool = True
    ) -> "list[Finding]":
        """See `image.verify`."""
        from doit_diskimg.verify.judge import verify

        return verify(path, offset=offset, witnesses=witnesses)


sys.modules[__name__].__class__ = _Callable
