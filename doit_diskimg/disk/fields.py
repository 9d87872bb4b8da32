"""What a single field of a description may hold: names, sizes, ranges.

Every check yields problems and raises nothing, whatever a user may have written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from os import PathLike, fspath

from doit_diskimg.errors import BadName, BadSize, BadValue, Problem, Unaligned
from doit_diskimg.frozen import MISUSE, dataclass
from doit_diskimg.units import SizeLike, parse_size

AUTO = "auto"
"""A size: as much as it takes."""

_SHOWN = 60
"""Characters of a value that a message shows at the most."""

REST = "rest"
"""A size: as much as everything else leaves."""


@dataclass(frozen=True)
class Kind:
    """What a field may hold."""

    holds: Callable[[object], bool]
    must: str
    change: str


def is_bool(value: object) -> bool:
    """Return whether a value is True or False, and no number that Python takes for one."""
    return isinstance(value, bool)


YES_OR_NO = Kind(is_bool, "must be True or False", "leave it out if in doubt")
"""Of a field that is on or off."""


def shown(value: object) -> str:
    """Return a value of the user's as text for a message, a long one shortened."""
    text = repr(value)
    if len(text) <= _SHOWN:
        return text
    described = is_dataclass(value) and not isinstance(value, type)
    return f"{type(value).__name__}(...)" if described else f"{text[: _SHOWN - 3]}..."


def name_problems(name: object, where: str) -> Iterator[Problem]:
    """A name is part of a task's name: doit splits at ``=``, expands ``*`` and reads ``-x``."""
    if not isinstance(name, str) or not name:
        yield BadName(where, f"{name!r} is not a name", "must be text", 'write for example "esp"')
        return
    bad = sorted({c for c in name if c in "=*?[]:" or not c.isprintable()})
    if bad or name[0] in "-_" or name != name.strip():
        yield BadName(
            where,
            f"{name!r} has {' '.join(map(repr, bad))}" if bad else f"{name!r} begins or ends badly",
            "doit can't select a task of that name",
            "use letters, digits, spaces inside, '-', '_' and '.'",
        )


def size_problems(
    size: object,
    where: str,
    sector_size: int,
    *,
    needed: bool = False,
    positive: bool = False,
    words: tuple[str, ...] = (),
) -> Iterator[Problem]:
    """Yield what is wrong with a size or a place.

    None is fine unless ``needed``, 0 unless ``positive``, and so are the ``words``.
    """
    if (size is None and not needed) or (isinstance(size, str) and size in words):
        return
    try:
        length = parse_size(size)  # type: ignore[arg-type]  # a user may give anything
    except ValueError as error:
        yield BadSize(
            where, str(error), "must be bytes or a number with KiB, MiB, GiB or TiB",
            'write for example "33MiB"',
        )
        return
    if positive and length == 0:
        yield BadSize(where, "0 bytes", "must be a sector or more", 'write for example "1MiB"')
    if length % sector_size:
        yield Unaligned(
            where, f"{length} bytes are not whole sectors",
            f"must be a multiple of {sector_size}",
            _nearest(length, sector_size, positive=positive),
        )


def _nearest(length: int, step: int, *, positive: bool) -> str:
    low, high = length // step * step, (length // step + 1) * step
    return f"the nearest is {high}" if positive and not low else f"the nearest are {low} and {high}"


def keep_problems(keep: object, where: str) -> Iterator[Problem]:
    """Yield what is wrong with the byte ranges that a segment leaves alone."""
    must = "must be (first byte, first byte behind) of the source, the second one larger"
    change = "write for example keep=[(440, 512)]"
    if isinstance(keep, (str, bytes)) or not isinstance(keep, (list, tuple)):
        found = f"{keep!r} is not a list"
        yield BadSize(where, found, "must be a list of ranges, each a pair of bytes", change)
        return
    for index, pair in enumerate(keep):
        bounds = [as_size(bound) for bound in pair] if isinstance(pair, (list, tuple)) else []
        match bounds:
            case [int(start), int(end)] if start < end:
                pass
            case _:
                yield BadSize(f"{where}[{index}]", f"{pair!r} is not a range", must, change)


def range_problems(
    offset: SizeLike, length: SizeLike | None, where: str, *, is_file: bool
) -> Iterator[Problem]:
    """Yield what is wrong with a range; only of a file is there one."""
    yield from size_problems(offset, f"{where}.offset", 1, needed=True)
    yield from size_problems(length, f"{where}.length", 1)
    if length is not None and as_size(length) == 0:
        yield BadSize(
            f"{where}.length", "0 bytes", "must be 1 byte or more",
            "leave it out for all that follows",
        )
    for field, value in (("offset", offset), ("length", length)):
        if not is_file and as_size(value):
            yield BadValue(
                f"{where}.{field}", f"{value!r} is given", "only a range of a file has one",
                "leave it out: bytes can be sliced, and boot code is whole",
            )


