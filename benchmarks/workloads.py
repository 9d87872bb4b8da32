"""The files that go into the image, and the edits.

Contents are random bytes from a fixed seed, so that no file system can store them in less room
and no two machines measure other data.  Names are 8.3: of names that share their first six letters
mtools makes short names by trying all numbers, which takes minutes for a thousand of them.
"""

import random
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Workload:
    """A folder of files for one FAT volume on a disk of ``disk_size``."""

    name: str
    disk_size: int
    volume_size: int
    files: dict[str, int]
    """Path -> bytes."""
    edited: str
    """The file that an edit writes anew."""

    @property
    def length(self) -> int:
        """Bytes in all files."""
        return sum(self.files.values())

    @property
    def top(self) -> list[str]:
        """The files and folders of the root directory."""
        return sorted({path.split("/")[0] for path in self.files})

    @property
    def folders(self) -> list[str]:
        """The folders of the root directory."""
        return sorted({path.split("/")[0] for path in self.files if "/" in path})

    def make(self, folder: Path) -> None:
        """Write the files into ``folder``."""
        contents = random.Random(self.name)
        for path, length in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                # By the MiB: what this process has in memory counts as that of its children.
                for first in range(0, length, MIB):
                    stream.write(contents.randbytes(min(MIB, length - first)))

    def edit(self, folder: Path, number: int, changed: int | None = None) -> None:
        """Write the edited file anew: all of it, or its last ``changed`` bytes."""
        file = folder / self.edited
        length = self.files[self.edited]
        new = min(length, changed or length)
        contents = random.Random(number)
        with file.open("r+b") as stream:
            stream.seek(length - new)
            for first in range(0, new, MIB):
                stream.write(contents.randbytes(min(MIB, new - first)))


def system(disk_size: int = 512 * MIB, kernel: int = 8 * MIB) -> Workload:
    """Return a small operating system: a kernel, an initrd, 500 modules."""
    files = {"kernel.elf": kernel, "initrd.img": 64 * MIB}
    files |= {f"modules/mod{number:03}.ko": 5000 for number in range(500)}
    volume = min(disk_size, 512 * MIB) - 4 * MIB
    return Workload(f"system-{disk_size >> 20}", disk_size, volume, files, "kernel.elf")


def initrd() -> Workload:
    """Return the same system, of which the 64 MiB initrd is edited."""
    base = system()
    return Workload("initrd", base.disk_size, base.volume_size, base.files, "initrd.img")


def many(count: int, folders: int = 50) -> Workload:
    """Return ``count`` files of 4 KB."""
    files = {
        f"tree/d{number % folders:02}/f{number:05}.txt": 4000 for number in range(count)
    }
    return Workload(f"many-{count}", 512 * MIB, 508 * MIB, files, "tree/d07/f00007.txt")


def added() -> Workload:
    """Return 5,000 files of 4 KB, of which the one that is edited was not there before."""
    base, new = many(5000), "tree/d07/a.txt"  # before all others of its folder
    return Workload("added", base.disk_size, base.volume_size, base.files | {new: 4000}, new)
