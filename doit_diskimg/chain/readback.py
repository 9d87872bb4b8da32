"""A FAT volume that programs made or filled, read back by other code than wrote it.

mtools ends with 0 when it has replaced the wrong file: it looks names up among short names too.  So
whatever a program says, the volume is done when every file that it should have got is there, every
file that it had is as it was, and there is nothing else.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from doit_diskimg.errors import BadImage, EngineCannot, Problem, ProgramFailed, WorldError, refuse
from doit_diskimg.plan.recipe import Contents, Stored
from doit_diskimg.verify.catalogue import RULES
from doit_diskimg.verify.finding import Finding
from doit_diskimg.verify.name_reader import fold
from doit_diskimg.verify.survey import Survey, survey

_SHOWN = 20
"""Differences that are told; the rest is counted."""

_KEPT = frozenset({
    "fat-signature", "fat-type-text", "fat-fsinfo", "fat-fsinfo-free", "fat-fsinfo-next",
    "fat-backup-boot", "fat-backup-place", "fat-lost", "fat-dir-size", "fat-dir-tail",
    "fat-short-char", "fat-short-lower", "fat-long-char", "fat-long-order", "fat-long-checksum",
    "fat-long-orphan", "fat-long-fill", "fat-label-twice", "fat-label-place",
})  # fmt: skip
"""Errors of a base with which files can be put into it: they are about single entries, about hints,
or about the code that boots.  They stay as they are."""


def watch(payload: str, contents: Contents, where: str) -> Callable[[], Iterable[Problem]]:
    """Look at a volume before programs fill it; return what compares it afterwards.

    ``payload`` is its file; see `recipe.Judge`.  Raises WorldError if files can't be put into it,
    and DescriptionError for a name that would replace a file of another name.
    """
    before = Survey({}, {}, (), {})
    if contents.base:
        before = survey(payload)
        wrong = [one for one in before.errors if one.code not in _KEPT]
        if wrong:
            raise WorldError(*[_unusable(contents.base, one, where) for one in wrong])
        refuse(_clashes(contents, before, where))
    return lambda: _told([*_differences(contents, before, survey(payload))], contents, where)


def _unusable(base: str, fault: Finding, where: str) -> Problem:
    must = "files can be put into a volume only if its FAT, its chains and its numbers are right"
    return BadImage(f"{where}.path", f"{base!r}: {fault}", must, RULES[fault.code].remedy)


def _clashes(contents: Contents, before: Survey, where: str) -> Iterator[Problem]:
    """Yield what the volume has already under a name that is to be new, and of another kind."""
    told, had = set[str](), {fold(path): path for path in before.files}
    for stored in contents.stored:
        for path, is_directory in _ways(stored.path):
            key = fold(path)
            other = before.shorts.get(key)
            taken = had.get(key) or had.get(f"{key}/")
            if key in told:
                break
            if other is not None:
                told.add(key)
                yield EngineCannot(
                    where, f"{path!r} is the short name of {other.rstrip('/')!r} in "
                    f"{contents.base!r}", "a name must not be the short name of another file",
                    f"rename it, or write {other.rstrip('/')!r} if you mean that",
                )
            elif taken is not None and taken.endswith("/") != is_directory:
                told.add(key)
                kinds = ("a file", "a directory")
                yield EngineCannot(
                    where, f"{path!r} is {kinds[not is_directory]} in {contents.base!r}",
                    f"{kinds[is_directory]} can't replace it", "rename it, or use another image",
                )


def _ways(path: str) -> Iterator[tuple[str, bool]]:
    """Yield each directory on the way to a path, then itself, and whether it is a directory."""
    is_directory, parts = path.endswith("/"), path.rstrip("/").split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count]), True
    yield path.rstrip("/"), is_directory


def _differences(contents: Contents, before: Survey, after: Survey) -> Iterator[str]:
    """Yield what came out otherwise than it should, a line each."""
    wanted = {fold(one.path): one for one in contents.stored}
    had = {fold(path): (path, about) for path, about in before.files.items()}
    has = {fold(path): (path, about) for path, about in after.files.items()}
    for key, one in wanted.items():
        if key not in has:
            yield f"{one.path!r} is missing"
        elif fault := _fault(one, *has[key], is_new=key not in had):
            yield f"{one.path!r} {fault}"
    for key, old in had.items():
        if key not in wanted and has.get(key) != old:
            what = "is changed" if key in has else "is lost"
            yield f"{old[0]!r} of {contents.base!r} {what}"
    for key, (path, _) in has.items():
        if key not in wanted and key not in had:
            yield f"{path!r} is there and was never asked for"
    known = Counter(one.code for one in before.errors)
    for code, count in Counter(one.code for one in after.errors).items():
        if count > known[code]:
            yield next(str(one) for one in after.errors if one.code == code)


def _fault(wanted: Stored, path: str, found: tuple[int, str, str], *, is_new: bool) -> str:
    """Return what is wrong with a file that was asked for, empty if nothing is."""
    size, attributes, digest = found
    is_directory = wanted.path.endswith("/")
    if (size, digest) != (wanted.size, wanted.digest):
        return f"has other contents, of {size:,} bytes; {wanted.size:,} were put there"
    if is_directory and not is_new:
        return ""  # it keeps the name and the attributes that it had
    if _last(path) != _last(wanted.path):
        return f"has the name {_last(path)!r}"
    if attributes != wanted.attributes:
        return f"has the attributes {attributes!r}, {wanted.attributes!r} were asked for"
    return ""


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _told(differences: Sequence[str], contents: Contents, where: str) -> Iterator[Problem]:
    must = "a volume must hold what is described and nothing else"
    if contents.base:
        must = "a volume must hold what is described, and what it had before"
    change = "use another version of the program, or tell us"
    for text in differences[:_SHOWN]:
        yield ProgramFailed(where, f"read back, {text}", must, change)
    if len(differences) > _SHOWN:
        more = f"read back, {len(differences) - _SHOWN:,} more differences"
        yield ProgramFailed(where, more, must, change)
