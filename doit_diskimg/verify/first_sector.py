"""What sector 0 of a disk without a GPT is: a table, a boot sector of FAT, both, or neither."""

from doit_diskimg.verify import boot_sector, mbr_reader
from doit_diskimg.verify.likeness import means_fat
from doit_diskimg.verify.source import Source


def sector_zero(source: Source) -> tuple[bool, bool]:
    """Return whether a FAT volume begins there, and whether a partition table is there."""
    sector = source.read(0, 512)
    table = mbr_reader.looks_valid(sector, source.length // 512)
    used = table and any(entry.type and entry.sectors for entry in mbr_reader.entries(sector, 0))
    bare = means_fat(sector) and (not used or _has_fat(source, sector))
    if bare:
        return True, table and _has_more(source, sector)
    if mbr_reader.signed(sector):
        table = mbr_reader.looks_valid(sector, source.length // 512, faults=1)
    return False, table


def _has_fat(source: Source, sector: bytes) -> bool:
    """Return whether a FAT begins where the boot sector says, or whether it is only a form.

    Boot sectors of disks with a table have such a form too, for BIOSes that want to see one.
    """
    boot = boot_sector.decode(sector)
    return source.read(boot.reserved * boot.sector_size, 1) == bytes([boot.media])


def _has_more(source: Source, sector: bytes) -> bool:
    """Return whether a partition begins behind the volume whose boot sector this is.

    Without one there is a form only: mformat writes an entry for the volume itself, as long as
    its geometry says, and boot code can look like a table by chance.
    """
    boot = boot_sector.decode(sector)
    volume_end = boot.sectors * boot.sector_size
    return any(
        entry.type and entry.sectors and volume_end <= entry.first * 512 < source.length
        for entry in mbr_reader.entries(sector, 0)
        if entry.first
    )