def kind_problems(described: object, prefix: str, kinds: Mapping[str, Kind]) -> Iterator[Problem]:
    """Yield the fields of ``described`` that hold something of another kind."""
    for field, kind in kinds.items():
        value = getattr(described, field)
        if not kind.holds(value):
            yield BadValue(f"{prefix}{field}", f"{shown(value)} is given", kind.must, kind.change)


def fits(value: object, port: type) -> bool:
    """Return whether ``value`` fits a port.

    A class has the methods too, so that forgotten parentheses look as if it did.
    """
    return not isinstance(value, type) and isinstance(value, port)


def misuse_problems(value: object, where: str) -> Iterator[Problem]:
    """Yield the fields that a description has not, or has to have, wherever in ``value`` they are.
    """
    for wrong in getattr(value, "__dict__", {}).get(MISUSE, ()):
        here = f"{where}.{wrong.field}".strip(".") or type(value).__name__
        yield BadValue(here, wrong.found, wrong.must, wrong.change)
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from misuse_problems(item, f"{where}[{index}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from misuse_problems(item, f"{where}[{key!r}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for it in fields(value):
            inside = where if it.name == "payload" else f"{where}.{it.name}".strip(".")
            yield from misuse_problems(getattr(value, it.name, None), inside)


def list_problems(values: object, kind: type, where: str) -> Iterator[Problem]:
    """Yield what is wrong with a list of partitions or segments, made a tuple if it was one."""
    if not isinstance(values, tuple):
        yield BadValue(
            where, f"{shown(values)} is not a list", f"must be a list of {kind.__name__}s",
            "put it in brackets",
        )
        return
    for index, value in enumerate(values):
        if not isinstance(value, kind):
            yield BadValue(
                f"{where}[{index}]", f"{shown(value)} is no {kind.__name__}",
                f"must be {kind.__name__}(...)", f"write {kind.__name__}(name, ...)",
            )


def is_number(value: object) -> bool:
    """Return whether ``value`` is a whole number; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_path(value: object) -> bool:
    """Return whether ``value`` can be a path of the host, as text.

    Not without a character, and not with a NUL byte or half of a character: no system has such.
    """
    if not isinstance(value, (str, PathLike)):
        return False
    text = fspath(value)
    if not isinstance(text, str) or not text or "\0" in text:
        return False
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def path_problems(value: object, where: str, must: str, change: str) -> Iterator[Problem]:
    """Yield what is wrong with a path of the host: ``must`` and ``change`` are of this field.

    A home directory is the shell's to find: a folder that is called ``~`` is never meant.
    """
    if not is_path(value):
        yield BadValue(where, f"{shown(value)} is not a path", must, change)
        return
    text = fspath(value)  # type: ignore[call-overload]  # it is one
    first, slash, _ = text.partition("/")
    if first == "~" or (first.startswith("~") and slash):
        yield BadValue(
            where, f"{shown(text)} begins with a home directory", "a path is taken as it is",
            f"write os.path.expanduser({shown(text)}), or {shown('./' + text)} for such a folder",
        )


def path_text_problems(source: object, where: str) -> Iterator[Problem]:
    """Yield the problem of a source that reads like what a file should hold, and names none.

    A file may have such a name: then it is a `Path`.
    """
    if isinstance(source, str) and ("\n" in source or "\r" in source):
        text = shown(source)
        change = f"write b{text}" if source.isascii() else f"write {text}.encode()"
        yield BadValue(
            where, f"{text} has a line break", "text is the path of a file",
            f"{change} for these bytes, or Path(...) for a file of such a name",
        )


def as_size(size: object) -> int | None:
    """Return ``size`` in bytes, None if it is invalid."""
    try:
        return parse_size(size)  # type: ignore[arg-type]  # a user may give anything
    except ValueError:
        return None


def persist_problems(endless: bool, where: str) -> Iterator[Problem]:
    """Yield the problem of a guest's partition without a size of its own, if it is one."""
    if endless:
        yield BadSize(
            where, "there is none, and persist=True", "must be a size, since what a guest wrote "
            "can't grow or shrink with the payload", 'write for example size="64MiB"',
        )


def rest_problems(sizes: Sequence[object]) -> Iterator[Problem]:
    """Yield a problem for each partition but the first whose size is the rest of the disk."""
    rest = [index for index, size in enumerate(sizes) if size == REST]
    for index in rest[1:]:
        yield BadValue(
            f"partitions[{index}].size", f'partitions[{rest[0]}] has "{REST}" too',
            "must be one partition at most, since there is one rest",
            f'give all but one a size, or "{AUTO}"',
        )
