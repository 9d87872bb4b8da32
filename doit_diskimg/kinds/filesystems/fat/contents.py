"""What goes into a volume: the tree with its marks, the reserved area, and the room that it takes.

Asks the world for names and sizes and for nothing else, so that it serves both questions: how much
room, and what bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from doit_diskimg.errors import BadPath, BadValue, DuplicatePath, Problem
from doit_diskimg.kinds.filesystems.fat import allocate, names, reserved, tree
from doit_diskimg.kinds.filesystems.fat.allocate import Need
from doit_diskimg.kinds.filesystems.fat.geometry import Geometry
from doit_diskimg.kinds.filesystems.fat.names import StoredName
from doit_diskimg.kinds.filesystems.fat.tree import Directory, File
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.plan.content import Files, Tree, each
from doit_diskimg.units import ceil_div

if TYPE_CHECKING:
    from doit_diskimg.kinds.filesystems.fat.volume import Fat

ROOT = ""
"""The path of the root directory."""

_ATTRIBUTES = {
    "r": fat_dirent.READ_ONLY,
    "h": fat_dirent.HIDDEN,
    "s": fat_dirent.SYSTEM,
    "a": fat_dirent.ARCHIVE,
}


class Needs(NamedTuple):
    """The clusters that everything takes, in the order of the clusters."""

    first: Sequence[Need]
    directories: Sequence[Need]
    files: Sequence[Need]

    def everything(self) -> Iterator[Need]:
        """Yield all needs."""
        for needs in self:
            yield from needs

    @property
    def clusters(self) -> int:
        """How many clusters everything takes, without slack."""
        return sum(need.clusters for need in self.everything())

    @property
    def slots(self) -> int:
        """How many clusters everything takes with room to grow in place."""
        return sum(allocate.slot(need.clusters) for need in self.everything())


class Contents:
    """What goes into the volume, and how much room it takes there."""

    def __init__(
        self, fat: "Fat", root: Directory, first: Sequence[File | Directory],
        parts: Sequence[reserved.Part],
    ) -> None:
        self.root = root
        self.parts = parts
        self.first = [node.path for node in first]
        nodes = list(root.everything())
        self.directories = [node for node in nodes if isinstance(node, Directory)]
        self.files = [node for node in nodes if isinstance(node, File)]
        self.stored: dict[str, Mapping[str, StoredName]] = {}
        self.entries: dict[str, int] = {}
        for directory in self.directories:
            stored = names.assign(
                (child.name for child in directory.children.values()),
                long_names=fat.long_names,
                case_bits=fat.case_bits,
            )
            # Beside the children: "." and "..", or the label.
            own = int(bool(fat.label)) if directory.path == ROOT else 2
            self.stored[directory.path] = stored
            self.entries[directory.path] = own + sum(name.entries for name in stored.values())
        self._needs: dict[tuple[int, bool], Needs] = {}

    def needs(self, geometry: Geometry) -> Needs:
        """Return the clusters of each directory and of each file."""
        key = geometry.cluster_size, geometry.fat == 32
        if key not in self._needs:
            self._needs[key] = self._find_needs(*key)
        return self._needs[key]

    def _find_needs(self, size: int, has_root: bool) -> Needs:
        directories = {
            path: Need(path, max(1, ceil_div(entries * fat_dirent.SIZE, size)))
            for path, entries in self.entries.items()
            # FAT12 and FAT16 keep the root directory outside the clusters.
            if path != ROOT or has_root
        }
        files = {file.path: Need(file.path, ceil_div(file.size, size)) for file in self.files}
        both = {**directories, **files}
        # FAT32's root stays at the first cluster, where readers may expect it (BPB_RootClus).
        leading = [ROOT, *self.first] if self.first and has_root else self.first
        first = [both[path] for path in dict.fromkeys(leading)]
        return Needs(
            first,
            [need for need in directories.values() if need not in first],
            [need for need in files.values() if need not in first],
        )

    def notes(self, where: str) -> Iterator[str]:
        """Yield what a person should know of names that are legal and trouble."""
        for node in self.root.everything():
            if names.is_device(node.name):
                yield (
                    f"note: {where}: {node.path!r} has the name of a device, "
                    "DOS and Windows can't open it"
                )


class Gathered(NamedTuple):
    """The contents, and what is wrong with them."""

    contents: Contents
    wrong: list[Problem]
    """The description's problems."""
    failed: list[Problem]
    """The world's."""


