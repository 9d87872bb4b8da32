"""An ext volume as a recipe: mke2fs makes it from a staged tree, debugfs sets owners and times.

This is the one door to the work: `ext_volume.Ext` comes in here and nowhere else.

What mke2fs would take from its surroundings is given instead: features, inodes, UUID and hash seed
by argument; its configuration as a file of ours; the clock by ``E2FSPROGS_FAKE_TIME``, which
libext2fs reads.  Three things remain, which it copies from the staged files: their owner, i.e. the
user who builds, and access and change time, which can't be set.  debugfs writes these, by inode
number, so that no name of the user's is ever part of a command.
"""

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID, uuid5

from doit_diskimg.disk.sockets import Place, Room
from doit_diskimg.errors import (
    BadPath,
    ContentTooLarge,
    DescriptionError,
    Problem,
    ProgramFailed,
    VolumeFull,
    WorldError,
    refuse,
)
from doit_diskimg.kinds.filesystems.ext import ext_check
from doit_diskimg.kinds.filesystems.ext.ext_check import ExtGeometry
from doit_diskimg.kinds.filesystems.ext.ext_volume import Ext
from doit_diskimg.kinds.filesystems.tree import FileNode, Node, Rules, gather
from doit_diskimg.plan.content import Files
from doit_diskimg.plan.picture import Canvas, Picture
from doit_diskimg.plan.recipe import PAYLOAD, Command, Program, Recipe, Staged
from doit_diskimg.units import format_size

MKE2FS = Program("mke2fs", "e2fsprogs", ("-V",))
DEBUGFS = Program("debugfs", "e2fsprogs", ("-V",))

_TREE = "tree"
_CONFIGURATION = "mke2fs.conf"
_CORRECTIONS = "corrections"
_ROOT_INODE = 2  # EXT2_ROOT_INO
LONGEST_NAME = 255  # EXT2_NAME_LEN, in bytes
LOST_AND_FOUND = "lost+found"

_EXT2 = "sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr"
_EXT4 = "extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize"
FEATURES = {
    2: f"none,{_EXT2}", 3: f"none,{_EXT2},has_journal", 4: f"none,{_EXT2},has_journal,{_EXT4}",
}
"""What e2fsprogs 1.47 has in its mke2fs.conf, but for metadata_csum_seed, which the GRUB 2.06 of
the same Debian can't read, and orphan_file, which hardly a driver knows."""


