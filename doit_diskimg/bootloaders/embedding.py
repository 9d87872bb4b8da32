"""Where the second part of a loader lies that is loaded by its first sector: two places.

With an MBR it follows sector 0, in the gap before the first partition.  On a GPT the table lies
there, so the loader has a partition of its own, a "BIOS boot partition" (UEFI knows nothing of it;
GRUB chose its type GUID).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from doit_diskimg.errors import BadValue, ContentTooLarge, DescriptionError, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.ondisk.guids import type_guid
from doit_diskimg.picture import Picture
from doit_diskimg.ports import Payload, Place
from doit_diskimg.units import SECTOR, exact_size

BOOT_CODE = 440
"""Bytes of sector 0 before the disk signature and the partition table."""

KEEP = [(BOOT_CODE, SECTOR)]
"""What a loader's first sector leaves to the table, whatever its own file has there."""

BIOS_BOOT = "bios-boot"


class DescribedPartition(Protocol):
    """A partition as the user wrote it."""

    @property
    def name(self) -> str: ...  # noqa: D102  # see spec.Partition
    @property
    def payload(self) -> object: ...  # noqa: D102
    @property
    def type(self) -> str | int | None: ...  # noqa: D102
    @property
    def active(self) -> bool: ...  # noqa: D102
    @property
    def in_table(self) -> bool: ...  # noqa: D102


class DescribedDisk(Protocol):
    """A disk as the user wrote it."""

    @property
    def partitions(self) -> Sequence[DescribedPartition]: ...  # noqa: D102  # see spec.Disk
    @property
    def table(self) -> Any: ...  # noqa: D102
    @property
    def sector_size(self) -> int: ...  # noqa: D102


def gap_is_free(disk: DescribedDisk) -> bool:
    """Return whether sector 1 is nobody's: it is the header's on a GPT."""
    sector = Extent(SECTOR, SECTOR)
    regions = disk.table.regions(1 << 30) if disk.table is not None else ()
    return not any(region.extent.overlaps(sector) for region in regions)


def holder(disk: DescribedDisk, payload: Payload) -> DescribedPartition | None:
    """Return the partition that holds the second part, None if none does."""
    return next((part for part in disk.partitions if part.payload == payload), None)


def problems(
    disk: DescribedDisk, payload: Payload, where: str, name: str, call: str
) -> Iterator[Problem]:
    """Yield why the second part of the loader ``name`` has no place on the disk.

    ``call`` is what a user writes for ``payload``.
    """
    partition = holder(disk, payload)
    if partition is None:
        if not gap_is_free(disk):
            yield BadValue(
                where, "sector 1 is the table's, so nothing can follow the boot sector",
                f"{name} on a GPT has a BIOS boot partition",
                f'add Partition("bios", {call}) to the partitions',
            )
        return
    if disk.table is None or partition.type is None:
        return
    try:
        wanted = disk.table.type_of(partition, BIOS_BOOT)
    except ValueError:
        return  # reported with the partition
    if not gap_is_free(disk) and wanted != type_guid(BIOS_BOOT):
        yield BadValue(
            f"partitions[{list(disk.partitions).index(partition)}].type",
            f"{partition.type!r} is the type of the partition with {name}'s second part",
            f"{name} looks for a BIOS boot partition", f'leave type out, or write "{BIOS_BOOT}"',
        )


def fit(place: Place, length: int, where: str, what: str) -> Extent:
    """Return where ``length`` bytes lie that fill a partition from its beginning on.

    Raises DescriptionError if they are more than it has, by a change since it was placed.
    """
    if length > place.extent.length:
        raise DescriptionError([ContentTooLarge(
            where, f"{what} has {exact_size(length)}",
            f"its partition has {exact_size(place.extent.length)}",
            "run doit again if it has just grown, else raise the partition's size",
        )])
    return Extent(place.extent.start, length)


def pieces(picture: Picture) -> Iterator[Extent]:
    """Yield what a loader reads of its partition: what is in it; see `abilities.Selective`."""
    for piece in picture.pieces:
        yield Extent(piece.start, piece.length)
