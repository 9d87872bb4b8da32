"""mkfs.fat and mtools: the field's way to fill a volume without root.

mtools asks questions, takes a configuration from the user's home and patterns for names; here it
gets no input, an empty configuration, ``-D`` or ``-o`` for what it would ask, and escaped names.
One mmd makes many directories, one mcopy fills one of them: in an order of ours, since the order of
mtools' own recursion is that of the host's directories.  What it would garble is refused: it has
been seen to exit with 0 all the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from doit_diskimg.errors import EngineCannot, Problem
from doit_diskimg.kinds.filesystems.fat import names
from doit_diskimg.kinds.filesystems.fat.encode import FatLoad, PlannedFat
from doit_diskimg.kinds.filesystems.fat.engines import staged
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode, Node
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.plan.recipe import PAYLOAD, Command, Program, Recipe, Staged

MMD = Program("mmd", "mtools", ("--version",))
MCOPY = Program("mcopy", "mtools", ("--version",))
MATTRIB = Program("mattrib", "mtools", ("--version",))

REFUSES = {
    "boot_sector": "leaves the boot sector to mkfs.fat",
    "oem_name": "leaves the boot sector to mkfs.fat",
    "reserved": "leaves the reserved sectors to mkfs.fat",
    "first": "has the label's entry before all others",
    "low": "places files by itself",
}

TREE = "tree"
MOST_ALIKE = 300
"""Long names of one directory with the same six first characters: mtools tries ~1, ~2 and so on for
each, which takes 0.3 s for so many, and minutes for a thousand."""

_LONGEST_NAME = 255  # bytes of a name of the host's, under which a file is laid out
_ROOM = 60_000
"""Bytes of arguments in one call; systems take 128 KiB and more."""


def faults(volume: FatLoad, where: str) -> Iterator[Problem]:
    """Yield the names that mtools garbles, and those that would take it minutes."""
    for path, node in staged.paths(volume):
        fault = name_fault(path.rpartition("/")[2])
        if fault:
            yield _cannot(node.where, f"{path!r} {fault}", "rename it")
    for node in volume.root.everything():
        if isinstance(node, Directory):
            yield from alike(node, (name for name, n in volume.stored[node.path].items() if n.long))


def name_fault(name: str) -> str:
    """Return what mtools makes of a name, empty if that is the name."""
    if any(c > "\uffff" for c in name):
        return 'has a character outside the BMP, of which mtools makes "__"'
    if len(name.encode("utf-8")) > _LONGEST_NAME:
        return f"has a name of more than {_LONGEST_NAME} bytes, which no file for mtools can have"
    if "~" in name and not _is_short(name):
        return 'has a "~", which mtools takes for its own and makes a name of NUL bytes'
    if not name.isascii() and _fits_codepage(name):
        return "is written into the short name alone, in a code page that readers don't know"
    return ""


def _is_short(name: str) -> bool:
    """Whether mtools stores a name without a long one: 8.3, in one case, and no apostrophe."""
    is_short = names.fault(name, long_names=False) is None and "'" not in name
    return is_short and name in (name.upper(), name.lower())


def _fits_codepage(name: str) -> bool:
    """Whether mtools takes a name for an 8.3 name of code page 850, its own."""
    base, _, extension = name.partition(".")
    if len(base) > 8 or len(extension) > 3:
        return False
    try:
        name.encode("cp850")
    except UnicodeEncodeError:
        return False
    return True


def alike(directory: Directory, long_names: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem if too many long names of a directory begin alike."""
    counts = Counter(_prefix(name) for name in long_names)
    for prefix, count in counts.items():
        if count > MOST_ALIKE:
            found = f"{count:,} names in {'/' + directory.path!r} begin with {prefix!r}"
            limit = f"mtools finds short names for {MOST_ALIKE}, more take it minutes"
            yield _cannot(directory.where, f"{found}; {limit}", "spread them over directories")


def _prefix(name: str) -> str:
    base, _ = names.basis(names.fold(name))
    return base[:6]


def _cannot(where: str, found: str, change: str) -> Problem:
    must = "every engine makes the same volume, or none"
    return EngineCannot(where, found, must, f"{change}, or write engine='native'")


