"""The programs that are compared: how each prepares its folder and how it is called.

Every one gets the same files, the same disk and what makes it fast: sparse files where it can
have them, no copy that it does not need, no question to the kernel about new partitions.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.workloads import MIB, Workload

ROOT = Path(__file__).resolve().parent.parent
START = MIB
"""Where the partition begins, for every contender."""

_DODO = """
from doit_diskimg import Disk, Fat, Mbr, Partition, Tree

disk = Disk("os.img", size={disk}, table=Mbr(), partitions=[
    Partition("boot", Fat({{{files}}}, fat=32, cluster_size=4096), size={volume}, active=True),
])

def task_image():
    return disk.tasks()

DOIT_CONFIG = {{"check_file_uptodate": "xxh3"}}
"""

_TIMED = '''
from time import perf_counter
from doit.reporter import ConsoleReporter

class Timed(ConsoleReporter):
    """Notes the time from the first question about a task of ours to the seal."""

    began = None

    def get_status(self, task):
        Timed.began = Timed.began or perf_counter()

    def add_success(self, task):
        if task.name.endswith(":seal"):
            with open("inside.txt", "w") as file:
                file.write(str(perf_counter() - Timed.began))

DOIT_CONFIG["reporter"] = Timed
'''

_SCRIPT = """
set -e
dd if=/dev/zero of=os.img bs=1M count={disk_mib} status=none
parted -s os.img mklabel msdos mkpart primary fat32 {start}s {end}s set 1 boot on
dd if=/dev/zero of=part.img bs=1M count={volume_mib} status=none
mkfs.fat -F 32 -s 8 part.img >/dev/null
mcopy -i part.img -s {top} ::
dd if=part.img of=os.img bs=1M seek=1 conv=notrunc status=none
"""

_SPARSE = """
set -e
rm -f os.img part.img
truncate -s {disk} os.img
parted -s os.img mklabel msdos mkpart primary fat32 {start}s {end}s set 1 boot on
truncate -s {volume} part.img
mkfs.fat -F 32 -s 8 part.img >/dev/null
mcopy -i part.img -s {top} ::
dd if=part.img of=os.img bs=1M seek=1 conv=notrunc,sparse status=none
"""

_BEST = """
set -e
rm -f os.img
truncate -s {disk} os.img
echo "{start},{sectors},c,*" | sfdisk --quiet --no-tell-kernel os.img
mkfs.fat -F 32 -s 8 --offset={start} os.img {kib} >/dev/null
mcopy -i os.img@@1M -s {top} ::
"""

_GENIMAGE = """
image boot.vfat {{
    vfat {{
        extraargs = "-F 32 -s 8"
        files = {{ {quoted} }}
    }}
    size = {volume}
}}
image os.img {{
    hdimage {{ }}
    size = {disk}
    partition boot {{
        partition-type = 0xC
        bootable = "true"
        image = "boot.vfat"
        offset = 1M
    }}
}}
"""


@dataclass
class Contender:
    """One way to build the image of a workload in ``folder``."""

    name: str
    folder: Path
    workload: Workload
    argv: list[str]
    """What is timed; run in ``folder``."""
    first: list[list[str]] = field(default_factory=list)
    """What has to have run once before, not timed."""
    waste: list[str] = field(default_factory=list)
    """What a clean build must not find."""
    image: str = "os.img"
    undo: list[str] = field(default_factory=list)
    """What takes the edited file out of the image again; by default the same after it is gone."""

    def prepare(self) -> None:
        """Make the folder and build once."""
        self.workload.make(self.folder)
        for argv in [*self.first, self.argv]:
            run(argv, self.folder)

    def forget(self) -> None:
        """Remove everything that a build made."""
        for name in [self.image, *self.waste]:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def check(self) -> None:
        """Fail unless the image holds the edited file as it is; mtools looks."""
        argv = ["mtype", "-i", f"{self.image}@@1M", f"::{self.workload.edited}"]
        with subprocess.Popen(
            argv, cwd=self.folder, stdout=subprocess.PIPE, env=environment()
        ) as found, (self.folder / self.workload.edited).open("rb") as source:
            assert found.stdout is not None
            parts = iter(lambda: source.read(MIB), b"")
            same = all(found.stdout.read(MIB) == part for part in parts)
            if not same or found.stdout.read():
                raise SystemExit(f"{self.name}: {self.workload.edited} is not what is in the image")


def environment() -> dict[str, str]:
    """Return the environment of every program: this checkout, compiled as if it were installed,
    and the folders of mkfs.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/sbin", "/usr/sbin"])
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "MTOOLSRC": os.devnull}


