"""A partition that belongs to the guest: what it wrote outlives every build, and is never lost in
silence.

Everything outside of it equals a clean build, and whatever runs, one more `doit` has nothing to do.
"""

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess

import pytest
from forked import HERE, STEP, chain, doit
from machines import wait_until_open
from project import Project
from tools import path_without, tool
from tools import run as run_tool

from doit_diskimg.plan.content import FORMAT

DODO = f'''
import json, sys
sys.path.insert(0, {HERE!r})
import faults
from pathlib import Path

import doit_diskimg.plan.content

spec = json.loads(Path("spec.json").read_text())
doit_diskimg.plan.content.FORMAT = spec["format"]

from doit_diskimg import Compressed, Disk, Esp, Fat, File, Gpt, Partition, Segment
parts = {{
    "esp": Esp({{"kernel.elf": "kernel.elf"}}, size=spec["esp"]),
    "data": Partition(spec["name"], Fat({{"hello.txt": "hello.txt"}}), size=spec["data"],
                      persist=spec["persist"]),
    "log": Partition("log", File("log.bin"), type="linux-filesystem", size="1MiB", persist=True),
}}
disk = Disk("build/os.img", size=spec["size"], table=Gpt(),
            partitions=[parts[name] for name in spec["parts"]],
            guest_writes=spec["guest_writes"], replace=spec["replace"])
def task_image():
    return disk.tasks()
DOIT_CONFIG = {{"backend": "sqlite3"}}
'''

SPEC = {
    "size": "16MiB", "esp": "3MiB", "data": "2MiB", "persist": True, "name": "data",
    "format": FORMAT,
    "parts": ["esp", "data", "log"], "guest_writes": "restore",
    "replace": False,
}
GUEST = {"data": (1 << 20, b"the guest's own data" * 5000), "log": (700_000, b"a line\n" * 9)}
"""What the guest writes: where in the partition, and what."""


def describe(project, **changes):
    project.write("spec.json", json.dumps({**SPEC, **changes}))


@pytest.fixture
def project(tmp_path):
    """A finished build of a disk with two partitions of the guest's."""
    project = Project(tmp_path / "project", DODO)
    describe(project)
    project.write("kernel.elf", b"kernel" * 50_000)
    project.write("hello.txt", b"from the payload")
    project.write("log.bin", b"log" * 1000)
    project.doit()
    return project


def places(project):
    """Return where each of the guest's partitions lies: sfdisk says so."""
    table = json.loads(run_tool("sfdisk", "--json", project.image_path))["partitiontable"]
    found = {part["name"]: part for part in table["partitions"]}
    return {name: (found[name]["start"] * 512, found[name]["size"] * 512)
            for name in GUEST if name in found}


def guest_writes(project):
    """Write what a guest would write, and return every byte of its partitions."""
    with project.image_path.open("r+b") as image:
        for name, (start, _) in places(project).items():
            offset, data = GUEST[name]
            image.seek(start + offset)
            image.write(data)
    return guests_bytes(project)


def guests_bytes(project):
    with project.image_path.open("rb") as image:
        return {name: read(image, *place) for name, place in places(project).items()}


def read(image, start, length):
    image.seek(start)
    return image.read(length)


def others(project):
    """Return the image's bytes with the guest's partitions blanked."""
    data = bytearray(project.image_path.read_bytes())
    for start, length in places(project).values():
        data[start : start + length] = bytes(length)
    return data


def digests(found):
    """Return what differs if bytes do, since a difference of megabytes is no message."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}


def must_be_clean(project, elsewhere, kept):
    """The guest has its bytes, and everything else is as a build from nothing makes it."""
    assert digests(guests_bytes(project)) == digests(kept)
    shutil.rmtree(elsewhere, ignore_errors=True)
    project.clean_build(elsewhere)
    clean = Project(elsewhere, project.dodo, project.image)
    assert digests({"": others(project)}) == digests({"": others(clean)})
    assert places(project) == places(clean)
    project.doit("os.img:verify")
    assert not project.doit().ran


def write(path, data):
    return lambda project: project.write(path, data)


def spec(**changes):
    return lambda project: describe(project, **changes)


def later_version(project):
    project.fresh = True


def remove(path):
    return lambda project: (project.folder / path).unlink()


def both(first, second):
    def edit(project):
        first(project)
        second(project)

    return edit


def poke(project):
    """Write where nothing is the guest's."""
    with project.image_path.open("r+b") as image:
        image.seek(2 << 20)
        image.write(b"not the guest's")


def forget(project):
    for file in project.folder.glob(".doit.db*"):
        file.unlink()


