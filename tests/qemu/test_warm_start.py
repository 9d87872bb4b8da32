"""Which machines go on behind their firmware, and which state belongs to which."""

import os
from pathlib import Path

import pytest

from doit_diskimg.host.qemu import firmware_state, warm_start
from doit_diskimg.host.qemu.firmware_state import NotTakenError
from doit_diskimg.host.qemu.warm_start import Warmth, files, obstacle
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import StateFolder

NEED = "host"
CODE = "format=raw,if=pflash,unit=0,readonly=on,file=CODE.fd"
VARIABLES = "format=raw,if=pflash,unit=1,snapshot=on,file=VARS.fd"
UEFI = ["qemu-system-x86_64", "-machine", "q35", "-drive", CODE, "-drive", VARIABLES]


@pytest.mark.parametrize("argv", [
    UEFI,
    [*UEFI, "-drive", "format=raw,if=virtio,snapshot=on,file=/nvme/os.img"],
    [*UEFI, "-machine", "pc-q35-7.2,smm=on", "-M", "accel=tcg"],
    [*UEFI, "-machine", "smm=on,type=virt"],
    [*UEFI[:3], "-drive", CODE, "-snapshot", "-drive", VARIABLES.replace(",snapshot=on", "")],
    [*UEFI, "-device", "isa-debug-exit,iobase=0xf4", "-smp", "4", "-cpu", "max"],
], ids=str)  # fmt: skip
def test_it_may_be_warm(argv):
    assert obstacle(argv) == ""


@pytest.mark.parametrize(("argv", "why"), [
    (UEFI[:3], "its firmware is not UEFI on flash chips"),
    ([*UEFI, "-kernel", "vmlinuz"], "it starts a kernel without the firmware"),
    ([*UEFI, "--kernel", "vmlinuz"], "it starts a kernel without the firmware"),
    (["qemu-system-x86_64", "-bios", "OVMF.fd"], "its firmware is one file, which keeps"),
    ([*UEFI, "-device", "nvme,drive=d"], "QEMU writes no state of a machine with an NVMe disk"),
    ([*UEFI, "-device", "driver=nvme"], "QEMU writes no state of a machine with an NVMe disk"),
    ([*UEFI, "-serial", "mon:stdio"], "its serial ports are not ours"),
    ([*UEFI, "-nographic"], "its serial ports are not ours"),
    ([*UEFI, "-S"], "it waits before its first instruction"),
    ([*UEFI, "-machine", "microvm"], "no helper knows the machine 'microvm'"),
    ([*UEFI, "-M", "raspi3b"], "no helper knows the machine 'raspi3b'"),
    ([*UEFI, "-loadvm", "x"], "it goes on from a state of its own"),
    ([*UEFI[:5], "-drive", VARIABLES.replace(",snapshot=on", "")],
     "the state would overwrite its file of variables"),
], ids=str)  # fmt: skip
def test_it_must_be_cold(argv, why):
    assert obstacle(argv).startswith(why)


def test_contents_of_disks_do_not_matter():
    argv = [*UEFI, "-drive", "file=a.img,if=virtio", "-hda", "b.img", "-dtb", "c,,d.dtb",
            "-device", "loader,file=e.bin,addr=0"]  # fmt: skip
    found = [*files(argv)]
    assert {"CODE.fd", "VARS.fd", "c,d.dtb", "e.bin"} <= {*found}
    assert not {"a.img", "b.img"} & {*found}


# The states, with a machine that is none ----------------------------------------------------------


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that makes a machine, whose state is a short text."""
    for name in ("qemu", "CODE.fd", "VARS.fd"):
        (tmp_path / name).write_text(name)
    taken = []

    def take(argv, helper, state, seconds):
        disk = Path(next(w for w in argv if "if=virtio" in w).rpartition("=")[2])
        assert disk.stat().st_size
        assert disk.parent == tmp_path / ".os.img"  # where no killed doit leaves it for ever
        taken.append(argv)
        if "broken" in argv:
            raise NotTakenError("it is broken")
        os.write(state, b"QEVM" + str(len(taken)).encode())

    monkeypatch.setattr(firmware_state, "take", take)

    def make(*more, arch="x86_64"):
        def line(image):
            argv = [word.replace("CODE.fd", f"{tmp_path}/CODE.fd") for word in UEFI[1:]]
            disk = f"format=raw,if=virtio,file={image}"
            return [str(tmp_path / "qemu"), *argv, *more, "-drive", disk]

        made = Warmth(StateFolder(str(tmp_path / "os.img")), line, arch, Session())
        made.all = taken
        return made

    return make


def states(machine, ending=warm_start.STATE):
    return sorted(name for name in os.listdir(machine.folder) if name.endswith(ending))


def test_a_state_is_taken_once(machine):
    first, again = machine().ready(print), machine().ready(print)
    assert (first.taken, again.taken) == (True, False)
    assert first.more == again.more
    assert first.more[:4] == ["-kernel", firmware_state.helper("x86_64"), "-append", "g"]
    assert len(machine().all) == 1


@pytest.mark.parametrize("change", ["qemu", "CODE.fd"])
def test_it_is_taken_anew_if_a_file_changed(machine, tmp_path, change):
    machine().ready(print)
    (tmp_path / change).write_text("changed")
    assert machine().ready(print).taken


@pytest.mark.parametrize("harm", [b"", b"QEVM", b"QEVM2"], ids=["emptied", "cut", "changed"])
def test_it_is_taken_anew_if_it_is_not_as_it_was_written(machine, harm):
    machine().ready(print)
    Path(machine().folder, *states(machine())).write_bytes(harm)
    assert machine().ready(print).taken
    assert not machine().ready(print).taken


def test_it_is_taken_anew_for_another_machine(machine):
    machine().ready(print)
    assert machine("-cpu", "max").ready(print).taken
    assert not machine().ready(print).taken  # that one stays


def test_few_states_stay(machine):
    for number in range(7):
        assert machine("-smp", str(number)).ready(print).taken
        assert not machine("-smp", "0").ready(print).taken  # it is in use
    assert len(states(machine())) == len(states(machine(), warm_start.WHOLE)) == 3


def test_why_there_is_none_is_kept(machine):
    assert machine("broken").ready(print) == ([], "it is broken", False)
    assert machine("broken").ready(print) == ([], "it is broken", False)
    assert len(machine().all) == 1
    assert states(machine()) == []


def test_a_state_that_was_refused_is_taken_once_more(machine):
    old = machine()
    old.ready(print)
    warm = old.ready(print)
    old.refused(warm)
    new = old.ready(print)
    assert new.taken
    old.refused(new)
    assert old.ready(print) == ([], "QEMU refuses the state that it wrote", False)


def test_there_is_no_helper_for_every_architecture(machine):
    assert machine(arch="riscv64").ready(print).cold == "there is no helper for its architecture"


def test_the_state_folder_goes_with_all_that_is_in_it(machine, tmp_path):
    machine().ready(print)
    machine("broken").ready(print)
    done, left = StateFolder(str(tmp_path / "os.img")).remove()
    assert left == []
    assert {name.rpartition(".")[2] for name in done} == {"warm", "json"}
    assert not os.path.exists(tmp_path / ".os.img")
