"""What is wrong with the symbols of a description: unknown, or in a circle."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from doit_diskimg.disk.links import Ask, asks, is_own_file, no_file, partitions_by_name
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.sockets import Locating
from doit_diskimg.disk.symbols import Symbol
from doit_diskimg.errors import Problem, SymbolCycle, UnknownSymbol


def link_problems(disk: Disk) -> Iterator[Problem]:
    """Yield what is wrong with the symbols of a description whose other fields are right."""
    found = list(_unanswerable(disk))
    yield from found
    if not found:
        yield from _circles(disk)


def _unanswerable(disk: Disk) -> Iterator[Problem]:
    partitions = partitions_by_name(disk)
    segments = {segment.name: segment for _, segment in disk.outside}
    for where, symbol in (ask for found in asks(disk).values() for ask in found):
        here = f"{where}: {symbol}"
        if symbol.kind in ("partition_guid", "disk_guid", "disk_signature"):
            yield from _identity_problems(disk, symbol, here)
        if not symbol.name and symbol.kind in ("disk_guid", "disk_signature"):
            continue
        if symbol.name in partitions:
            yield from _file_problems(partitions[symbol.name], symbol, here)
        elif symbol.name not in segments:
            yield _unknown(here, symbol.name, [*partitions, *segments])
        elif symbol.path is not None or symbol.kind == "partition_guid":
            yield UnknownSymbol(
                here, f"{symbol.name!r} is a segment", "must be a partition",
                "write the name of a partition",
            )
        elif symbol.asks_contents and segments[symbol.name].keep:
            yield UnknownSymbol(
                here, f"{symbol.name!r} spans bytes of others",
                "a checksum is that of bytes in one piece",
                "split the segment in two instead of giving it keep",
            )


def _unknown(where: str, name: object, names: Sequence[str]) -> Problem:
    known = ", ".join(map(repr, names)) or "nothing"
    near = get_close_matches(str(name), names, 1)
    return UnknownSymbol(
        where, f"no partition or segment is called {name!r}", f"there is {known}",
        f"write {near[0]!r}" if near else "write one of these names",
    )


def _identity_problems(disk: Disk, symbol: Symbol, where: str) -> Iterator[Problem]:
    """A number that is nowhere on the disk is of no use to a reader of the disk."""
    wants_guid = symbol.kind != "disk_signature"
    has_guids = getattr(disk.table, "has_guids", None)  # a table of the user's may not say
    has = disk.table is not None and has_guids in (None, wants_guid)
    records = getattr(disk.table, "records_signature", None)
    if records is not None and not wants_guid:
        has = records(disk)
    if not has:
        table = "a disk without a table" if disk.table is None else "this table"
        yield UnknownSymbol(
            where, f"{table} has no {'GUIDs' if wants_guid else 'disk signature'}",
            "must be a number that is on the disk",
            f"write table={'Gpt()' if wants_guid else 'Mbr()'}",
        )


def _file_problems(part: Partition, symbol: Symbol, where: str) -> Iterator[Problem]:
    if part.persist and (symbol.asks_file or symbol.asks_contents):
        yield UnknownSymbol(
            where, f"{part.name!r} has persist=True", "must be of bytes that no guest may change",
            "ask for something in another partition",
        )
    elif symbol.path is None:
        return
    elif not isinstance(part.payload, Locating):
        yield UnknownSymbol(
            where, f"{type(part.payload).__name__} can't tell where its files lie",
            "must be a volume of Fat(...)", "put the file into one, or into a segment",
        )
    elif found := part.payload.unlocatable(symbol.path):
        yield no_file(where, found)


def _circles(disk: Disk) -> Iterator[Problem]:
    """Yield the first circle of parts whose bytes decide each other."""
    edges: dict[str, dict[str, Ask]] = {}
    for asker, found in asks(disk).items():
        for where, symbol in found:
            decides = symbol.asks_file or symbol.asks_contents
            if decides and not is_own_file(asker, symbol):
                edges.setdefault(asker, {}).setdefault(symbol.name, (where, symbol))
    done: set[str] = set()
    for name in edges:
        circle = _circle(name, edges, [], done)
        if circle:
            where, symbol = edges[circle[-1]][circle[0]]
            chain = ", which needs ".join(map(repr, [*circle[1:], circle[0]]))
            yield SymbolCycle(
                f"{where}: {symbol}", f"{circle[0]!r} needs the bytes of {chain}",
                "what is made of another part's bytes can't decide them",
                "leave out one of these symbols",
            )
            return


def _circle(
    name: str, edges: Mapping[str, Mapping[str, Ask]], path: list[str], done: set[str]
) -> list[str]:
    """Return the parts of a circle that can be reached from ``name``, none if there is none."""
    if name in path:
        return path[path.index(name) :]
    if name in done:
        return []
    done.add(name)
    for other in edges.get(name, ()):
        found = _circle(other, edges, [*path, name], done)
        if found:
            return found
    return []
