"""Symbols by name, for fields of boot code: ``Patch(0x5c, "<Q", at.lba("stage2"))``.

In a namespace, since a dodo.py of an operating system has its own ``start``, ``length`` and
``sectors``.
"""

from doit_diskimg.disk.symbols import Symbol


def lba(name: str) -> Symbol:
    """The first sector of a partition or segment, counted from the beginning of the disk."""
    return Symbol("lba", name)


def sectors(name: str) -> Symbol:
    """How many sectors a partition has, or the source of a segment, the last one begun."""
    return Symbol("sectors", name)


def start(name: str) -> Symbol:
    """The first byte of a partition or segment, counted from the beginning of the disk."""
    return Symbol("start", name)


def length(name: str) -> Symbol:
    """How many bytes a partition has, or the source of a segment."""
    return Symbol("length", name)


def file_lba(partition: str, path: str) -> Symbol:
    """The first sector on the disk of a file in a volume; its other sectors follow."""
    return Symbol("file_lba", partition, path)


def file_sectors(partition: str, path: str) -> Symbol:
    """How many sectors a file in a volume has, the last one begun."""
    return Symbol("file_sectors", partition, path)


def file_length(partition: str, path: str) -> Symbol:
    """How many bytes a file in a volume has."""
    return Symbol("file_length", partition, path)


def crc32(name: str, path: str | None = None) -> Symbol:
    """The CRC-32 (zlib's) of a segment, a whole partition, or a file in its volume.

    It is that of the bytes in the image, as many as `length` or `file_length` says: if the part
    itself is patched, the patched ones.
    """
    return Symbol("crc32", name, path)


def partition_guid(name: str) -> Symbol:
    """A partition's GUID: 16 bytes, in the order in which a GPT stores it."""
    return Symbol("partition_guid", name)


def disk_guid() -> Symbol:
    """The disk's GUID: 16 bytes, in the order in which a GPT stores it."""
    return Symbol("disk_guid")


def disk_signature() -> Symbol:
    """The disk signature of an MBR, 32 bits."""
    return Symbol("disk_signature")
