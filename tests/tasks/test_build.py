"""`doit_diskimg.build`: the chain in this process, and one history with doit's."""

import gzip
import hashlib
import os
import re
from pathlib import Path

import pytest
from project import Project

import doit_diskimg
from doit_diskimg import (
    Compressed,
    DescriptionError,
    Disk,
    Esp,
    File,
    Gpt,
    Partition,
    Segment,
    Tree,
    WorldError,
    at,
    build,
)

DODO = '''
from doit_diskimg import *

disk = Disk("build/os.img", size="32MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "modules": Tree("modules")}, size="8MiB"),
    Partition("root", File("root.ext2"), type="linux-filesystem"),
], segments=[Segment("stage2", BootCode("stage2.bin", patches=[
    Patch(0, "<I", at.file_lba("esp", "kernel.elf")),
]), "32KiB")])

def task_image():
    return disk.tasks()
'''
STEPS = [
    "esp:format", "table", "create", "esp:populate", "esp:inject", "root:inject", "stage2:inject",
    "table:inject", "seal",
]  # fmt: skip


def described(**more):
    return Disk("build/os.img", size="32MiB", table=Gpt(), partitions=[
        Esp({"kernel.elf": "kernel.elf", "modules": Tree("modules")}, size="8MiB"),
        Partition("root", File("root.ext2"), type="linux-filesystem"),
    ], segments=[Segment("stage2", doit_diskimg.BootCode("stage2.bin", patches=[
        doit_diskimg.Patch(0, "<I", at.file_lba("esp", "kernel.elf")),
    ]), "32KiB")], **more)  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    project = Project(tmp_path / "project", DODO)
    sources = ("kernel.elf", "modules/a.ko", "modules/deep/b.ko", "root.ext2", "stage2.bin")
    for number, path in enumerate(sources):
        project.write(path, bytes([number + 1]) * 70_000)
    monkeypatch.chdir(project.folder)
    return project


@pytest.fixture
def reaching(monkeypatch):
    """What reaches the disk, what gets its name, and whose bytes are written, in order."""
    events, fsync, replace, pwrite = [], os.fsync, os.replace, os.pwrite

    def name_of(handle):
        return Path(f"/proc/self/fd/{handle}").readlink().name

    def synced(handle):
        fsync(handle)
        events.append(name_of(handle))

    def replaced(old, new, **folders):
        replace(old, new, **folders)
        events.append(f"-> {Path(new).name}")

    def written(handle, *arguments):
        event = f"write {name_of(handle)}"
        if event.endswith(".img") and events[-1:] != [event]:
            events.append(event)
        return pwrite(handle, *arguments)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(os, "pwrite", written)
    return events


def by_build(**more):
    """Build in this process; return the steps that ran."""
    return [done.step for done in build(described(**more)) if done.ran]


def by_doit():
    ran = Project(Path.cwd(), DODO).doit().ran
    return [step for step in STEPS if f"os.img:{step}" in ran]


def image():
    return hashlib.sha256(Path("build/os.img").read_bytes()).hexdigest()


def clean(folder):
    """Return the image that a build from nothing makes of the sources as they are."""
    project = Project(folder, DODO)
    for path in ("kernel.elf", "modules/a.ko", "modules/deep/b.ko", "root.ext2", "stage2.bin"):
        project.write(path, Path(path).read_bytes())
    project.doit()
    return hashlib.sha256((folder / "build/os.img").read_bytes()).hexdigest()


def test_outputs_are_made_of_the_finished_image(project):
    packed = Path("build/os.img.gz")
    outputs = [Compressed(str(packed))]
    assert by_build(outputs=outputs) == [*STEPS, "gz"]
    assert gzip.decompress(packed.read_bytes()) == Path("build/os.img").read_bytes()
    assert by_build(outputs=outputs) == []
    project.write("root.ext2", b"x" * 70_000)
    assert by_build(outputs=outputs)[-2:] == ["seal", "gz"]
    assert gzip.decompress(packed.read_bytes()) == Path("build/os.img").read_bytes()


def state_of(folder="build"):
    return {
        path: os.stat(path).st_mtime_ns
        for path in [*Path(folder).rglob("*"), *Path(folder, ".os.img").rglob("*")]
        if path.is_file() and path.name not in ("lock", "patching", "checked")
    }


@pytest.mark.parametrize("first", [by_build, by_doit])
@pytest.mark.parametrize("then", [by_build, by_doit])
def test_it_and_doit_have_one_history(project, tmp_path, first, then):
    assert first() == STEPS
    assert image() == clean(tmp_path / "clean")
    assert then() == []  # it may note that what was written a moment ago has settled
    before = state_of()
    assert then() == first() == then() == []
    assert state_of() == before, "nothing is written when nothing changed"
    project.write("modules/a.ko", b"other")
    assert then() == ["esp:populate", "esp:inject", "seal"]
    assert image() == clean(tmp_path / "edited")
    assert first() == then() == []
    project.write("kernel.elf", b"k" * 700_000)  # it moves, and stage2 holds its place
    ran = first()
    assert {"esp:populate", "esp:inject", "seal"} <= {*ran}
    assert image() == clean(tmp_path / "moved")
    assert then() == []


