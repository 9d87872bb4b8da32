"""A file that is added, removed or longer than before: what it costs, counted by the chain."""

import random
import re
import shutil
from pathlib import Path

import pytest
from project import Project

from doit_diskimg import Disk, Fat, Mbr, Partition, Tree, build

KIB = 1 << 10


class Volume:
    """A volume of a tree ``t`` in a folder, and what a build of it writes."""

    def __init__(self, folder: Path, size: int | str, **options: object) -> None:
        self.folder, self.size, self.options = folder, size, options

    def disk(self, image: str = "os.img") -> Disk:
        volume = Fat({"/": Tree("t")}, **self.options)
        return Disk(image, size="auto", table=Mbr(),
                    partitions=[Partition("data", volume, size=self.size)])  # fmt: skip

    def build(self) -> tuple[int, str]:
        """Return the bytes that the volume's step wrote, and what it told."""
        (step,) = [it for it in build(self.disk()) if it.step == "data:inject"]
        return step.written, step.text if step.ran else ""

    def is_clean(self) -> bool:
        """Whether the image is what a build from nothing makes."""
        build(self.disk("clean/os.img"))
        same = Path("clean/os.img").read_bytes() == Path("os.img").read_bytes()
        shutil.rmtree("clean")
        return same


def write(path, length):
    path = Path("t", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.Random(str(path)).randbytes(length))


@pytest.fixture
def volume(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(5000):
        write(f"d{number % 50}/file_{number:05}.dat", 4 * KIB)
    volume = Volume(tmp_path, "128MiB", fat=32)
    assert volume.build()[0] > 5000 * 4 * KIB
    return volume


def test_a_file_among_five_thousand(volume):
    """Sorted one behind the other, as they were once, it were 11 MiB for each of the first four."""
    for path, length, most, told in (
        ("d7/aaa.dat", 4 * KIB, 24 * KIB, "1 file added: "),
        ("d7/aaa.dat", None, 24 * KIB, "1 file removed: "),
        ("d7/zzz.dat", 4 * KIB, 24 * KIB, "1 file added: "),
        ("new/tiny", 1, 24 * KIB, "1 file added: "),
        ("d3/file_00003.dat", 9 * KIB, 40 * KIB, ""),  # two others make room for it
    ):
        if length is None:
            Path("t", path).unlink()
        else:
            write(path, length)
        written, text = volume.build()
        assert written <= most, path
        assert re.match(rf"{told}\d+ extents, [\d.]+ KiB written", text), text
        assert text.endswith("0 B of others moved") or "\nmoved: " in text or not told
    assert volume.is_clean()


@pytest.mark.parametrize("percent", [60, 90, 100])
def test_edits_of_a_full_volume(tmp_path, monkeypatch, percent):
    """The fuller it is the more they move; what is built is what a build from nothing makes."""
    monkeypatch.chdir(tmp_path)
    rnd = random.Random(percent)
    lengths = [int(rnd.lognormvariate(8, 1.4)) for _ in range(300)]
    clusters = sum(-(-length // 2048) for length in lengths)
    for number, length in enumerate(lengths):
        write(f"d{number % 5}/f{number}", length)
    used = (clusters + 5 * 3) * 2048 * 100 // percent
    volume = Volume(tmp_path, -(-(used + 64 * KIB) // 512) * 512, cluster_size=2048)
    volume.build()
    for edit in range(6):
        names = sorted(str(path.relative_to("t")) for path in Path("t").rglob("f*"))
        name = rnd.choice(names)
        if edit % 3 == 0:
            Path("t", name).unlink()
        elif edit % 3 == 1:
            write(f"d{edit % 5}/new{edit}", 1000)
        else:
            write(name, rnd.randrange(4000))
        volume.build()
        assert volume.is_clean()


def test_a_packed_volume_is_noted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(7):
        write(f"f{number}", 30 * 512 + number * 5 * 512)
    for free, noted in ((None, True), (0, False)):
        volume = Fat({"/": Tree("t")}, free=free, cluster_size=512, root_entries=16)
        disk = Disk("os.img", size=172544, table=None, partitions=[Partition("data", volume)])
        said = [text for it in build(disk) for text in it.text.splitlines() if "packed" in text]
        note = (
            "note: partitions[0]: files lie packed in its 329 clusters, so that an edit may move "
            "others (make it larger, or write free=0 if that is meant)"
        )
        assert said == [note] * noted


DODO = '''
from doit_diskimg import Disk, Fat, Mbr, Partition, Tree

disk = Disk("os.img", size="auto", table=Mbr(), partitions=[
    Partition("data", Fat({"t": Tree("t")}, cluster_size=512), size="2MiB"),
])

def task_image():
    return disk.tasks()
'''


def test_doit_info_tells_what_will_move(tmp_path):
    """Once the volume is planned; the run then tells the same."""
    project = Project(tmp_path / "project", DODO)
    for number in range(200):
        project.write(f"t/f{number}", b"%d" % number * 1000)
    project.doit()
    project.write("t/big", bytes(range(1, 201)) * 1500)
    project.doit("os.img:data:populate")
    told = project.doit("info", "os.img:data:inject", code=1).out
    edit = r"changed; (1 file added); (.* of others moved); moved: (t/\S+ \(.*?\))"
    moved = re.search(edit, told)
    assert moved, told
    said = project.doit().out
    assert f"{moved[1]}: " in said
    assert f", {moved[2]}\nmoved: {moved[3]}\n" in said
    assert "others moved" not in project.doit("info", "os.img:data:inject").out
