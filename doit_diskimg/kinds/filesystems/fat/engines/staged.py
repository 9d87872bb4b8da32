"""What several programs begin with: a volume's tree as files, and mkfs.fat with all its numbers."""

from collections.abc import Iterator

from doit_diskimg.kinds.filesystems.fat import encode, names
from doit_diskimg.kinds.filesystems.fat.contents import ROOT
from doit_diskimg.kinds.filesystems.fat.encode import FatLoad, PlannedFat
from doit_diskimg.kinds.filesystems.fat.names import StoredName
from doit_diskimg.kinds.filesystems.fat.reserved import BACKUP_BOOT_SECTOR
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode, Node
from doit_diskimg.ondisk import fat_boot, fat_dirent
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.recipe import Contents, Must, Program, Staged, Stored


def name(volume: FatLoad, node: Node) -> str:
    """Return the name that readers will see: on a volume without long names, the short one."""
    stored = volume.stored[above(node.path)][node.name]
    if stored.long or stored.case:
        return node.name
    return _short_text(stored)


def paths(volume: FatLoad) -> Iterator[tuple[str, Node]]:
    """Yield everything but the root, with the path that readers will see.

    That is in path order, but for what must be made before its neighbours (`early`).
    """
    seen, first = {ROOT: ""}, early(volume)
    nodes = volume.root.everything()
    for node in sorted(nodes, key=lambda node: _order(node.path, first)) if first else nodes:
        if node.path == ROOT:
            continue
        seen[node.path] = f"{seen[above(node.path)]}{name(volume, node)}"
        yield seen[node.path], node
        seen[node.path] += "/"


def early(volume: FatLoad) -> frozenset[str]:
    """Return the paths of what programs must make before anything else in the same directory.

    A program chooses the short names of long names by itself, among those that are free at that
    moment; and it looks names up among the short ones too.  So a file whose own name is such a
    short name would be written over the file that got it first.
    """
    found = set[str]()
    for directory, stored in volume.stored.items():
        others = [name for name, it in stored.items() if it.long and not _is_short(name, it)]
        wide = any(not name.isascii() for name in others)
        found.update(
            f"{directory}/{name}" if directory else name
            for name, it in stored.items()
            if others and _is_short(name, it) and ("~" in name or (wide and "_" in name))
        )
    return frozenset(found)


def _is_short(name: str, stored: StoredName) -> bool:
    """Whether a name is 8.3, in whatever case: it is its own short name."""
    return names.fold(name) == _short_text(stored)


def _short_text(stored: StoredName) -> str:
    base, extension = stored.short[:8].decode("ascii"), stored.short[8:].decode("ascii")
    return f"{base.rstrip()}.{extension.rstrip()}".rstrip(".")


def _order(path: str, first: frozenset[str]) -> list[tuple[bool, str]]:
    """Return the key that sorts a path behind its directory, and early ones before others."""
    parts = path.split("/")
    above = ("/".join(parts[: count + 1]) for count in range(len(parts)))
    return [(one not in first, part) for one, part in zip(above, parts, strict=True)]


def contents(volume: FatLoad, base: str = "") -> Contents:
    """Return what must be in the volume when it is made; ``base`` is the image below it."""
    return Contents(tuple(_stored(volume, path, node) for path, node in paths(volume)), base)


def _stored(volume: FatLoad, path: str, node: Node) -> Stored:
    letters = "".join(letter for letter, bit in fat_dirent.LETTERS.items() if node.attributes & bit)
    if isinstance(node, Directory):
        return Stored(f"{path}/", 0, letters, "")
    if isinstance(node.source, str) and node.size:
        return Stored(path, node.size, letters, volume.digests[node.source][0].digest)
    data = node.source if isinstance(node.source, bytes) else b""
    return Stored(path, len(data), letters, digest_of(data))


def file(volume: FatLoad, node: FileNode, path: str) -> Staged:
    """Return a file as it is laid out at ``path``."""
    digest = ""
    source = node.source
    if isinstance(source, str):
        # An empty file was never digested; any digest of nothing is that of empty bytes.
        source, digest = (source, volume.digests[source][0].digest) if node.size else (b"", "")
    time = volume.times.get(node.path, volume.time)
    return Staged(path, source, digest, seconds=time.epoch())


def above(path: str) -> str:
    """Return the path of the directory that something is in."""
    return path.rpartition("/")[0]


# mkfs.fat ----------------------------------------------------------------------------------------


MKFS = Program("mkfs.fat", "dosfstools", ("--help",))


def mkfs_arguments(volume: PlannedFat) -> Iterator[str]:
    """Yield mkfs.fat's arguments but for the name of the file.

    Nothing is left to it: not the numbers that it would choose by size, nor what it would take from
    the clock (it knows no SOURCE_DATE_EPOCH; with ``--invariant`` its label is of 2015).
    """
    geometry = volume.geometry
    yield from ("--invariant", "-a")  # -a: no alignment beyond ours
    yield from ("-F", str(geometry.fat))
    yield from ("-S", str(geometry.sector_size))
    yield from ("-s", str(geometry.sectors_per_cluster))
    yield from ("-R", str(geometry.reserved_sectors))
    yield from ("-f", str(geometry.number_of_fats))
    yield from ("-M", f"{geometry.media:#04x}")
    yield from ("-g", f"{geometry.heads}/{geometry.sectors_per_track}")
    yield from ("-h", str(volume.hidden_sectors))
    yield from ("-D", f"{volume.drive_number:#04x}")
    yield from ("-i", f"{volume.volume_id:08x}")
    if geometry.fat == 32:
        yield from ("-b", str(BACKUP_BOOT_SECTOR))
    else:
        yield from ("-r", str(geometry.root_entries))
    if volume.label:
        yield from ("-n", volume.label)


def musts(volume: PlannedFat) -> Iterator[Must]:
    """Yield the fields of the boot sector: geometry, type, label, volume id."""
    sector = encode.boot_sector(volume).pack()
    for field in fat_boot.fields(volume.geometry.fat):
        yield Must(field.start, sector[field.start : field.end], field.name)
