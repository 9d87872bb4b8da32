"""Runs and tests that go on behind the firmware, by the real doit."""

import signal

import pytest
from efi_guests import firmware, program
from machines import Reader, gone, start
from project import Project
from tools import tool

from doit_diskimg.host.qemu.guest import StateRefusedError
from doit_diskimg.host.qemu.warm_start import Warm
from doit_diskimg.host.state import write_json
from doit_diskimg.kinds.machines.command import Given, Host, Machine
from doit_diskimg.kinds.machines.console import Wiring
from doit_diskimg.plan.content import digest_of
from doit_diskimg.tasks import warming

DODO = """
from doit_diskimg import Disk, Esp, Gpt, Qemu

esp = Esp({"EFI/BOOT/BOOTX64.EFI": "boot.efi"})
disk = Disk("build/os.img", size="64MiB", table=Gpt(), partitions=[esp])
qemu = Qemu(disk, firmware="uefi", debug_exit=0x10)

def task_image():
    return disk.tasks()

def task_boot():
    return qemu.run_task(accel="tcg")

def task_boots():
    return qemu.test_task(expect="^X", warm=True, accel="tcg")

def task_firmware():
    return qemu.firmware_task(accel="tcg")

def task_bios():
    return {**Qemu(disk).firmware_task(), "basename": "bios"}
"""
WAITS = "waiting for the firmware, once for this machine"


def states(project):
    return sorted((project.folder / "build" / ".os.img").glob("*.warm"))


def test_a_run_goes_on_behind_the_firmware(tmp_path):
    tool("qemu-system-x86_64")
    firmware("x86_64")
    project = Project(tmp_path, DODO)
    project.write("boot.efi", program("X one"))
    first = project.doit("boot")
    assert WAITS in first.out
    assert "X one" in first.out
    (state,) = states(project)

    project.write("boot.efi", program("X two"))
    second = project.doit("boot")
    assert WAITS not in second.out
    assert "-incoming" in second.out
    assert "X two" in second.out
    assert "X one" not in second.out

    # A test has the same machine, and the task finds what the run has taken.
    assert "boots" in project.doit("boots").ran
    assert "os.img:firmware" in project.doit("os.img:firmware").skipped
    assert states(project) == [state]

    # A plain doit takes none, and a BIOS has none.
    state.unlink()
    assert "os.img:firmware" not in project.doit().ran
    said = project.doit("bios", code=None).said
    assert "its firmware is not UEFI on flash chips" in said

    # One that is cut, an empty one for instance, of which QEMU would wait for more: a new one.
    state.write_bytes(b"")
    anew = project.doit("boot")
    assert WAITS in anew.out
    assert "X two" in anew.out

    # One that QEMU refuses: cold, and the next time a new one.
    state.write_bytes(b"QEVM and nothing else")
    write_json(f"{state}.json", {"digest": digest_of(state.read_bytes())})
    broken = project.doit("boot")
    assert "starts cold: QEMU refuses the state behind the firmware" in broken.out
    assert "X two" in broken.out
    assert states(project) == []


def test_no_machine_outlives_a_doit_that_waits_for_the_firmware(tmp_path):
    tool("qemu-system-x86_64")
    firmware("x86_64")
    project = Project(tmp_path, DODO)
    project.write("boot.efi", program("X one"))
    process = start(project, "-m", "doit", "os.img:firmware")
    Reader(process).until_a_machine_runs(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert gone(tmp_path)
    assert states(project) == []


def test_ctrl_c_while_it_waits_for_the_firmware_is_no_reason(tmp_path):
    tool("qemu-system-x86_64")
    firmware("x86_64")
    project = Project(tmp_path, DODO)
    project.write("boot.efi", program("X one"))
    reader = Reader(start(project, "-m", "doit", "boot"))
    reader.until(WAITS)
    reader.until_a_machine_runs(tmp_path)
    assert reader.end(signal.SIGINT) == 0
    assert gone(tmp_path)
    assert states(project) == []
    assert not [*(tmp_path / "build" / ".os.img").glob("*.cold.json")]


# The decision, with starts that are none ----------------------------------------------------------

UEFI = Given("flash", ("CODE.fd", "VARS.fd"))


@pytest.fixture
def decide(monkeypatch, capsys):
    """Return a function that decides, and tells how the machine was started and what was said."""

    def decide(
        wanted, *, firmware=UEFI, accel="tcg", cold="", refuses=False, arguments=(), **machine
    ):
        asked, starts = [], []

        class Known:
            def ready(self, tell):
                asked.append("ready")
                return Warm([], cold) if cold else Warm(["-incoming"])

            def refused(self, warm):
                asked.append("refused")

        def start(more, warm):
            starts.append("warm" if warm else "cold")
            if warm and refuses:
                raise StateRefusedError
            return "done"

        monkeypatch.setattr(warming, "warmth_of", lambda *arguments: Known())
        host = Host("qemu", firmware, accel)
        pc = Machine(wiring=Wiring(arguments=arguments), **machine)
        assert warming.warm_or_cold(wanted, pc, host, "os.img", start) == "done"
        return starts, asked, capsys.readouterr().out

    return decide


@pytest.mark.parametrize(("wanted", "more", "starts"), [
    (None, {}, ["warm"]),
    (None, {"accel": "kvm"}, ["cold"]),
    (None, {"firmware": None}, ["cold"]),
    (None, {"firmware": Given("bios", ("OVMF.fd",))}, ["cold"]),
    (None, {"kernel": "vmlinuz"}, ["cold"]),
    (None, {"devices": (f"loader,file={__file__}",)}, ["cold"]),
    (None, {"arguments": ("-fw_cfg", f"name=opt/x,file={__file__}")}, ["cold"]),
    (None, {"arguments": ("-drive", f"file={__file__}")}, ["warm"]),
    (True, {}, ["warm"]),
    (True, {"accel": "kvm"}, ["warm"]),
    (False, {}, ["cold"]),
], ids=str)  # fmt: skip
def test_who_starts_warm(decide, wanted, more, starts):
    assert decide(wanted, **more) == (starts, ["ready"] if starts == ["warm"] else [], "")


def test_a_reason_is_said(decide):
    said = "starts cold: it has no helper\n"
    assert decide(True, firmware=None, cold="it has no helper") == (["cold"], ["ready"], said)


def test_what_is_refused_starts_again(decide):
    starts, asked, said = decide(None, refuses=True)
    assert starts == ["warm", "cold"]
    assert asked == ["ready", "refused"]
    assert said == "starts cold: QEMU refuses the state behind the firmware\n"
