"""FAT: a volume as plain data, and how it differs from another volume or from what it must be."""

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import NamedTuple

from doit_diskimg.host.hashing import digest_of_chunks
from doit_diskimg.verify import boot_sector, volume_reader
from doit_diskimg.verify.finding import Finding, Findings
from doit_diskimg.verify.name_reader import fold
from doit_diskimg.verify.source import CHUNK, Budget, Source, Window
from doit_diskimg.verify.volume_reader import CheckedVolume, ReadVolume

_ATTRIBUTES = ((0x01, "r"), (0x02, "h"), (0x04, "s"), (0x20, "a"))


class Survey(NamedTuple):
    """A volume as readers see it, and not where its bytes lie."""

    numbers: dict[str, str]
    """Type, geometry, label and volume id, by what they are called."""
    files: dict[str, tuple[int, str, str]]
    """(size, attributes, digest) by path; a directory's path ends with ``/``."""
    errors: tuple[Finding, ...]
    """What is wrong with it."""
    shorts: dict[str, str]
    """The path of each file with a long name, by its path with the short name, folded."""


def survey(path: str | PathLike[str]) -> Survey:
    """Return what is in the volume that fills a file.  Raises WorldError if it can't be read."""
    with Source(path) as source:
        found = Findings()
        window = Window(source, 0, source.length)
        boot = boot_sector.decode(window.read(0, 512))
        # What lies before it is not known here: whatever it says is right.
        hidden = {boot.hidden * boot.sector_size}
        checked = volume_reader.check(window, source.length, hidden, found, Budget())
        errors = tuple(one for one in found if one.is_error)
        if checked is None:
            return Survey({}, {}, errors, {})
        numbers, files = dict(_numbers(checked)), dict(_contents(checked))
        return Survey(numbers, files, errors, dict(_shorts(checked)))


def _numbers(checked: ReadVolume) -> Iterator[tuple[str, str]]:
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


def _contents(checked: ReadVolume) -> Iterator[tuple[str, tuple[int, str, str]]]:
    for file in checked.files:
        letters = "".join(letter for bit, letter in _ATTRIBUTES if file.attributes & bit)
        digest = "" if file.path.endswith("/") else digest_of_chunks(checked.contents(file, CHUNK))
        yield file.path, (file.size, letters, digest)


def _shorts(checked: ReadVolume) -> Iterator[tuple[str, str]]:
    for file in checked.files:
        above, _, name = file.path.rstrip("/").rpartition("/")
        prefix = f"{above}/" if above else ""
        if (short := fold(f"{prefix}{file.short}")) != fold(f"{prefix}{name}"):
            yield short, file.path


def differences(one: Survey, other: Survey) -> Iterator[str]:
    """Yield how ``other`` differs from ``one``, a line each."""
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


def compare_files(checked: CheckedVolume, wanted: Mapping[str, str | None]) -> None:
    """Report files of a volume that are missing, unexpected, or not what they must be.

    ``wanted`` gives the digest of each path, and None for directories, whose paths end with ``/``.
    """
    volume, found = checked.volume, checked.found
    if volume is None:
        found.add("file-differs", "there is no volume, or it can't be read", at=0)
        return
    stored = {file.path: file for file in volume.files}
    for path in sorted(wanted.keys() | stored.keys()):
        file, digest = stored.get(path), wanted.get(path)
        if file is None:
            found.add("file-differs", "it is missing", path=f"/{path}")
        elif path not in wanted:
            found.add("file-differs", "it is unexpected", path=f"/{path}")
        elif digest is not None and digest != digest_of_chunks(volume.contents(file, CHUNK)):
            at = volume.geometry.place(file.runs[0][0]) if file.runs else None
            text = f"its {file.size:,} bytes are not those of its source"
            found.add("file-differs", text, at=at, length=file.size, path=f"/{path}")
