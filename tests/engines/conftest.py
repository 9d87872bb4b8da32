"""A bench that makes volumes of real files with every engine, in files of their own."""

import os
import shutil
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tools import tool

from doit_diskimg.chain.readback import watch
from doit_diskimg.disk.sockets import Place
from doit_diskimg.extent import Extent
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.folder import MARKER
from doit_diskimg.host.image import ImageFile, create_sparse
from doit_diskimg.host.state import StateFolder
from doit_diskimg.kinds.filesystems.fat.volume import Fat, FatImage
from doit_diskimg.plan.patch import ImagePatch

EPOCH = 1700000001
MIB = 1 << 20
IDENTITY = uuid.UUID(int=0x0BADCAFE12345678)
PROGRAMS = {"native": [], "pyfatfs": [], "mtools": ["mkfs.fat", "mcopy"], "guestfish": []}


@dataclass(frozen=True)
class Bench:
    folder: Path

    def write(self, path: str, data: bytes, seconds: int | None = None) -> str:
        """Write a file of the host's and return its path."""
        file = self.folder / "host" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if seconds is not None:
            os.utime(file, (seconds, seconds))
        return str(file)

    def make(
        self, fat: Fat, size: int, engine: str, *, start: int = 0, sector_size: int = 512,
        name: str = "",
        programs: bool = True,
    ) -> Path:
        """Make a volume and return the file that it fills; skip the test without its programs."""
        for program in PROGRAMS[engine] if programs else []:
            tool(program)
        return self._fill(replace(fat, engine=engine), size, start, sector_size, name or engine)

    def put(self, base: Path, files: dict, *, start: int = MIB, **options) -> Path:
        """Put files into a copy of ``base`` and return the volume that came out."""
        tool("mcopy")
        return self._fill(FatImage(base, files, **options), base.stat().st_size, start, 512, "put")

    def record(self, fat: Fat, size: int, files: RealFiles) -> None:
        """Ask for a volume of ``files`` alone."""
        fat.fill(_place(size, 0, 512), files, "p")

    def left(self, name: str) -> list[str]:
        """Return what a payload that was not made has left behind."""
        return [path.name for path in (self.folder / f".{name}").iterdir() if path.name != MARKER]

    def _fill(self, payload, size: int, start: int, sector_size: int, name: str) -> Path:
        state = StateFolder(str(self.folder / name))
        shutil.rmtree(state.path, ignore_errors=True)
        state.make()
        work = Path(state.path)
        place = _place(size, start, sector_size)
        files = RealFiles({}, str(work / "payload"), judge=watch)
        picture = payload.fill(place, files, "p")
        path = work / "volume"
        create_sparse(str(path), size)
        pieces = tuple(piece._replace(start=piece.start - start) for piece in picture.pieces)
        with ImageFile(str(path)) as image:
            image.apply(ImagePatch(pieces), picture.blob)
        return path


def _place(size: int, start: int, sector_size: int) -> Place:
    return Place(
        extent=Extent(start, size), sector_size=sector_size, identity=IDENTITY, epoch=EPOCH,
        bare=start == 0,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("engines"))
