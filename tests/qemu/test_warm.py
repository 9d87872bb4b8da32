"""A machine that goes on behind its firmware does what one does that started cold."""

import os
import random
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from efi_guests import BOOT_FILE, Shape, boot, disk, line, program
from tools import tool

from doit_diskimg import build
from doit_diskimg.host.qemu import firmware_state, verdict
from doit_diskimg.host.qemu.warm_start import Warmth
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import StateFolder

EDITS = int(os.environ.get("WARM_EDITS", "6"))
"""Disks in a row; 100 take some minutes."""

USUAL = Shape("gpt", 64, 32, 0)
GAVE_UP = "BdsDxe: (failed to load|starting) .*Shell|BdsDxe: No bootable"
"""What firmware says that has found nothing to start."""


def warmth(folder: Path, arch="x86_64", **options):
    state = StateFolder(str(folder / "os.img"))
    return Warmth(state, lambda image: line(image, arch, **options), arch, Session())


@pytest.fixture(scope="module")
def pc(tmp_path_factory):
    """A PC whose state is there."""
    found = warmth(tmp_path_factory.mktemp("pc"), more=["-device", "isa-debug-exit,iobase=0xf4"])
    assert found.ready(print).taken
    return found


def start(machine, image, until="", **options):
    """Start a machine with a disk, warm."""
    warm = machine.ready(print)
    assert not warm.cold
    assert not warm.taken
    return boot([*machine.line(str(image)), *warm.more], until, **options)


def guest(folder, text, shape=USUAL, arch="x86_64", filler=0):
    """Return a new image with a guest that says ``text``."""
    image = folder / "os.img"
    image.unlink(missing_ok=True)
    files = {BOOT_FILE[arch]: program(text, arch, filler)}
    build(disk(image, shape, files))
    return image


def shapes():
    """Yield disks that differ in what firmware looks at, for ever and always the same."""
    pick = random.Random(16)
    while True:
        size = pick.choice([64, 65, 100, 128, 333, 512, 1024, 4096])
        shape = Shape(
            pick.choice(["gpt", "mbr", "none"]), size, pick.choice([12, 16, 32]),
            pick.choice([0, 0, 1, 7, 24]),
        )  # fmt: skip
        if shape.table != "none" or size <= {12: 100, 16: 1024, 32: 4096}[shape.fat]:
            yield shape


def edits(machine, folder, times, arch="x86_64"):
    """Start one changed disk after the other; return those edits that did not show."""
    missed = []
    for number, shape in zip(range(times), shapes(), strict=False):
        text = f"P edit {number}: {shape.table} {shape.size} {shape.fat} {shape.before}"
        image = guest(folder, text, shape, arch, filler=number % 7 * 5000)
        said = start(machine, image, GAVE_UP)
        if said.text.count("P edit") != 1 or f"{text}\r\n" not in said.text or said.status != 0:
            missed.append((text, said))
    return missed


def test_every_edit_starts_the_new_disk(pc, tmp_path):
    assert edits(pc, tmp_path, EDITS) == []


def connecting(folder):
    """Return a helper that lets the firmware look at all disks before it waits."""
    source = (Path(firmware_state.HELPERS) / "helper.c").read_text()
    before = "    system->boot->set_watchdog(0, 0, 0, 0);"
    assert source.count(before) == 1
    (folder / "helper.c").write_text(source.replace(before, """
        char *services = (char *)system->boot;
        status EFI (*locate)(int, void *, void *, native *, handle **) =
            *(void **)(services + 312);
        status EFI (*connect)(handle, handle *, void *, byte) = *(void **)(services + 264);
        native many;
        handle *all;
        locate(0, 0, 0, &many, &all);
        for (native each = 0; each < many; each++)
            connect(all[each], 0, 0, 1);
    """ + before))
    script = (Path(firmware_state.HELPERS) / "build.sh").read_text()
    (folder / "build.sh").write_text(script)
    for name in ("clang", "lld-link"):
        tool(name)
    subprocess.run(["sh", folder / "build.sh"], check=True)


@pytest.mark.slow
def test_a_helper_that_looks_at_disks_would_be_noticed(tmp_path, monkeypatch):
    connecting(tmp_path)
    monkeypatch.setattr(firmware_state, "HELPERS", str(tmp_path))
    machine = warmth(tmp_path)
    assert machine.ready(print).taken
    assert edits(machine, tmp_path, 2) != []  # it looks for what the empty disk had


