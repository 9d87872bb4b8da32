"""What goes into a volume: the tree with its marks, the reserved area, and the room that it takes.

Asks the world for names and sizes and for nothing else, so that it serves both questions: how much
room, and what bytes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from doit_diskimg.errors import BadPath, BadValue, DuplicatePath, Problem, WorldError
from doit_diskimg.kinds.filesystems.fat import entry_gaps, names, reserved
from doit_diskimg.kinds.filesystems.fat.allocate import ClusterNeeds
from doit_diskimg.kinds.filesystems.fat.entry_gaps import Gaps
from doit_diskimg.kinds.filesystems.fat.geometry import FatGeometry
from doit_diskimg.kinds.filesystems.fat.names import StoredName
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.filesystems.tree import (
    Directory,
    FileNode,
    Gathered,
    Node,
    Rules,
    gather,
)
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.plan.content import FilePart, Files, Tree, each, keyed, parts
from doit_diskimg.units import ceil_div

ROOT = ""
"""The path of the root directory."""

LARGEST_FILE = 0xFFFFFFFF  # DIR_FileSize

MOST_ENTRIES = 65536
"""Entries in the longest directory: the standard's limit of 2 MiB."""


class FatContents:
    """What goes into a volume, and how much room it takes there.

    Without ``files`` the world is not asked: trees are empty and files have no size, which is
    enough to check the description alone.
    """

    def __init__(self, fat: Fat, files: Files | None, where: str) -> None:
        found = _tree(fat, files, where)
        area = reserved.gather(fat, files, where)
        self.root, self.parts = found.root, area.parts
        self.wrong = [*found.wrong, *area.wrong]
        """The description's problems."""
        self.failed = [*found.failed, *area.failed]
        """The world's."""
        # What is in a tree is not known before the world is asked.
        self._is_known = files is not None or not _has_trees(fat)
        for node in self.root.everything():
            node.attributes = _kind(node)
        self._leading = Counter[str]()
        """How many entries of each directory, by path, come before those in the order of names."""
        self.first = self._bring_first(fat.first, where)
        self._low = [node.path for node in self._all_marked(fat.low, f"{where}.low")]
        self._set_attributes(fat.attributes, where)
        nodes = list(self.root.everything())
        self.directories = [node for node in nodes if isinstance(node, Directory)]
        self.files = [node for node in nodes if isinstance(node, FileNode)]
        self.stored: dict[str, Mapping[str, StoredName]] = {}
        """How each directory, by path, stores each name in it."""
        self.entries: dict[str, int] = {}
        """How many entries each directory has, by path."""
        self.gaps: dict[str, Gaps] = {}
        """Where the names of directories lie that are better off with gaps, by path."""
        for directory in self.directories:
            self._store(directory, fat)
        self._needs: dict[tuple[int, bool], ClusterNeeds] = {}

    def find(self, path: str) -> Node | None:
        """Return what is at ``path``, whatever its case."""
        return self.root.find(path, names.fold)

    def needs(self, geometry: FatGeometry) -> ClusterNeeds:
        """Return the clusters of each directory and of each file."""
        key = geometry.cluster_size, geometry.fat == 32
        if key not in self._needs:
            self._needs[key] = self._find_needs(*key)
        return self._needs[key]

    def _find_needs(self, size: int, has_root: bool) -> ClusterNeeds:
        # FAT12 and FAT16 keep the root directory outside the clusters.
        paths = [path for path in self.entries if path != ROOT or has_root]
        # FAT32's stays at the first cluster, where readers may expect it (BPB_RootClus).
        low = dict.fromkeys([*([ROOT] if has_root else []), *self.first, *self._low])
        return ClusterNeeds(
            list(low),
            {path: _clusters(self.entries[path], size) for path in paths},
            {path: _clusters(self._roomy(path), size) for path in paths},
            {file.path: ceil_div(file.size, size) for file in self.files},
        )

    def _roomy(self, path: str) -> int:
        """Return the entries of a directory with gaps between them, if it may have any."""
        return self.gaps[path].length if path in self.gaps else self.entries[path]

    def _store(self, directory: Directory, fat: Fat) -> None:
        """Decide how a directory stores its names, and where, if it is a long one."""
        path = directory.path
        in_order = [child.name for child in directory.children.values()]
        stored = self.stored[path] = names.assign(
            in_order, long_names=fat.long_names, case_bits=fat.case_bits
        )
        lengths = {name: stored[name].entries for name in in_order}
        # Beside the children: "." and "..", or the label.
        own = int(bool(fat.label)) if path == ROOT else 2
        self.entries[path] = own + sum(lengths.values())
        if self.entries[path] > entry_gaps.LEAST:
            for name in list(lengths)[: self._leading[path]]:
                own += lengths.pop(name)
            gaps = entry_gaps.with_gaps(own, lengths)
            if gaps.length <= MOST_ENTRIES:
                self.gaps[path] = gaps

    def starts(self, geometry: FatGeometry, *, roomy: bool) -> dict[str, int]:
        """Return which entry is the first of each path, in the directories that have gaps."""
        found = dict[str, int]()
        for path, gaps in self.gaps.items():
            # The room of a root outside the clusters is given.
            outside = path == ROOT and geometry.fat != 32
            if gaps.length <= geometry.root_entries if outside else roomy:
                above = f"{path}/" if path else ""
                found |= {above + name: start for name, start in gaps.starts.items()}
        return found

    def digests(
        self, files: Files, *, whole: bool
    ) -> tuple[dict[str, Sequence[FilePart]], list[Problem]]:
        """Return the digests of the host's files by their paths, and what failed.

        A ``whole`` file is one part: programs get copies, which are compared as wholes.
        """
        sources: list[tuple[object, int, str]] = []
        sources += [(file.source, file.size, file.where) for file in self.files]
        sources += [(part.source, part.length, part.where) for part in self.parts]
        found: dict[str, Sequence[FilePart]] = {}
        failed: list[Problem] = []
        for source, size, where in sources:
            if not isinstance(source, str) or not size or source in found:
                continue
            try:
                if whole:
                    found[source] = [FilePart(0, size, files.digest(source, where))]
                else:
                    found[source] = parts(files, source, size, where)
            except WorldError as error:
                failed += error.problems
        return found, failed

    def times(self, wish: str, files: Files, epoch: int) -> dict[str, Timestamp]:
        """Return the time stamps of the host's files, if they are wanted; bytes have none.

        ``"clamped"`` ones are ``epoch`` at the latest.
        """
        if wish == "epoch":
            return {}
        latest = epoch if wish == "clamped" else float("inf")
        return {
            file.path: Timestamp.of(int(min(files.mtime(file.source, file.where), latest)))
            for file in self.files
            if isinstance(file.source, str)
        }

    def notes(self, where: str) -> Iterator[str]:
        """Yield what a person should know of names that are legal and trouble."""
        for node in self.root.everything():
            if names.is_device(node.name):
                yield (
                    f"note: {where}: {node.path!r} has the name of a device, "
                    "DOS and Windows can't open it"
                )

    def _bring_first(self, paths: object, where: str) -> list[str]:
        """Move what is at ``paths`` before the other entries; return the paths as stored."""
        nodes = self._all_marked(paths, f"{where}.first")
        for node in reversed(nodes):
            parent = self.find(node.path.rpartition("/")[0])
            if isinstance(parent, Directory):
                parent.children = {names.fold(node.name): node, **parent.children}
        found = list(dict.fromkeys(node.path for node in nodes))
        self._leading.update(path.rpartition("/")[0] for path in found)
        return found

    def _all_marked(self, paths: object, where: str) -> list[Node]:
        """Return what is at ``paths``; note in `wrong` where there is nothing."""
        # What is no list is reported with the other fields.
        listed = paths if isinstance(paths, (list, tuple)) else ()
        found = (self._marked(path, f"{where}[{index}]") for index, path in enumerate(listed))
        return [node for node in found if node is not None]

    def _set_attributes(self, attributes: object, where: str) -> None:
        """Give what is in the volume the attributes of the description; each once."""
        seen: dict[int, str] = {}
        for path, letters in (attributes.items() if isinstance(attributes, Mapping) else ()):
            here = f"{where}.attributes[{path!r}]"
            node = self._marked(path, here)
            bits = self._bits(letters, here)
            if node is None:
                continue
            if id(node) in seen:
                found = f"it is what attributes[{seen[id(node)]!r}] is about too"
                must = "FAT ignores case, and a file has its attributes once"
                self.wrong.append(DuplicatePath(here, found, must, "remove one of the two"))
            seen[id(node)] = path
            node.attributes = bits | (_kind(node) & fat_dirent.DIRECTORY)

    def _marked(self, path: object, where: str) -> Node | None:
        """Return what is at ``path``; note it in `wrong` if there is nothing."""
        node = self.find(path) if isinstance(path, str) else None
        if node is not None and node is not self.root:
            return node
        if self._is_known or not isinstance(path, str):
            found = f"{path!r} is not in the volume"
            must = "must be the path of something in the volume"
            self.wrong.append(BadPath(where, found, must, "correct or remove it"))
        return None

    def _bits(self, letters: object, where: str) -> int:
        if isinstance(letters, str) and not set(letters) - set(fat_dirent.LETTERS):
            return sum(fat_dirent.LETTERS[letter] for letter in set(letters))
        self.wrong.append(BadValue(
            where, f"{letters!r} is not a set of attributes",
            "must be letters: r read-only, h hidden, s system, a archive",
            'write for example "hsr"',
        ))
        return 0


