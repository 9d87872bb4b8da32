"""QEMU's argument list: what goes in, what comes out."""

import io

import pytest

from doit_diskimg.host.qemu import find
from doit_diskimg.host.qemu.command import (
    Flash,
    Host,
    Machine,
    attended,
    command,
    monitor,
    watched,
    words,
)

TCG = Host("/usr/bin/qemu-system-x86_64", None, "tcg")
UEFI = Host("q", Flash("/fw/CODE.fd", "/fw/VARS,1.fd"), "kvm")
DISK = "format=raw,snapshot=on,file=./os.img"


@pytest.mark.parametrize(
    ("machine", "host", "argv"),
    [
        (
            Machine("os.img"), TCG,
            ["/usr/bin/qemu-system-x86_64", "-accel", "tcg", "-drive", DISK, "-net", "none"],
        ),
        (
            Machine("os.img", snapshot=False), TCG,
            [TCG.program, "-accel", "tcg", "-drive", "format=raw,file=./os.img", "-net", "none"],
        ),
        (
            Machine("a,b.img", interface="virtio"), TCG,
            [TCG.program, "-accel", "tcg",
             "-drive", "format=raw,if=virtio,snapshot=on,file=./a,,b.img", "-net", "none"],
        ),
        (
            Machine("os.vmdk", format="vmdk"), TCG,
            [TCG.program, "-accel", "tcg", "-drive", "format=vmdk,snapshot=on,file=./os.vmdk",
             "-net", "none"],
        ),
        (
            Machine("os.img", machine="pc", cpu="max", memory=256 << 20, debug_exit=True), TCG,
            [TCG.program, "-accel", "tcg", "-machine", "pc", "-cpu", "max", "-m", "256M",
             "-drive", DISK, "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-net", "none"],
        ),
        (
            Machine("os.img"), UEFI,
            ["q", "-accel", "kvm", "-machine", "q35",
             "-drive", "format=raw,if=pflash,unit=0,readonly=on,file=/fw/CODE.fd",
             "-drive", "format=raw,if=pflash,unit=1,snapshot=on,file=/fw/VARS,,1.fd",
             "-drive", DISK, "-net", "none"],
        ),
        (
            Machine("os.img", machine="pc"), UEFI,
            ["q", "-accel", "kvm", "-machine", "pc",
             "-drive", "format=raw,if=pflash,unit=0,readonly=on,file=/fw/CODE.fd",
             "-drive", "format=raw,if=pflash,unit=1,snapshot=on,file=/fw/VARS,,1.fd",
             "-drive", DISK, "-net", "none"],
        ),
        (
            Machine("os.img", arguments=("-nic", "user", "-m", "1G")), TCG,
            [TCG.program, "-accel", "tcg", "-drive", DISK, "-nic", "user", "-m", "1G"],
        ),
    ],
)
def test_command(machine, host, argv):
    assert command(machine, host) == argv


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (attended(display=True, gdb=False), "-serial stdio"),
        (attended(display=False, gdb=False), "-serial stdio -display none"),
        (attended(display=True, gdb=True), "-serial stdio -s -S"),
        (watched(stay=False), "-display none -serial stdio -no-reboot"),
        (watched(stay=True), "-display none -serial stdio -no-reboot -no-shutdown"),
        (monitor(7), "-chardev socket,id=qmp,fd=7 -mon chardev=qmp,mode=control"),
    ],
)
def test_what_each_kind_of_run_adds(argv, expected):
    assert " ".join(argv) == expected


def test_the_words_that_may_be_files():
    arguments = ["-kernel", "build/k.elf", "-drive", "if=ide,file=a,,b.img", "-m", "1G"]
    assert [*words(arguments)] == [
        "-kernel", "build/k.elf", "-drive", "ide", "a,b.img", "-m", "1G",
    ]


@pytest.mark.parametrize(("kvm", "flags", "accel"), [
    (True, "fpu vmx sse", "kvm"), (True, "fpu svm", "kvm"), (True, "fpu sse", "tcg"),
    (True, "vmx_of_another_name", "tcg"), (True, None, "tcg"), (False, "fpu vmx", "tcg"),
])
def test_kvm_is_used_where_the_cpu_is_made_for_it(monkeypatch, kvm, flags, accel):
    def cpuinfo(path, **options):
        if flags is None:
            raise FileNotFoundError(path)
        return io.StringIO(f"processor : 0\nvendor_id : vmx svm\nflags : {flags}\n")

    monkeypatch.setattr(find.os, "access", lambda path, mode: kvm and path == "/dev/kvm")
    monkeypatch.setattr(find, "open", cpuinfo, raising=False)
    assert find.accel() == accel