def test_it_returns_what_each_step_did(project):
    told = list[str]()
    done = build(described(), tell=told.append)
    assert [one.step for one in done] == STEPS
    assert {one.why for one in done} == {"it has not run yet"}
    written = {one.step: one.written for one in done if one.written}
    assert written["root:inject"] == 70_000
    assert sum(written.values()) > 5 * 70_000
    assert "os.img:esp:inject" in told
    project.write("root.ext2", b"\2" * 70_000)
    (one,) = [one for one in build(described()) if one.step == "root:inject"]
    assert (one.why, one.written) == ("the contents of 'root.ext2' changed", 70_000)
    assert one.text == "1 extent, 68.3 KiB written"


def test_a_guest_that_wrote_to_it_is_told_as_by_doit(project):
    build(described())
    with open("build/os.img", "r+b") as file:
        file.write(b"x")
    told = list[str]()
    build(described(), tell=told.append)
    assert any("was written to since it was built: it is built anew" in line for line in told)
    assert by_doit() == []


def test_what_is_wrong_is_told_before_anything_is_written(project):
    project.write("build/os.img", b"somebody's")
    with pytest.raises(WorldError, match="nothing in the state folder proves"):
        build(described())
    assert os.listdir("build") == ["os.img"]
    os.unlink("build/os.img")
    with pytest.raises(DescriptionError, match="busy"):
        build(described(busy="sometimes"))
    assert os.listdir("build") == []
    os.unlink("root.ext2")
    with pytest.raises(WorldError, match=r"'root.ext2' does not exist"):
        build(described())
    assert not os.path.exists("build/os.img")
    project.write("root.ext2", b"r" * 70_000)
    assert "seal" in by_build()


def test_a_source_is_never_the_image(project):
    disk = Disk("build/os.img", size="auto", table=Gpt(), partitions=[
        Partition("a", File("build/os.img"), type="linux-filesystem"),
    ])  # fmt: skip
    with pytest.raises(DescriptionError, match="the image"):
        build(disk)


def test_a_build_that_is_stopped_goes_on(project, tmp_path):
    def stop(line):
        if line == "os.img:root:inject":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(described(), tell=stop)
    assert not os.path.exists("build/os.img")
    # What was decided stays decided; an image that is not finished is begun anew.
    assert by_doit() == ["create", *[step for step in STEPS if "inject" in step], "seal"]
    assert image() == clean(tmp_path / "clean")


def test_a_durable_image_is_on_the_disk_before_it_counts_as_finished(project, reaching):
    """First its bytes, then the seal and its name, then what holds those names."""
    described_once = described(durable=True)
    build(described_once)
    new = next(event for event in reaching if event.startswith("new-"))
    wanted = [new, "-> seal.json", "-> os.img", ".os.img", "build"]
    assert [event for event in reaching if event in wanted] == wanted
    reaching.clear()
    project.write("root.ext2", b"R" * 70_000)
    build(described_once)
    wanted = ["os.img", "-> seal.json", ".os.img", "build"]
    assert [event for event in reaching if event in wanted] == wanted


def test_a_guests_bytes_are_on_the_disk_before_the_image_that_has_them_counts(project, reaching):
    """Also if nobody asked for it: they are in no source."""
    def guests(size):
        return Disk("build/os.img", size=size, table=Gpt(), partitions=[
            Partition("data", File("root.ext2"), type="linux-filesystem", size="1MiB",
                      persist=True),
        ])

    for size in ("4MiB", "5MiB"):
        reaching.clear()
        build(guests(size))
        new = next(event for event in reaching if event.startswith("new-"))
        wanted = [new, "-> kept.json", "kept.json", ".os.img", "-> os.img"]
        events = iter(reaching)
        assert all(event in events for event in wanted), reaching
    reaching.clear()
    build(guests("5MiB"))
    assert reaching == []


def test_an_image_is_not_waited_for(project, reaching):
    build(described())
    assert [event for event in reaching if not event.startswith(("->", "write "))] == []


def test_before_the_first_byte_nothing_vouches_for_the_image(project, reaching):
    """Neither its seal nor the receipt of that part; a receipt is whole after the last byte."""
    build(described())
    of_root = ["-> root.injected", "write new", "-> root.injected"]
    events = [re.sub("new-.*", "new", event) for event in reaching]
    at = events.index("-> root.injected")
    assert events[at : at + 3] == of_root
    reaching.clear()
    project.write("root.ext2", b"R" * 70_000)
    build(described())
    assert [event for event in reaching if not event.endswith((".json", ".facts"))] == [
        "-> root.injected", "write os.img", "-> root.injected",
    ]
    assert reaching.index("-> broken.json") < reaching.index("-> root.injected")
    assert reaching[-1] == "-> seal.facts"