def lose_state(project):
    shutil.rmtree(project.folder / "build/.os.img")


STATE = "build/.os.img/"
NEW = "create esp:inject table:inject seal"
ESP = "esp:populate esp:inject"

# Edit -> tasks that run, without a guest and after the guest wrote.  The guest's partitions are
# never among them.
TABLE = {
    "nothing": (lambda project: None, "", "create seal"),
    "kernel": (write("kernel.elf", b"K" * 70_000), f"{ESP} seal", f"create {ESP} seal"),
    "the payload": (write("hello.txt", b"another text"), "", "create seal"),
    "the payload, a file": (write("log.bin", b"other" * 100), "table", "table create seal"),
    "it moves": (spec(esp="4MiB"), *[f"esp:format table {ESP} {NEW}"] * 2),
    "the others swap places": (spec(parts=["log", "data", "esp"]), *[f"table {ESP} {NEW}"] * 2),
    "disk size": (spec(size="17MiB"), *[f"table {NEW}"] * 2),
    "written elsewhere": (poke, NEW, NEW),
    "a receipt lost": (remove(STATE + "esp.injected"), NEW, NEW),
    "the seal lost": (remove(STATE + "seal.json"), NEW, NEW),
    "the generation lost": (remove(STATE + "generation"), NEW, NEW),
    "our format": (
        both(later_version, spec(format=FORMAT + 1)),
        *[f"esp:format data:format table {ESP} {NEW}"] * 2,
    ),
    "the database lost": (forget, "", "create seal"),  # the facts lie in the state folder
    "the record lost": (remove(STATE + "kept.json"), "create", "create seal"),
    "the record damaged": (write(STATE + "kept.json", b"{"), "create", "create seal"),
    "the record lost and more": (
        both(remove(STATE + "kept.json"), remove(STATE + "seal.json")), NEW, NEW,
    ),
    "the state folder lost": (
        both(lose_state, spec(replace=True)), *[f"esp:format data:format table {ESP} {NEW}"] * 2,
    ),
}


@pytest.mark.parametrize("wrote", [False, True], ids=["quiet", "guest wrote"])
@pytest.mark.parametrize("row", TABLE)
def test_what_runs(project, tmp_path, row, wrote):
    kept = guest_writes(project) if wrote else guests_bytes(project)
    edit, quiet, busy = TABLE[row]
    edit(project)
    run = project.doit()
    names = {task.removeprefix("os.img:") for task in run.ran}
    assert names == set((busy if wrote else quiet).split())
    must_be_clean(project, tmp_path / "clean", kept)


def test_what_the_guest_wrote_is_no_reason_to_refuse(project, tmp_path):
    """`guest_writes="error"` is about everything else."""
    describe(project, guest_writes="error")
    project.doit()
    kept = guest_writes(project)
    run = project.doit()
    assert "build/os.img is as it was built, but for 'data', 'log'" in run.out
    must_be_clean(project, tmp_path / "clean", kept)
    poke(project)
    assert "something else wrote to it since it was built" in project.doit(code=1).said
    assert guests_bytes(project) == kept


def test_every_state_file_may_be_lost(project, tmp_path):
    kept = guest_writes(project)
    project.doit()
    names = sorted(path.name for path in (project.folder / STATE).iterdir())
    assert len(names) > 15
    for name in names:
        for wrote in (False, True):
            (project.folder / STATE / name).unlink(missing_ok=True)
            if wrote:
                poke(project)
            project.doit()
            assert guests_bytes(project) == kept, name
    must_be_clean(project, tmp_path / "clean", kept)


# Refusals ----------------------------------------------------------------------------------------