def problems(ext: Ext, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
    """Yield what is wrong with the description alone."""
    yield from ext_check.problems(ext, where, size, sector_size)
    if ext_check.is_files(ext.files):
        yield from gather(ext.files, where, RULES).wrong


def room(ext: Ext, size: int | None, where: str, sector_size: int) -> Room:
    """Return the volume's length.  Raises DescriptionError if the size can't work."""
    wrong = ext_check.problems(ext, where, size, sector_size)
    refuse([*wrong, *ext_check.missing_size(ext, where, size)])
    geometry = ext_check.geometry(ext, size, sector_size)
    return Room(
        length=geometry.length,
        type="linux-filesystem",
        facts=(
            ("file system", f"ext{ext.version}"),
            ("block", format_size(geometry.block_size)),
            ("blocks", f"{geometry.blocks:,}"),
        ),
    )


def fill(ext: Ext, place: Place, files: Files, where: str) -> Picture:
    """Return the bytes of the volume.

    Raises DescriptionError with everything that is wrong, or WorldError.
    """
    wrong = [*ext_check.problems(ext, where, place.extent.length, place.sector_size)]
    root, misplaced, failed = gather(ext.files, where, RULES, files.walk, files.size)
    # Staged in the order of paths, in which mke2fs gives out inodes.
    nodes = {node.path: node for node in root.everything() if node is not root}
    nodes = dict(sorted(nodes.items()))
    wrong += [*misplaced, *_unknown_modes(ext, nodes, where)]
    refuse(wrong or _oversized(nodes.values(), place.extent.length), failed)
    staged = _staged(ext, nodes.values(), files)
    geometry = ext_check.geometry(ext, place.extent.length, place.sector_size)
    try:
        made = files.make(_recipe(ext, place, geometry, staged), f"{where}.payload")
    except WorldError as error:
        raise _in_our_words(error, nodes, geometry, where) from error
    canvas = Canvas()
    canvas.made(place.extent.start, made)
    return canvas.picture()


def _unknown_modes(ext: Ext, nodes: Mapping[str, Node], where: str) -> list[Problem]:
    return [
        BadPath(
            f"{where}.modes[{path!r}]", "there is nothing at that path",
            "modes are for what is in the volume", "fix the path or remove it",
        )
        for path in ext.modes
        if path.strip("/") and path.strip("/") not in nodes
    ]


def _oversized(nodes: Iterable[Node], length: int) -> Iterator[Problem]:
    """Yield what can't be right, before it is read: a sparse file has any length for nothing."""
    for node in nodes:
        if isinstance(node, FileNode) and node.size > length:
            yield ContentTooLarge(
                node.where, f"{node.path!r} has {node.size:,} bytes",
                f"the whole volume has {length:,}",
                "leave it out, or give the partition a larger size",
            )


def _staged(ext: Ext, nodes: Iterable[Node], files: Files) -> list[Staged]:
    """Return the tree with its digests.  Raises WorldError with all files that can't be read."""
    modes = {path.strip("/"): mode for path, mode in ext.modes.items()}
    staged = [Staged(_TREE, None, "", modes.get("", 0o755))]
    failed = list[Problem]()
    for node in nodes:
        source = node.source if isinstance(node, FileNode) else None
        mode, digest = (0o755 if source is None else 0o644), ""
        if isinstance(source, str):
            try:
                digest = files.digest(source, node.where)
                mode = 0o755 if files.executable(source, node.where) else 0o644
            except WorldError as error:
                failed += error.problems
        staged.append(Staged(f"{_TREE}/{node.path}", source, digest, modes.get(node.path, mode)))
    refuse([], failed)
    return staged


def _recipe(ext: Ext, place: Place, geometry: ExtGeometry, staged: list[Staged]) -> Recipe:
    seconds = max(1, place.epoch)  # libext2fs ignores a faked time of 0
    entries = len(staged) - 1  # without the root
    values = {
        "features": ",".join([FEATURES[ext.version], *ext.features]),
        "block_size": geometry.block_size,
        "blocks": geometry.blocks,
        "inode_size": ext.inode_size,
        "inodes": ext_check.inodes(ext, geometry, entries),
        "uuid": _uuid(ext, place),
        "hash_seed": _hash_seed(_uuid(ext, place)),
        "label": ext.label,
    }
    notes = [
        Staged(_CONFIGURATION, b"[defaults]\n[fs_types]\n\tdefault = {\n\t}\n", ""),
        Staged(_CORRECTIONS, "".join(_corrections(entries, seconds)).encode("ascii"), ""),
    ]
    return Recipe(
        length=geometry.length,
        staged=(*notes, *staged),
        commands=(
            Command(MKE2FS, tuple(text.format_map(values) for text in ext.arguments)),
            Command(DEBUGFS, ("-w", "-f", _CORRECTIONS, PAYLOAD), silent=True),
        ),
        environment=(
            ("E2FSPROGS_FAKE_TIME", str(seconds)),
            ("MKE2FS_CONFIG", _CONFIGURATION),
            ("SOURCE_DATE_EPOCH", str(seconds)),
        ),
        seconds=seconds,
    )


def _corrections(entries: int, seconds: int) -> Iterator[str]:
    """Yield debugfs's commands: mke2fs gives the staged files inodes one after the other."""
    first = ext_check.RESERVED_INODES + 1  # lost+found
    for inode in (_ROOT_INODE, *range(first, first + 1 + entries)):
        for field in ("uid", "gid"):
            yield f"set_inode_field <{inode}> {field} 0\n"
        for field in ("atime", "ctime", "mtime"):
            yield f"set_inode_field <{inode}> {field} @{seconds}\n"


def _uuid(ext: Ext, place: Place) -> UUID:
    if ext.uuid is None:
        return UUID(bytes=place.identity.bytes)
    return ext.uuid if isinstance(ext.uuid, UUID) else UUID(str(ext.uuid))


def _hash_seed(uuid: UUID) -> UUID:
    """Return the secret of the directories' hashes, which protects nothing in an image."""
    return uuid5(uuid, "hash seed")


def _in_our_words(
    error: WorldError, nodes: Mapping[str, Node], geometry: ExtGeometry, where: str
) -> DescriptionError | WorldError:
    """Return the error; if mke2fs ran out of room, with the numbers that a user needs."""
    text = str(error)
    if not any(type(problem) is ProgramFailed for problem in error.problems):
        return error
    if "Could not allocate" not in text and "too small" not in text:
        return error
    sizes = {path: node.size for path, node in nodes.items() if isinstance(node, FileNode)}
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:3]
    total = format_size(sum(sizes.values()))
    names = ", ".join(f"{path} {format_size(sizes[path])}" for path in largest)
    what = "inodes" if "allocate inode" in text else "blocks"
    remedy = "raise inodes, or leave it out" if what == "inodes" else "make the partition larger"
    return DescriptionError(VolumeFull(
        f"{where}.files",
        f"{len(nodes):,} files and directories with {total} "
        f"(the largest: {names}) need more {what}",
        f"the volume has {format_size(geometry.length)}",
        f"{remedy}, or leave files out",
    ))


def _name_fault(path: str, name: str) -> tuple[str, str, str] | None:
    """Return what an ext volume has against a name; see `tree.Rules`."""
    must = f"an ext volume has names of 1 to {LONGEST_NAME} bytes"
    try:
        length = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a lone surrogate can't be a name of the host's either
        length = LONGEST_NAME + 1
    if name in (".", "..") or "\0" in name:
        return f"has the part {name!r}", must, "write the path without it"
    if length > LONGEST_NAME:
        return f"has a name of more than {LONGEST_NAME} bytes", must, "shorten it"
    if path == LOST_AND_FOUND:
        return "is mke2fs's own", must, "rename it or leave it out"
    return None


RULES = Rules("ext", _name_fault)
