"""FAT: what two volumes must have in common to be the same for every reader."""

from collections.abc import Iterator
from os import PathLike
from typing import NamedTuple

from doit_diskimg.plan.content import hasher
from doit_diskimg.verify import boot_sector, volume_reader
from doit_diskimg.verify.budget import Budget
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import CHUNK, Source, Window
from doit_diskimg.verify.volume_reader import Volume

_ATTRIBUTES = ((0x01, "r"), (0x02, "h"), (0x04, "s"), (0x20, "a"))


class Survey(NamedTuple):
    """A volume as readers see it, and not where its bytes lie."""

    numbers: dict[str, str]
    """Type, geometry, label and volume id, by what they are called."""
    files: dict[str, tuple[int, str, str]]
    """(size, attributes, digest) by path; a directory's path ends with ``/``."""
    errors: tuple[str, ...]
    """What `verify` finds wrong with it."""


def survey(path: str | PathLike[str]) -> Survey:
    """Return what is in the volume that fills a file.  Raises WorldError if it can't be read."""
    with Source(path) as source:
        found = Findings()
        window = Window(source, 0, source.length)
        boot = boot_sector.decode(window.read(0, 512))
        # What lies before it, nobody here knows: whatever it says is right.
        hidden = {boot.hidden * boot.sector_size}
        checked = volume_reader.check(window, source.length, hidden, found, Budget())
        errors = tuple(str(one) for one in found if one.is_error)
        if checked is None:
            return Survey({}, {}, errors)
        return Survey(dict(_numbers(checked)), dict(contents_of(checked)), errors)


def _numbers(checked: Volume) -> Iterator[tuple[str, str]]:
    boot = checked.geometry.boot
    yield "FAT type", str(checked.geometry.fat)
    yield "bytes per sector", str(boot.sector_size)
    yield "cluster size", str(checked.geometry.cluster_size)
    yield "clusters", str(checked.geometry.clusters)
    yield "reserved sectors", str(boot.reserved)
    yield "number of FATs", str(boot.copies)
    yield "root entries", str(boot.root_entries)
    yield "sectors", str(boot.sectors)
    yield "media", f"{boot.media:#04x}"
    yield "hidden sectors", str(boot.hidden)
    yield "label", repr((boot.label or b"").decode("cp437").rstrip())
    yield "volume id", f"{boot.volume_id:08X}"


def contents_of(checked: Volume) -> Iterator[tuple[str, tuple[int, str, str]]]:
    """Yield each path with (size, attributes, digest); a directory's path ends with ``/``."""
    for file in checked.files:
        letters = "".join(letter for bit, letter in _ATTRIBUTES if file.attributes & bit)
        digest = hasher()
        for data in checked.contents(file, CHUNK):
            digest.update(data)
        is_directory = file.path.endswith("/")
        yield file.path, (file.size, letters, "" if is_directory else digest.hexdigest())


def differences(one: Survey, other: Survey) -> Iterator[str]:
    """Yield what ``other`` has otherwise than ``one``, a line each."""
    for name, value in one.numbers.items():
        if other.numbers.get(name) != value:
            yield f"{name}: {other.numbers.get(name)}, {value} must be"
    for path in sorted({*one.files, *other.files}):
        mine, theirs = one.files.get(path), other.files.get(path)
        if theirs is None:
            yield f"{path!r} is missing"
        elif mine is None:
            yield f"{path!r} is there, and in no description"
        elif mine != theirs:
            yield f"{path!r}: {_words(theirs)}, {_words(mine)} must be"


def _words(file: tuple[int, str, str]) -> str:
    size, letters, digest = file
    contents = f", contents {digest[:8]}" if digest else ""
    return f"{size:,} bytes, attributes {letters!r}{contents}"