GIVE_UP = "give it up by doit os.img:data:reset)"
REFUSED = {
    "shrunk": (
        spec(data="1MiB"), "partitions[1].size: 'data' would have 1,048,576 bytes, what its guest "
        f"wrote has 2,097,152 (write that size, or {GIVE_UP}",
    ),
    "grown": (
        spec(data="3MiB"), "partitions[1].size: 'data' would have 3,145,728 bytes, what its guest "
        f"wrote has 2,097,152 (write that size, or {GIVE_UP}",
    ),
    "removed": (
        spec(parts=["esp", "log"]), "partitions: no partition 'data' has persist=True any more, "
        f"what its guest wrote may not be lost (describe it as it was, or {GIVE_UP}",
    ),
    "renamed": (
        spec(name="other"), "partitions: no partition 'data' has persist=True any more, "
        f"what its guest wrote may not be lost (describe it as it was, or {GIVE_UP}",
    ),
    "persist removed": (
        spec(persist=False), "partitions: no partition 'data' has persist=True any more, "
        f"what its guest wrote may not be lost (describe it as it was, or {GIVE_UP}",
    ),
    "removed, and the record lost": (
        both(spec(parts=["esp", "log"]), remove(STATE + "kept.json")),
        f"partitions: no partition 'data' has persist=True any more, what its guest wrote may not "
        f"be lost (describe it as it was, or {GIVE_UP}",
    ),
    "the state lost, and another layout": (
        both(lose_state, spec(esp="4MiB", replace=True)),
        "build/os.img: nothing says where in it 'data' lies, "
        "what a guest wrote may not be lost (copy it out of the image, and run doit "
        "os.img:data:reset)",
    ),
    "the state lost, and another length": (
        both(lose_state, spec(size="20MiB", replace=True)),
        "build/os.img: nothing says where in it 'data' lies, "
        "what a guest wrote may not be lost (copy it out of the image, and run doit "
        "os.img:data:reset)",
    ),
    "another image": (
        lambda project: os.truncate(project.image_path, 5 << 20),
        "build/os.img: it has 5,242,880 bytes, and no longer all of what a guest wrote to 'data', "
        f"it may not be lost (put the image back, or {GIVE_UP}",
    ),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_refused(project, tmp_path, row):
    """One line, and the image is what it was; after a reset it is built."""
    guest_writes(project)
    edit, message = REFUSED[row]
    edit(project)
    before = project.image_path.read_bytes()
    for _ in range(2):
        assert f"os.img: {message}" in project.doit(code=1).said
        assert project.image_path.read_bytes() == before
    if "lost" in row or "another image" in row:
        project.doit("os.img:log:reset")  # of that one nothing is known either
    assert "data: what its guest wrote is given up" in project.doit("os.img:data:reset").out
    assert project.image_path.read_bytes() == before
    project.doit()
    project.doit("os.img:verify")
    assert not project.doit().ran


def test_an_image_that_is_gone(project, tmp_path):
    kept = guest_writes(project)
    project.image_path.rename(tmp_path / "backup.img")
    message = "build/os.img: it is gone, and with it what a guest wrote to 'data', it may not be"
    assert message in project.doit(code=1).said
    assert not project.image_path.exists()
    shutil.copy(tmp_path / "backup.img", project.image_path)
    project.doit()
    must_be_clean(project, tmp_path / "clean", kept)


def test_clean_removes_nothing(project, tmp_path):
    kept = guest_writes(project)
    run = project.doit("clean", "os.img:seal")
    assert "'log' in it belongs to its guest, doit clean leaves it, and removes nothing" in run.out
    must_be_clean(project, tmp_path / "clean", kept)
    project.doit("os.img:data:reset", "os.img:log:reset")
    project.doit("clean", "os.img:seal")
    assert not project.image_path.exists()
    assert not (project.folder / STATE).exists()


# Reset -------------------------------------------------------------------------------------------


def test_reset_makes_one_partition_anew(project, tmp_path):
    fresh, kept = guests_bytes(project), guest_writes(project)
    project.doit("os.img:data:reset")
    vouching = {"seal.json", "data.plan", "data.injected"}  # of a time when the guest had it
    assert not vouching & {path.name for path in (project.folder / STATE).iterdir()}
    run = project.doit()
    assert {"os.img:data:populate", "os.img:data:inject"} <= run.ran
    assert "os.img:log:inject" not in run.ran
    must_be_clean(project, tmp_path / "clean", {"data": fresh["data"], "log": kept["log"]})


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("-n", "2", "-P", "thread")], ids=str)
def test_reset_and_build_at_once(project, tmp_path, options):
    fresh, kept = guests_bytes(project), guest_writes(project)
    project.write("kernel.elf", b"K" * 90_000)
    project.doit("run", *options, "os.img:data:reset", "os.img", code=None)
    project.doit()
    must_be_clean(project, tmp_path / "clean", {"data": fresh["data"], "log": kept["log"]})


@pytest.mark.parametrize(
    "words", [(), ("os.img",), ("os.img:*",), ("*reset",), ("--always",), ("-a", "os.img:*")],
    ids=str,
)
def test_nothing_but_its_name_resets(project, tmp_path, words):
    # Some of these ask for the crosscheck too, and guestfish would take minutes for it.
    project.env["PATH"] = path_without(tmp_path / "bin", "guestfish")
    kept = guest_writes(project)
    project.doit("run", *words)
    project.doit()
    must_be_clean(project, tmp_path / "clean", kept)


# Faults ------------------------------------------------------------------------------------------