def unlocatable(fat: Fat, path: str) -> str:
    """Return what the description alone has against a file at ``path``, in words."""
    node = _tree(fat, None, "").root.find(path, names.fold)
    if node is None and _has_trees(fat):
        return ""  # what is in a tree is not known before the world is asked
    return no_place(path, node, empty=isinstance(node, FileNode) and node.source == b"")


def no_place(path: str, node: Node | None, *, empty: bool) -> str:
    """Return why what is at ``path`` has no place of its own, in words; empty if it has one."""
    if node is None:
        return f"there is no {path!r} in the volume"
    if isinstance(node, Directory):
        return f"{path!r} is a directory"
    return f"{path!r} is empty and has no cluster" if empty else ""


def _clusters(entries: int, size: int) -> int:
    """Return the clusters of a directory; one without entries has one too."""
    return max(1, ceil_div(entries * fat_dirent.SIZE, size))


def _tree(fat: Fat, files: Files | None, where: str) -> Gathered:
    """Return the tree alone, in the order of names."""
    described = fat.files if isinstance(fat.files, Mapping) else {}  # else reported by `fat_check`
    world = (files.walk, files.size) if files is not None else (None, None)
    return gather(described, where, _rules(long_names=fat.long_names), *world)


def _rules(*, long_names: bool) -> Rules:
    def fault(path: str, name: str) -> tuple[str, str, str] | None:
        found = names.fault(name, long_names=long_names)
        return found and (*found, "rename it or leave it out")

    return Rules("FAT", fault, names.fold, LARGEST_FILE)


def _has_trees(fat: Fat) -> bool:
    return any(
        isinstance(source, Tree)
        for _, sources, _ in keyed(fat.files, "")
        for _, source in each(sources, "")
    )


def _kind(node: Node) -> int:
    """Return the attributes that something has unless told otherwise."""
    return fat_dirent.DIRECTORY if isinstance(node, Directory) else fat_dirent.ARCHIVE
