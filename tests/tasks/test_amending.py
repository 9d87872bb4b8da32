"""An edit that moves nothing does not import the planner, and leaves what a clean build leaves."""

import os
import re
import shutil

import pytest
from project import Project

DODO = '''
import os, sys
from doit_diskimg.kinds.filesystems import fat

class Watch:
    """Tells of an import of the planner, which this forked process has from its parent."""

    def find_spec(self, name, path=None, target=None):
        if name == fat.__name__ + ".planner":
            os.write(2, name.encode())

sys.meta_path.insert(0, Watch())
sys.modules.pop(fat.__name__ + ".planner", None)
vars(fat).pop("planner", None)

from doit_diskimg import BootCode, Disk, Fat, Gpt, Partition, Patch, Segment, Tree
from doit_diskimg import at

disk = Disk("build/os.img", size="%(size)s", table=Gpt(), partitions=[
    Partition("esp", Fat({
        "kernel.elf": "kernel.elf", "again/kernel": "./kernel.elf", "modules": Tree("modules"),
        "boot.cfg": b"timeout=0",
    }, fat=16, cluster_size=2048%(fat)s), type="esp", size="16MiB"),
], segments=[%(segments)s])

def task_image():
    return disk.tasks()
'''
PLANNER = "doit_diskimg.kinds.filesystems.fat.planner"
KERNEL, MODULE, LARGE = b"k" * 70_001, b"m" * 3000, 2_500_096
MANY = [f"part {number:02}" for number in range(20)]  # more than are looked for line by line