SCENARIOS = {
    "edit": write("kernel.elf", b"another kernel" * 50_000),
    "moved": spec(esp="4MiB"),
    "swapped": spec(parts=["log", "data", "esp"]),
    "written elsewhere": poke,
    "the record lost": both(remove(STATE + "kept.json"), poke),
}


def restore(project, build):
    describe(project)
    project.write("kernel.elf", b"kernel" * 50_000)
    code, said = build(project)
    assert code == 0, said
    return guest_writes(project)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "kind", "build"),
    [
        *((name, kind, chain) for name in SCENARIOS for kind in ("kill", "ENOSPC", "EIO")),
        ("edit", "kill", doit),
        ("moved", "EIO", doit),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_every_single_change_fails(project, tmp_path, scenario, kind, build):
    """The guest has its bytes, whatever happens, and the rest ends as a clean build."""
    kept, hit, survived = restore(project, build), 0, 0
    first = 1 + [*SCENARIOS].index(scenario) % STEP
    for number in range(first, 1000, STEP):
        SCENARIOS[scenario](project)
        if number == first:
            project.clean_build(tmp_path / "clean")
            wanted = others(Project(tmp_path / "clean", project.dodo, project.image))
        code, said = build(project, f"{kind}:{number}")
        assert "Traceback" not in said, said
        assert code in (0, 1, -signal.SIGKILL), said
        hit, survived = hit + (code != 0), survived + (code == 0)
        code, said = build(project)
        assert code == 0, said
        assert guests_bytes(project) == kept, f"{kind}:{number}"
        assert others(project) == wanted, f"{kind}:{number}"
        assert ".  " not in build(project)[1]
        if survived * STEP > (6 if kind != "kill" else 0):
            break
        assert restore(project, build) == kept
    assert hit * STEP > 10
    print(f"\n{scenario}, {kind}: hit {hit} times, the guest's bytes there each time")


MOMENTS = [
    *(("moved", name) for name in (
        "generation", "broken.json", "seal.json", "kept.json", "images.json", "os.img",
        "seal.facts",
    )),
    *(("swapped", name) for name in ("kept.json", "os.img")),
]  # fmt: skip


@pytest.mark.parametrize(("scenario", "name"), MOMENTS)
def test_killed_when_a_file_gets_its_name(project, tmp_path, scenario, name):
    """The moments at which it is decided which image has the guest's bytes, and where."""
    kept = restore(project, chain)
    SCENARIOS[scenario](project)
    code, said = chain(project, f"named:{name}")
    assert code == -signal.SIGKILL, said
    code, said = chain(project)
    assert code == 0, said
    must_be_clean(project, tmp_path / "clean", kept)


# Real guests -------------------------------------------------------------------------------------


def test_mtools_writes_and_the_kernel_changes(project, tmp_path):
    """What mtools put into the volume is there after any number of builds, wherever it lies."""
    for number in range(4):
        note = project.write(f"note{number}", f"number {number}\n" * 1000)
        volume = f"{project.image_path}@@{places(project)['data'][0]}"
        run_tool("mcopy", "-i", volume, note, f"::NOTE{number}.TXT")
        kept = guests_bytes(project)
        project.write("kernel.elf", bytes([number]) * 80_000)
        describe(project, esp=f"{3 + number % 3}MiB")
        project.doit()
        must_be_clean(project, tmp_path / "clean", kept)
    volume = f"{project.image_path}@@{places(project)['data'][0]}"
    for number in range(4):
        text = run_tool("mtype", "-i", volume, f"::NOTE{number}.TXT")
        assert text == f"number {number}\n" * 1000
    assert run_tool("mtype", "-i", volume, "::hello.txt") == "from the payload"


@pytest.fixture
def qemu(project):
    running = []

    def start(*options):
        process = subprocess.Popen(
            [tool("qemu-system-x86_64"), "-S", "-display", "none", "-monitor", "none",
             "-serial", "none", "-net", "none", "-drive",
             ",".join(["format=raw", f"file={project.image_path}", *options])],
            stderr=subprocess.PIPE, text=True,
        )
        running.append(process)
        wait_until_open(process, project.image_path)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


EDITS = {
    "a patch": write("kernel.elf", b"K" * 70_000),
    "a new layout": spec(esp="4MiB"),
    "written by others": poke,
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_guest_that_may_write_is_waited_for(project, qemu, edit, tmp_path):
    kept = guest_writes(project)
    project.doit()
    process = qemu()
    EDITS[edit](project)
    before = project.image_path.read_bytes()
    assert (
        f"os.img: build/os.img: it is open in QEMU (pid {process.pid}), which may write to 'data', "
        "'log', a new image takes over what a guest wrote and can't follow one that runs (end that "
        "program and run doit again)"
    ) in project.doit(code=1).said
    assert project.image_path.read_bytes() == before
    process.kill()
    process.wait()
    project.doit()
    must_be_clean(project, tmp_path / "clean", kept)


@pytest.mark.parametrize("edit", EDITS)
def test_a_guest_with_a_snapshot_is_no_hindrance(project, qemu, edit, tmp_path):
    kept = guest_writes(project)
    project.doit()
    qemu("snapshot=on")
    EDITS[edit](project)
    project.doit()
    must_be_clean(project, tmp_path / "clean", kept)


# The description, and what else is made of such a disk -------------------------------------------


@pytest.mark.parametrize("size", [None, "auto"])
def test_it_needs_a_size(project, size):
    describe(project, data=size)
    assert (
        "partitions[1].size: there is none, and persist=True, must be a size, since what a guest "
        'wrote can\'t grow or shrink with the payload (write for example size="64MiB")'
    ) in project.doit(code=3).said


def test_outputs_hold_what_the_guest_wrote(project):
    outputs = 'outputs=[Compressed("os.img.gz")], guest_writes='
    project.dodo = project.dodo.replace("guest_writes=", outputs)
    project.write("dodo.py", project.dodo)
    project.doit()
    for _ in range(2):
        guest_writes(project)
        project.doit()
        packed = gzip.decompress((project.folder / "os.img.gz").read_bytes())
        assert packed == project.image_path.read_bytes()
        assert not project.doit().ran
        poke(project)


def test_a_linked_image_is_refused(project):
    project.write("dodo.py", project.dodo + "\ndef task_linked():\n    return disk.linked_task()\n")
    assert (
        "os.img: linked: 'data' has persist=True, a linked image shows the sources, and no bytes "
        "of a guest (boot the image itself, or leave persist out)"
    ) in project.doit(code=3).said


def test_verify_tells_what_a_guest_did_and_does_not_mind(project):
    start, _ = places(project)["data"]
    with project.image_path.open("r+b") as image:
        image.seek(start + 14)
        reserved = int.from_bytes(image.read(2), "little")
        image.seek(start + reserved * 512 + 100)  # its FATs differ from now on
        image.write(b"\xff" * 16)
    project.doit()
    run = project.doit("os.img:verify")
    assert "error fat-" in run.out
    assert "no errors" in run.out


def test_a_whole_disk_may_be_the_guests(tmp_path):
    project = Project(tmp_path / "project", """
from doit_diskimg import Disk, Fat, Partition
def task_image():
    return Disk("build/os.img", size="1.44M floppy", table=None,
                partitions=[Partition("floppy", Fat({"a": "a"}), persist=True)],
                replace=True).tasks()
""")
    project.write("a", b"a")
    project.doit()
    note = project.write("note", "a note")
    run_tool("mcopy", "-i", project.image_path, note, "::NOTE")
    wrote = project.image_path.read_bytes()
    project.write("a", b"another")
    project.doit()
    shutil.rmtree(project.folder / STATE)
    project.doit()
    assert project.image_path.read_bytes() == wrote


def test_from_now_on(project, tmp_path):
    """persist=True for a partition that a guest has written to already."""
    describe(project, persist=False, parts=["esp", "data"])
    project.doit("os.img:data:reset", "os.img:log:reset")
    project.doit()
    start, _ = places(project)["data"]
    with project.image_path.open("r+b") as image:
        image.seek(start + GUEST["data"][0])
        image.write(GUEST["data"][1])
    (project.folder / STATE / "kept.json").unlink()
    kept = guests_bytes(project)
    describe(project, parts=["esp", "data"])
    project.doit()
    must_be_clean(project, tmp_path / "clean", kept)


@pytest.mark.parametrize(
    ("happens", "message"),
    [(lambda project: None, ""), (poke, "it is a file that nothing in the state folder proves")],
    ids=["only its guest wrote", "others wrote too"],
)
def test_a_copy_of_a_project_whose_guest_wrote(project, tmp_path, happens, message):
    """Neither its inode nor its time stamp is on record; what is not the guest's is compared."""
    guest_writes(project)
    with project.image_path.open("r+b") as image:  # over what was made for it, too
        image.seek(places(project)["data"][0] + 3)
        image.write(b"mkfs.fat")
    kept = guests_bytes(project)
    happens(project)
    shutil.copytree(project.folder, tmp_path / "copy")
    other = Project(tmp_path / "copy", project.dodo)
    said = other.doit(code=1 if message else 0).said
    assert message in said
    assert digests(guests_bytes(other)) == digests(kept)
    if message:
        describe(other, replace=True)
        other.doit()
    must_be_clean(other, tmp_path / "clean", kept)
