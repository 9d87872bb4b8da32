"""What the parts of a disk want to know of one another: the symbols of a description.

A part that asks where another one lies needs the layout.  One that asks for a file in a volume
needs that volume populated, and one that asks for a CRC-32 needs the other's bytes; so parts come
in an order, and that order may have no circle.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.sockets import Asking
from doit_diskimg.disk.symbols import Symbol
from doit_diskimg.errors import Problem, UnknownSymbol
from doit_diskimg.frozen import dataclass

Ask: TypeAlias = tuple[str, Symbol]
"""The place in the description where a symbol stands, and the symbol."""


@dataclass(frozen=True)
class Needs:
    """What has to be known before a part's bytes are."""

    asks: Sequence[Ask]
    """Every symbol that is resolved on the way, but for a volume's about its own files."""
    parts: Sequence[str]
    """Segments, and partitions without a plan of their own, whose bytes are needed too."""
    volumes: Sequence[str]
    """Partitions that have to be populated first."""


NOTHING = Needs((), (), ())


@dataclass(frozen=True)
class Located:
    """What others ask of one volume."""

    files: Mapping[str, bool]
    """Paths, and whether the CRC-32 of the file is asked for too."""
    crc32: bool
    """Whether that of the whole partition is."""


def asks(disk: Disk) -> dict[str, list[Ask]]:
    """Return the symbols in each part of the disk, by its name."""
    found = {segment.name: list(segment.asks(where)) for where, segment in disk.outside}
    for part in disk.parts():
        if isinstance(part.payload, Asking):
            found[part.name] = list(part.payload.asks(part.where))
    return found


def needs(disk: Disk, *names: str) -> Needs:
    """Return what the parts of these names need, directly or through others."""
    all_asks, partitions = asks(disk), partitions_by_name(disk)
    found: dict[Ask, None] = {}
    parts: dict[str, None] = {}
    volumes: dict[str, None] = {}
    queue = list(names)
    while queue:
        name = queue.pop()
        for ask in all_asks.get(name, ()):
            symbol = ask[1]
            other = symbol.name
            if is_own_file(name, symbol):
                continue
            found[ask] = None
            populated = other in partitions and partitions[other].payload.populated
            if populated and (symbol.asks_file or symbol.asks_contents):
                volumes[other] = None
            elif symbol.asks_contents and other not in parts:
                parts[other] = None
                queue.append(other)
    return Needs(tuple(found), tuple(parts), tuple(volumes))


def located(disk: Disk, name: str) -> Located | None:
    """Return what others ask of the volume in a partition, None if nothing asks."""
    files: dict[str, bool] = {}
    whole = False
    for asker, found in asks(disk).items():
        for _, symbol in found:
            if symbol.name != name or is_own_file(asker, symbol):
                continue
            if symbol.path is not None:
                files[symbol.path] = files.get(symbol.path, False) or symbol.asks_contents
            else:
                whole = whole or symbol.asks_contents
    return Located(files, whole) if files or whole else None


def is_own_file(asker: str, symbol: Symbol) -> bool:
    """Return whether a part asks for a file in itself, which it answers by itself."""
    return symbol.asks_file and symbol.name == asker


def partitions_by_name(disk: Disk) -> dict[str, Partition]:
    """Return the partitions by their names."""
    return {part.name: part for part in disk.partitions}


def no_file(where: str, found: str) -> Problem:
    """Return the problem of a file that has no place, as `Locating` says it in words."""
    return UnknownSymbol(
        where, found, "must be the path of a file with contents in the volume",
        "fix the path, or put the file there",
    )
