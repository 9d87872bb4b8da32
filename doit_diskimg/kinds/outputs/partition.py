"""Partitions that an output names."""

from collections.abc import Iterator

from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import BadValue, Problem


def unknown(where: str, name: object, disk: Disk) -> Iterator[Problem]:
    """Yield a problem if the disk has no partition of that name."""
    names = [partition.name for partition in disk.partitions]
    if name not in names:
        yield BadValue(
            where, f"{name!r} is no partition of this disk", "must be the name of one",
            f"it has {', '.join(map(repr, names))}" if names else "describe one",
        )