def lines(text, of=verdict.plain):
    """Return what firmware and guest said once the firmware boots disks."""
    said = [of(line) for line in text.split("\n")]
    said = [line for line in said if line]
    first = next(n for n, line in enumerate(said) if "BdsDxe:" in line)
    return [said[first][said[first].index("BdsDxe:"):], *said[first + 1:]]


def test_the_log_is_that_of_a_cold_start(pc, tmp_path):
    image = guest(tmp_path, "P same as ever")
    cold, warm = boot(pc.line(str(image))), start(pc, image)
    assert lines(cold.text) == lines(warm.text)
    assert lines(warm.text)[-1] == "P same as ever"
    assert (cold.status, warm.status) == (0, 0)
    assert warm.cpu < 0.5 * cold.cpu  # a fifth or less, but machines differ


def test_a_guest_restarts_the_machine(pc, tmp_path):
    image = guest(tmp_path, "R and again")
    said = start(pc, image, "(?s)R and again.*R and again", more=())
    assert "firmware is ready" not in said.text  # the helper does not wait the second time
    assert start(pc, image).status == 0  # with -no-reboot that is the end


def test_a_guest_ends_qemu_by_debug_exit(pc, tmp_path):
    assert start(pc, guest(tmp_path, "X and out")).status == 2 * 0x10 + 1


def test_gdb_finds_the_machine_stopped(pc, tmp_path):
    image, path = guest(tmp_path, "P by gdb's leave"), tmp_path / "gdb"
    answers = []

    def debug():
        with socket.socket(socket.AF_UNIX) as gdb:
            while gdb.connect_ex(str(path)):
                time.sleep(0.05)
            time.sleep(1)  # time to run away in
            for packet in (b"$?#3f", b"$c#63"):
                gdb.sendall(b"+" + packet)
                time.sleep(0.3)
                answers.append(gdb.recv(4096) if packet[1:2] == b"?" else b"")
            gdb.recv(4096)  # until QEMU ends

    thread = threading.Thread(target=debug, daemon=True)
    thread.start()
    chardev = ("-gdb", f"unix:{path},server=on,wait=off", "-S", "-no-reboot")
    said = start(pc, image, more=chardev)
    assert "P by gdb's leave" in said.text
    assert re.search(rb"\$[ST]05", answers[0])  # stopped, before it said anything


def test_aarch64_starts_the_new_disk(tmp_path):
    machine = warmth(tmp_path, "aarch64")
    assert machine.ready(print).taken
    assert edits(machine, tmp_path, EDITS // 2, "aarch64") == []


# A state that is not as it should be --------------------------------------------------------------


def test_a_state_that_was_cut_is_refused(pc, tmp_path):
    whole = firmware_state.resume
    warm = pc.ready(print)
    path = next(Path(pc.folder).glob("*.warm"))
    short = tmp_path / "short"
    short.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    image = guest(tmp_path, "P nobody sees this")
    said = boot([*pc.line(str(image)), *whole(warm.more[1], str(short))])
    assert said.status == 1
    assert said.text == ""


def test_what_qemu_says_is_why_there_is_none(tmp_path):
    cold = warmth(tmp_path, more=["-device", "nothing"]).ready(print).cold
    assert "'nothing' is not a valid device" in cold


@pytest.mark.slow
def test_keys_that_are_enforced_let_no_helper_run(tmp_path):
    names = {"_CODE": "_CODE_4M.ms.fd", "_VARS": "_VARS_4M.ms.fd"}
    paths = {name: f"/usr/share/OVMF/OVMF{path}" for name, path in names.items()}
    if not all(map(os.path.exists, paths.values())):
        tool("ovmf")  # says so

    def with_keys(image, arch):
        argv = [re.sub(r"file=\S*(_CODE|_VARS)\S*", lambda found: "file=" + paths[found[1]], word)
                for word in line(image, arch)]
        argv[argv.index("q35")] = "q35,smm=on"
        return [*argv, "-global", "driver=cfi.pflash01,property=secure,value=on"]

    machine = Warmth(StateFolder(str(tmp_path / "os.img")),
                     lambda image: with_keys(image, "x86_64"), "x86_64", Session())  # fmt: skip
    assert machine.ready(print) == ([], "the firmware starts no helper, as with Secure Boot", False)


def test_a_path_of_any_kind(pc, tmp_path):
    path = next(Path(pc.folder).glob("*.warm"))
    odd = tmp_path / "a 'b' \"c\" $d;e, \udcff"
    odd.write_bytes(path.read_bytes())
    image = guest(tmp_path, "P odd")
    more = firmware_state.resume(pc.ready(print).more[1], str(odd))
    assert "P odd" in boot([*pc.line(str(image)), *more]).text
