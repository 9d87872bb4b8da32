"""mkfs.fat with every number given: what two engines begin with."""

from collections.abc import Iterator

from doit_diskimg.kinds.filesystems.fat import encode
from doit_diskimg.kinds.filesystems.fat.encode import PlannedFat
from doit_diskimg.kinds.filesystems.fat.reserved import BACKUP_BOOT_SECTOR
from doit_diskimg.ondisk import fat_boot
from doit_diskimg.plan.recipe import Must, Program

MKFS = Program("mkfs.fat", "dosfstools", ("--help",))


def arguments(volume: PlannedFat) -> Iterator[str]:
    """Yield mkfs.fat's arguments but for the name of the file.

    Nothing is left to it: not the numbers that it would choose by size, nor what it would take from
    the clock (it knows no SOURCE_DATE_EPOCH; with ``--invariant`` its label is of 2015).
    """
    geometry = volume.geometry
    yield from ("--invariant", "-a")  # -a: no alignment beyond ours
    yield from ("-F", str(geometry.fat))
    yield from ("-S", str(geometry.sector_size))
    yield from ("-s", str(geometry.sectors_per_cluster))
    yield from ("-R", str(geometry.reserved_sectors))
    yield from ("-f", str(geometry.number_of_fats))
    yield from ("-M", f"{geometry.media:#04x}")
    yield from ("-g", f"{geometry.heads}/{geometry.sectors_per_track}")
    yield from ("-h", str(volume.hidden_sectors))
    yield from ("-D", f"{volume.drive_number:#04x}")
    yield from ("-i", f"{volume.volume_id:08x}")
    if geometry.fat == 32:
        yield from ("-b", str(BACKUP_BOOT_SECTOR))
    else:
        yield from ("-r", str(geometry.root_entries))
    if volume.label:
        yield from ("-n", volume.label)


def musts(volume: PlannedFat) -> Iterator[Must]:
    """Yield the fields of the boot sector: geometry, type, label, volume id."""
    sector = encode.boot_sector(volume).pack()
    for field in fat_boot.fields(volume.geometry.fat):
        yield Must(field.start, sector[field.start : field.end], field.name)