def run(argv: list[str], folder: Path) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(argv, cwd=folder, env=environment(), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{argv} failed in {folder}:\n{done.stdout}{done.stderr}")


def installed(*programs: str) -> bool:
    """Return whether all of them are."""
    return all(shutil.which(program, path=environment()["PATH"]) for program in programs)


_DOIT = [sys.executable, "-m", "doit"]


def ours(folder: Path, work: Workload, *, timed: bool = False) -> Contender:
    """Return doit with our tasks; ``timed`` ones note the time inside the process too."""
    files = ", ".join(
        f'"{name}": ' + (f'Tree("{name}")' if name in work.folders else f'"{name}"')
        for name in work.top
    )
    folder.mkdir(parents=True)
    dodo = _DODO.format(disk=work.disk_size, volume=work.volume_size, files=files)
    (folder / "dodo.py").write_text(dodo + (_TIMED if timed else ""))
    waste = [".os.img", ".doit.db", ".doit.db.db", ".doit.db.dat", ".doit.db.dir", ".doit.db.bak"]
    return Contender("doit_diskimg", folder, work, _DOIT, waste=waste)


def empty_doit(folder: Path, work: Workload) -> Contender:
    """Return doit with one task that does nothing: what every user of doit pays."""
    folder.mkdir(parents=True)
    (folder / "dodo.py").write_text("def task_nothing():\n    return {'actions': []}\n")
    return Contender("doit, one empty task", folder, work, _DOIT)


def _script(name: str, text: str, folder: Path, work: Workload) -> Contender:
    folder.mkdir(parents=True)
    sectors = work.volume_size // 512
    start = START // 512
    (folder / "build.sh").write_text(text.format(
        disk=work.disk_size, disk_mib=work.disk_size >> 20, volume=work.volume_size,
        volume_mib=work.volume_size >> 20, kib=work.volume_size >> 10, start=start,
        sectors=sectors, end=start + sectors - 1, top=" ".join(work.top),
    ))
    return Contender(name, folder, work, ["sh", "build.sh"], waste=["part.img"])


def script(folder: Path, work: Workload) -> Contender | None:
    """Return the script of the tutorials: dd, parted, mkfs.fat, mcopy, dd."""
    if not installed("parted", "mkfs.fat", "mcopy"):
        return None
    return _script("script", _SCRIPT, folder, work)


def sparse_script(folder: Path, work: Workload) -> Contender | None:
    """Return the same with sparse files."""
    if not installed("parted", "mkfs.fat", "mcopy"):
        return None
    return _script("script, sparse files", _SPARSE, folder, work)


def best_script(folder: Path, work: Workload) -> Contender | None:
    """Return the best script that we know: sfdisk, and no partition image at all."""
    if not installed("sfdisk", "mkfs.fat", "mcopy"):
        return None
    return _script("script, in the image", _BEST, folder, work)


def genimage(folder: Path, work: Workload) -> Contender | None:
    """Return genimage, whose root path is empty: files come straight from their place."""
    if not installed("genimage", "mkfs.fat", "mcopy"):
        return None
    (folder / "root").mkdir(parents=True)
    quoted = ", ".join(f'"{name}"' for name in work.top)
    config = _GENIMAGE.format(quoted=quoted, volume=work.volume_size, disk=work.disk_size)
    (folder / "genimage.cfg").write_text(config)
    argv = ["genimage", "--config", "genimage.cfg", "--rootpath", "root", "--inputpath", ".",
            "--outputpath", ".", "--tmppath", "tmp"]
    return Contender(
        "genimage", folder, work, ["sh", "-c", f"rm -rf tmp && exec {' '.join(argv)}"],
        waste=["boot.vfat", "tmp"],
    )


def mcopy_in_place(folder: Path, work: Workload) -> Contender | None:
    """Return the floor: mcopy puts the one file into the image, with nothing to catch a mistake."""
    made = best_script(folder, work)
    if made is None:
        return None
    first = [made.argv]
    argv = ["mcopy", "-o", "-i", "os.img@@1M", work.edited, f"::{work.edited}"]
    undo = ["mdel", "-i", "os.img@@1M", f"::{work.edited}"]
    return Contender("mcopy -o, in place", folder, work, argv, first=first, undo=undo)


def guestfish(folder: Path, work: Workload) -> Contender | None:
    """Return guestfish, which boots a machine for it."""
    if not installed("guestfish"):
        return None
    folder.mkdir(parents=True)
    end = START // 512 + work.volume_size // 512 - 1
    top = "\n".join(f"copy-in {name} /" for name in work.top)
    (folder / "build.fish").write_text(
        f"sparse os.img {work.disk_size}\nrun\npart-init /dev/sda mbr\n"
        f"part-add /dev/sda p {START // 512} {end}\nmkfs vfat /dev/sda1\nmount /dev/sda1 /\n{top}\n"
    )
    return Contender("guestfish", folder, work, ["guestfish", "-f", "build.fish"])