def describe(project, size="32MiB", fat="", segments=""):
    project.dodo = DODO % {"size": size, "fat": fat, "segments": segments}
    project.write("dodo.py", project.dodo)


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", "", by="chain")
    describe(project)
    project.write("kernel.elf", KERNEL)
    project.write("boot.bin", b"\xeb\x3c\x90" + bytes(509))
    for name in ("a", "b", "deep/c"):
        project.write(f"modules/{name}.ko", name.encode() + MODULE)
    for name in MANY:
        project.write(f"modules/many/{name}", MODULE)
    project.write("modules/large.ko", bytes(range(256)) * (LARGE // 256) + b"and the rest")
    return project


def built(project):
    """Return the image and the plan of the volume."""
    state = project.folder / "build/.os.img"
    files = [project.image_path, state / "esp.plan", state / "esp.blob"]
    return [file.read_bytes() for file in files]


def clean(project, elsewhere):
    project.clean_build(elsewhere)
    return built(Project(elsewhere, project.dodo))


def kernel(data):
    return lambda project: project.write("kernel.elf", data)


def both(*edits):
    return lambda project: [edit(project) for edit in edits]


def touched(path):
    return lambda project: os.utime(project.folder / path)


AMENDED = {
    "other bytes": kernel(b"K" * 70_001),
    "longer": kernel(KERNEL + b"!"),
    "shorter": kernel(KERNEL[:-300]),
    "a whole cluster": kernel(b"k" * 35 * 2048),
    "in a tree": lambda project: project.write("modules/deep/c.ko", b"c" * 2100),
    "two files": both(kernel(KERNEL + b"!"), lambda p: p.write("modules/a.ko", b"A" * 4096)),
    "more than a few": both(*[
        lambda p, name=name: p.write(f"modules/many/{name}", name.encode() * 500) for name in MANY
    ]),
    "a large one": lambda project: project.write("modules/large.ko", b"L" * LARGE),
    "one is only touched": both(kernel(KERNEL + b"!"), touched("modules/b.ko")),
}
PLANNED = {
    "a cluster more": kernel(KERNEL + bytes(2048)),
    "a cluster less": kernel(KERNEL[:-2048]),
    "empty": kernel(b""),
    "a new file": both(kernel(KERNEL + b"!"), lambda p: p.write("modules/d.ko", b"d")),
    "a file less": both(kernel(KERNEL + b"!"), lambda p: (p.folder / "modules/a.ko").unlink()),
    "another label": both(kernel(KERNEL + b"!"), lambda p: describe(p, fat=', label="NEW"')),
    "another place": both(kernel(KERNEL + b"!"), lambda p: describe(p, size="33MiB")),
    "another time": both(
        kernel(KERNEL + b"!"), lambda project: project.env.update(SOURCE_DATE_EPOCH="1700000000")
    ),
}


@pytest.mark.cost
@pytest.mark.parametrize(
    ("edit", "by"),
    [*((edit, "chain") for edit in AMENDED), ("longer", "doit"), ("in a tree", "doit")],
)
def test_the_planner_is_not_asked(project, tmp_path, edit, by):
    project.by, project.fresh = by, by == "doit"
    assert PLANNER in project.build().err
    AMENDED[edit](project)
    run = project.build()
    assert "os.img:esp:populate" in run.ran
    assert PLANNER not in run.err
    assert built(project) == clean(project, tmp_path / "clean")
    assert not project.build().ran
    project.write("kernel.elf", KERNEL[:-1])  # and once more, after what was amended
    assert PLANNER not in project.build().err
    assert built(project) == clean(project, tmp_path / "another")


@pytest.mark.parametrize("edit", PLANNED)
def test_the_planner_is_asked(project, tmp_path, edit):
    project.build()
    PLANNED[edit](project)
    run = project.build()
    if edit != "another place":  # the volume is where it was, of the length that it had
        assert PLANNER in run.err
    assert built(project) == clean(project, tmp_path / "clean")
    assert not project.build().ran


@pytest.mark.parametrize("name", [
    "esp.plan", "esp.blob", "esp.files.json",
    pytest.param("esp.outline.json", marks=pytest.mark.cost),  # the shortcut's own
])
@pytest.mark.parametrize("damage", ["lost", "cut", "older"])
def test_of_a_state_file_that_is_not_right_the_planner_makes_another(
    project, tmp_path, name, damage
):
    file = project.folder / "build/.os.img" / name
    project.build()
    older = shutil.copy(file, tmp_path / "older")
    project.write("modules/e.ko", b"e" * 5000)
    project.write("kernel.elf", KERNEL + b"?")
    project.build()
    if damage == "lost":
        file.unlink()
    elif damage == "cut":
        os.truncate(file, file.stat().st_size // 2)
    else:
        shutil.copy(older, file)
    project.write("kernel.elf", KERNEL + b"!")
    assert PLANNER in project.build().err
    assert built(project) == clean(project, tmp_path / "clean")


def in_record(old, new):
    def damage(state):
        text = (state / "esp.files.json").read_text()
        assert re.search(old, text)
        (state / "esp.files.json").write_text(re.sub(old, new, text, count=1))
    return damage


RECORDS = {
    "another question": in_record('"seen"', '"seez"'),
    "another kind of answer": in_record('"parts": {', '"parts": [], "was": {'),
    "another length": in_record(r'("kernel.elf": \[)70001', r"\g<1>80000"),
    "another digest": in_record(r'"[0-9a-f]{32}"\]', f'"{"0" * 32}"]'),
    "another proof": in_record(r'("proof": ")[0-9a-f]', r"\g<1>x"),
    "cut": lambda state: os.truncate(state / "esp.files.json", 300),
}


@pytest.mark.parametrize("damage", RECORDS)
@pytest.mark.parametrize("edit", [kernel(b"K" * 79_000), kernel(KERNEL + b"!"), lambda _: None],
                         ids=["more clusters", "as many", "none"])
def test_a_record_in_which_a_byte_changed_is_not_believed(project, tmp_path, damage, edit):
    project.build()
    RECORDS[damage](project.folder / "build/.os.img")
    edit(project)
    run = project.build()
    assert "os.img:esp:populate" in run.ran
    assert "Traceback" not in run.err
    assert built(project) == clean(project, tmp_path / "clean")
    assert not project.build().ran


@pytest.mark.parametrize(
    "described",
    [
        {"fat": ', times="source"'},
        {"fat": ', engine="mtools"'},
        {"fat": ', boot_sector=BootCode("boot.bin", patches=['
                'Patch(0x5a, "<I", at.file_length("esp", "kernel.elf"))])'},
        {"segments": 'Segment("x", BootCode("boot.bin", patches=['
                     'Patch(0x5a, "<I", at.file_length("esp", "kernel.elf"))]), "24KiB")'},
        {"fat": ', reserved={2: "modules/../kernel.elf"}'},
    ],
    ids=["times", "engine", "own number", "number elsewhere", "reserved"],
)  # fmt: skip
def test_where_more_depends_on_a_file_the_planner_is_asked(project, tmp_path, described):
    describe(project, **described)
    os.utime(project.folder / "kernel.elf", (10**9, 10**9))
    project.build()
    project.write("kernel.elf", KERNEL + b"!")
    os.utime(project.folder / "kernel.elf", (1_000_100_000, 1_000_100_000))
    assert PLANNER in project.build().err
    os.utime(project.folder / "kernel.elf", (1_000_100_000, 1_000_100_000))
    assert built(project)[0] == clean(project, tmp_path / "clean")[0]


@pytest.mark.cost
@pytest.mark.parametrize("arguments", [["-n", "2"], ["-n", "2", "-P", "thread"]])
def test_in_another_process_too(project, tmp_path, arguments):
    project.build()
    project.write("kernel.elf", KERNEL + b"!")
    assert PLANNER not in project.doit("run", *arguments).err
    assert built(project) == clean(project, tmp_path / "clean")


LISTING = DODO.replace("from doit_diskimg import", '''
from dataclasses import replace
from doit_diskimg.kinds.filesystems.fat.volume import Fat as Native
from doit_diskimg.plan.picture import Piece
from doit_diskimg import''').replace("Disk, Fat,", "Disk,").replace("disk = ", '''
class Fat(Native):
    """Writes the digest of the kernel over the boot code, which ours does not do."""

    def fill(self, place, files, where):
        picture = super().fill(place, files, where)
        blob = bytearray(picture.blob)
        blob[200:232] = files.digest("kernel.elf", where).encode()
        return replace(picture, blob=bytes(blob))

disk = ''')


def test_a_payload_of_the_users_is_filled(project, tmp_path):
    project.dodo = LISTING % {"size": "32MiB", "fat": "", "segments": ""}
    project.write("dodo.py", project.dodo)
    project.build()
    project.write("kernel.elf", KERNEL + b"!")
    assert PLANNER in project.build().err
    assert built(project) == clean(project, tmp_path / "clean")


ASKING = 'Segment("x", BootCode("boot.bin", patches=[Patch(0x5a, "<I", %s)]), "24KiB")'
PLAIN = 'Segment("x", "boot.bin", "24KiB")'


@pytest.mark.parametrize("symbol", ['at.file_length("esp", "kernel.elf")', 'at.crc32("esp")'])
@pytest.mark.parametrize("before", [[], [True]], ids=["at once", "and before"])
def test_a_number_that_somebody_begins_to_ask_for(project, tmp_path, symbol, before):
    """With an edit that could be amended in the same run; an old answer may lie there."""
    for number, asks in enumerate([*before, False, True], 1):
        describe(project, segments=ASKING % symbol if asks else PLAIN)
        project.write("kernel.elf", KERNEL + b"!" * number)
        project.build()
    assert built(project) == clean(project, tmp_path / "clean")
    assert not project.build().ran


def test_a_note_names_the_partition_by_its_number_now(project):
    project.write("modules/aux", b"a device's name")
    project.build()
    project.write("kernel.elf", KERNEL + b"!")
    assert "partitions[0]: 'modules/aux'" in project.build().out
    project.write("kernel.elf", KERNEL + b"?")
    project.dodo = project.dodo.replace(
        'partitions=[\n', 'partitions=[Partition("first", File("boot.bin"), type="esp", start='
        '"24MiB", size="1MiB"),\n').replace("Fat,", "Fat, File,").replace(
        'size="16MiB"', 'start="1MiB", size="16MiB"')
    project.write("dodo.py", project.dodo)
    assert "partitions[1]: 'modules/aux'" in project.build().out


@pytest.mark.cost
@pytest.mark.parametrize("name", ["\u6f22" * 36, "x" * 36])
def test_a_long_name(project, tmp_path, name):
    project.dodo = project.dodo.replace('"esp", Fat', f'"{name}", Fat')
    project.write("dodo.py", project.dodo)
    project.build()
    project.write("kernel.elf", KERNEL + b"!")
    assert PLANNER not in project.build().err
    assert project.sha256() == project.clean_build(tmp_path / "clean")