def gather(fat: "Fat", files: Files | None, where: str) -> Gathered:
    """Return what goes into the volume.

    Without ``files`` the world is not asked, which is enough to check the description alone.
    """
    found = tree.gather(fat.files, files, where, long_names=fat.long_names)
    area = reserved.gather(fat, files, where)
    wrong = [*found.wrong, *area.wrong]
    # What is in a tree is not known before the world is asked.
    known = files is not None or not any(isinstance(source, Tree) for source in _sources(fat))
    first = list[File | Directory]()
    # What is no list or no mapping is reported with the other fields.
    for index, path in enumerate(fat.first if isinstance(fat.first, (list, tuple)) else ()):
        node = _find(found.root, path, f"{where}.first[{index}]", wrong, known)
        if node is not None:
            first.append(node)
    found.root.bring_first(first)
    if isinstance(fat.attributes, Mapping):
        _set_attributes(fat.attributes, found.root, where, wrong, known)
    return Gathered(
        Contents(fat, found.root, first, area.parts), wrong, [*found.failed, *area.failed]
    )


def _set_attributes(
    attributes: Mapping[str, str], root: Directory, where: str, wrong: list[Problem], known: bool
) -> None:
    """Give what is in the volume the attributes of the description; each once, in any spelling."""
    seen: dict[int, str] = {}
    for path, letters in attributes.items():
        here = f"{where}.attributes[{path!r}]"
        node = _find(root, path, here, wrong, known)
        bits = _bits(letters, here, wrong)
        if node is None:
            continue
        if id(node) in seen:
            found = f"it is what attributes[{seen[id(node)]!r}] is about too"
            must = "FAT ignores case, and a file has its attributes once"
            wrong.append(DuplicatePath(here, found, must, "remove one of the two"))
        seen[id(node)] = path
        node.attributes = bits | (fat_dirent.DIRECTORY if isinstance(node, Directory) else 0)


def unlocatable(fat: "Fat", path: str) -> str:
    """Return what the description alone has against a file at ``path``, in words."""
    node = tree.gather(fat.files, None, "", long_names=fat.long_names).root.find(path)
    if node is None and any(isinstance(source, Tree) for source in _sources(fat)):
        return ""  # what is in a tree is not known before the world is asked
    return no_place(path, node, empty=isinstance(node, File) and node.source == b"")


def no_place(path: str, node: File | Directory | None, *, empty: bool) -> str:
    """Return why what is at ``path`` has no place of its own, in words; empty if it has one."""
    if node is None:
        return f"there is no {path!r} in the volume"
    if isinstance(node, Directory):
        return f"{path!r} is a directory"
    return f"{path!r} is empty and has no cluster" if empty else ""


def _sources(fat: "Fat") -> Sequence[object]:
    values = fat.files.values() if isinstance(fat.files, Mapping) else ()
    return [source for value in values for _, source in each(value, "")]


def _find(
    root: Directory, path: object, where: str, wrong: list[Problem], known: bool
) -> File | Directory | None:
    """Return what is at ``path``; note it in ``wrong`` if there is nothing."""
    node = root.find(path) if isinstance(path, str) else None
    if node is not None and node is not root:
        return node
    if known or not isinstance(path, str):
        must = "must be the path of something in the volume"
        wrong.append(BadPath(where, f"{path!r} is not in the volume", must, "mend or remove it"))
    return None


def _bits(letters: object, where: str, wrong: list[Problem]) -> int:
    if not isinstance(letters, str) or set(letters) - set(_ATTRIBUTES):
        wrong.append(
            BadValue(
                where, f"{letters!r} is no set of attributes",
                "must be letters: r read-only, h hidden, s system, a archive",
                'write for example "hsr"',
            )
        )
        return 0
    return sum(_ATTRIBUTES[letter] for letter in set(letters))