def recipe(volume: PlannedFat) -> Recipe:
    """Return the commands that make and fill the volume."""
    nodes = list(staged.paths(volume))
    blank = Command(staged.MKFS, (*staged.mkfs_arguments(volume), PAYLOAD))
    seconds = volume.time.epoch()
    return Recipe(
        length=volume.geometry.total_sectors * volume.geometry.sector_size,
        staged=tuple(stage(volume, nodes)),
        commands=(blank, *fill(volume, nodes)),
        environment=environment(seconds),
        seconds=seconds,
        musts=tuple(staged.musts(volume)),
        contents=staged.contents(volume),
    )


def environment(seconds: int) -> tuple[tuple[str, str], ...]:
    """Return what mtools sees: names are UTF-8, the clock stands, no configuration is read."""
    return (
        ("LC_ALL", "C.UTF-8"), ("MTOOLSRC", "/dev/null"), ("SOURCE_DATE_EPOCH", str(seconds)),
    )


def stage(volume: FatLoad, nodes: Iterable[tuple[str, Node]]) -> Iterator[Staged]:
    """Yield the tree as it is laid out for mcopy."""
    yield Staged(TREE, None, "", 0o755)
    for path, node in nodes:
        here = f"{TREE}/{path}"
        if isinstance(node, Directory):
            yield Staged(here, None, "", 0o755)
        else:
            yield staged.file(volume, node, here)


def fill(volume: FatLoad, nodes: list[tuple[str, Node]]) -> Iterator[Command]:
    """Yield the commands that put everything into a volume, whatever is in it already."""
    if staged.early(volume):  # the order matters: directories and files take turns
        for _, some in groupby(nodes, key=lambda item: isinstance(item[1], Directory)):
            yield from _put(list(some))
    else:
        yield from _put(nodes)
    for flags, paths in _attributes(nodes):
        for some_paths in _calls(map(_pattern, paths)):
            yield Command(MATTRIB, (*flags, "-i", PAYLOAD, *some_paths), silent=True)


def _put(nodes: list[tuple[str, Node]]) -> Iterator[Command]:
    """Yield the commands that make directories, then those that fill them with files."""
    directories = [path for path, node in nodes if isinstance(node, Directory)]
    # It says 1 for a directory that is there, and goes on; mcopy complains of one that is missing.
    for some in _calls(_new(path) for path in directories):
        yield Command(MMD, ("-D", "s", "-i", PAYLOAD, *some), codes=(0, 1))
    inside: dict[str, list[str]] = {}
    for path, node in nodes:
        if isinstance(node, FileNode):
            inside.setdefault(path.rpartition("/")[0], []).append(f"{TREE}/{path}")
    for directory, files in inside.items():
        target = f"{_pattern(directory)}/" if directory else "::"
        for some in _calls(files):
            # -o: overwrite without a question; -m: the files' own times; -Q: stop at an error.
            yield Command(MCOPY, ("-o", "-m", "-Q", "-i", PAYLOAD, *some, target), silent=True)


def _new(path: str) -> str:
    """Return a directory that does not exist yet, as mmd takes it: the last name as it is."""
    above, _, name = path.rpartition("/")
    return f"{_pattern(above)}/{name}" if above else f"::{name}"


def _pattern(path: str) -> str:
    """Return a path as a pattern of mtools: of its special characters, FAT allows one."""
    return "::" + path.replace("[", "[[]")


def _attributes(
    nodes: list[tuple[str, Node]],
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield flags of mattrib with the paths that need them: what mcopy and mmd do not do."""
    wanted: dict[tuple[str, ...], list[str]] = {}
    for path, node in nodes:
        usual = 0 if isinstance(node, Directory) else fat_dirent.ARCHIVE
        flags = tuple(
            f"{'+' if node.attributes & bit else '-'}{letter}"
            for letter, bit in fat_dirent.LETTERS.items() if (node.attributes ^ usual) & bit
        )
        if flags:
            wanted.setdefault(flags, []).append(path)
    yield from sorted(wanted.items())


def _calls(arguments: Iterable[str]) -> Iterator[list[str]]:
    """Yield the arguments in portions that fit one call each."""
    portion, room = list[str](), _ROOM
    for argument in arguments:
        length = len(argument.encode("utf-8")) + 1
        if portion and length > room:
            yield portion
            portion, room = [], _ROOM
        portion.append(argument)
        room -= length
    if portion:
        yield portion
