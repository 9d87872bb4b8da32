"""guestfish: a small virtual machine in which Linux itself makes and fills the volume.

The slowest and the most trusted: mkfs.fat and the kernel's own driver.  libguestfs' ``mkfs`` would
choose the FAT type by size, so mkfs.fat is called inside the machine with every number given, and
what it wrote is compared with the plan afterwards (``musts``).  Access times and the order of
clusters are the kernel's: two builds differ in a few bytes.
"""

from collections.abc import Iterator

from doit_diskimg.errors import EngineCannot, Problem
from doit_diskimg.kinds.filesystems.fat.encode import PlannedFat
from doit_diskimg.kinds.filesystems.fat.engines import staged
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode, Node
from doit_diskimg.plan.recipe import PAYLOAD, Command, Program, Recipe, Staged

GUESTFISH = Program("guestfish", "libguestfs-tools", ("--version",))

REFUSES = {
    "boot_sector": "leaves the boot sector to mkfs.fat",
    "oem_name": "leaves the boot sector to mkfs.fat",
    "reserved": "leaves the reserved sectors to mkfs.fat",
    "first": "has the label's entry before all others",
    "low": "places files by itself",
    "attributes": "has no call for attributes of FAT",
    "case_bits": "writes long names for lower case, as Linux does",
    "long_names": "writes long names, as Linux does",
}

_SCRIPT = "script"
_LABEL = "volume"
_DISK = f"/dev/disk/guestfs/{_LABEL}"
# Which of the machine's disks is /dev/sda, the volume or the machine's own, is a matter of which
# one answers first; and what runs inside it is told no other name.

_LONGEST_PATH = 4000  # bytes, of a path in Linux


def faults(volume: PlannedFat, where: str) -> Iterator[Problem]:
    """Yield what the machine can't do with this volume."""
    must = "every engine makes the same volume, or none"
    change = "write engine='native'"
    if volume.geometry.sector_size != 512:
        found = f"sectors of {volume.geometry.sector_size} bytes, the machine's disk has 512"
        yield EngineCannot(f"{where}.engine", found, must, change)
    for path, node in staged.paths(volume):
        if len(path.encode("utf-8")) > _LONGEST_PATH:
            found = f"{path!r} is longer than the {_LONGEST_PATH} bytes that Linux takes"
            yield EngineCannot(node.where, found, must, change)


def recipe(volume: PlannedFat) -> Recipe:
    """Return the script for guestfish, and the files that it uploads."""
    nodes = list(staged.paths(volume))
    places = {path: f"file-{number}" for number, (path, _) in enumerate(nodes)}
    script = "".join(f"{line}\n" for line in _script(volume, nodes, places))
    files = (
        staged.file(volume, node, places[path])
        for path, node in nodes if isinstance(node, FileNode)
    )
    return Recipe(
        length=volume.geometry.total_sectors * volume.geometry.sector_size,
        staged=(Staged(_SCRIPT, script.encode("ascii"), ""), *files),
        commands=(Command(GUESTFISH, ("-f", _SCRIPT)),),
        environment=(
            # Without libvirt, and without KVM, which may be there and not work.
            ("LIBGUESTFS_BACKEND", "direct"), ("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
        ),
        seconds=volume.time.epoch(),
        musts=tuple(staged.musts(volume)),
        contents=staged.contents(volume),
    )


def _script(
    volume: PlannedFat, nodes: list[tuple[str, Node]], places: dict[str, str]
) -> Iterator[str]:
    yield f"add {PAYLOAD} format:raw label:{_LABEL}"
    yield "run"
    words = (_shell(word) for word in staged.mkfs_arguments(volume))
    # Its name goes to nowhere, so that the last line is what it complains of; and whoever looks at
    # a disk that has just come is waited for.
    make = f"mkfs.fat {' '.join(words)} {_DISK} >/dev/null"
    yield f"debug sh {_quoted(f'udevadm settle; {make}')}"
    # shortname=mixed: a long name for whatever is not upper case.  tz=UTC: no zone of the host's.
    yield f"mount-options utf8,shortname=mixed,tz=UTC {_DISK} /"
    for path, node in nodes:
        if isinstance(node, Directory):
            yield f"mkdir {_quoted('/' + path)}"
        else:
            yield f"upload {places[path]} {_quoted('/' + path)}"
    for path, node in reversed(nodes):  # a directory when what is in it has been made
        seconds = volume.times.get(node.path, volume.time).epoch()
        yield f"utimens {_quoted('/' + path)} {seconds} 0 {seconds} 0"
    yield "umount-all"


def _shell(word: str) -> str:
    """Return a word for the machine's shell; the quotes of a shell do not arrive there."""
    return "".join(c if c.isalnum() else f"\\{c}" for c in word)


def _quoted(text: str) -> str:
    """Return a word for guestfish: letters and digits as they are, the rest as escapes of bytes."""
    plain = "".join(c if c.isascii() and c.isalnum() else _escaped(c) for c in text)
    return f'"{plain}"'


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8"))
