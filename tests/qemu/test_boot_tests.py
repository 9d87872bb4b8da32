"""`Qemu.test` with real machines: when it boots, what passes, what a failure looks like."""

import os
import re
import shutil
import subprocess

import pytest
from doit.exceptions import InvalidTask
from guests import boot_code
from machines import gone, machines, make
from project import Project
from tools import tool

from doit_diskimg import Disk, Expect, Mbr, Qemu


def boots(project, *args, code=0):
    """Ask for the test; return whether a machine was booted."""
    return "boots" in project.doit("boots", *args, code=code).ran


def test_it_boots_again_only_after_a_change(tmp_path):
    project = make(tmp_path)
    assert boots(project)
    assert not boots(project)
    assert "status     : up-to-date" in project.doit("info", "boots").out

    project.write("boot.bin", boot_code("hello again\n", "halts"))
    assert boots(project)
    assert not boots(project)

    (tmp_path / "boot.bin").touch()
    assert not boots(project)

    image = tmp_path / "build/os.img"
    image.unlink()
    assert not boots(project)  # built anew, and the same as the one that passed
    assert image.exists()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Qemu(disk)", 'Qemu(disk, memory="64MiB")', "the arguments changed"),
        ("Qemu(disk)", 'Qemu(disk, arguments=["-name", "x"])', "the arguments changed"),
        ("Qemu(disk)", 'Qemu(disk, cpu="max")', "the arguments changed"),
        ('expect="hello"', 'expect="from"', "what is expected changed"),
        ('expect="hello"', 'expect="hello", forbid="panic"', "what is expected changed"),
        ('expect="hello"', 'expect=["hello", "from"]', "what is expected changed"),
        ('expect="hello"', 'expect=Expect("hello").send("x").expect("from")',
         "what is expected changed"),
        ('expect="hello"', 'expect=["hello"], timeout=61', ""),
        ('expect="hello"', 'expect=Expect("hello", timeout=7)', ""),
    ],
)
def test_another_description(tmp_path, old, new, why):
    project = make(tmp_path)
    assert boots(project)
    text = project.dodo.replace(old, new)
    assert text != project.dodo
    project.write("dodo.py", text)
    assert why in project.doit("info", "boots", code=1 if why else 0).out
    assert boots(project) == bool(why)
    assert not boots(project)


def test_another_file_in_the_arguments(tmp_path):
    arguments = 'arguments=["-fw_cfg", "name=opt/x,file=extra.bin"]'
    project = make(tmp_path, qemu=arguments)
    project.write("extra.bin", b"1")
    assert boots(project)
    project.write("extra.bin", b"2")
    assert boots(project)
    assert not boots(project)


def test_another_version_of_qemu(tmp_path):
    project = make(tmp_path / "project")
    assert boots(project)
    wrapper = tmp_path / "bin/qemu-system-x86_64"
    wrapper.parent.mkdir()
    real = tool("qemu-system-x86_64")
    wrapper.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version 99.0" && exit\n'
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    project.env["PATH"] = f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"
    assert "QEMU's version changed" in project.doit("info", "boots", code=1).out
    assert boots(project)
    assert not boots(project)


PASSES = [
    pytest.param({"then": "powers off", "test": ""}, id="power-off"),
    pytest.param({"then": "powers off", "test": 'forbid="panic"'}, id="power-off-forbid"),
    pytest.param({
        "says": "# ", "then": "powers off when told", "test": 'expect=Expect("#").send("o")',
    }, id="told-to-power-off"),
    pytest.param({"says": "a, b\nc\n", "test": 'expect=["a", "b", "^c"]'}, id="a-list"),
    pytest.param({
        "says": "name? ", "then": "echoes", "test":
        'expect=Expect("name").send("Max\\n").expect("Max").send(b"x\\n").expect("^x$")',
    }, id="a-script"),
    pytest.param({"then": "writes 0x10", "qemu": "debug_exit=0x10", "test": ""}, id="byte"),
    pytest.param({"then": "writes 0x10", "qemu": "debug_exit=0x10"}, id="line-and-byte"),
    pytest.param({"then": "triple fault"}, id="line-then-crash"),
    pytest.param({"says": "login: ", "test": 'expect="^login:"'}, id="a-prompt"),
    pytest.param({"says": "hello\npanic\n", "test": 'expect="hello", forbid="panix"'}, id="forbid"),
]


@pytest.mark.parametrize("case", PASSES)
def test_passes(tmp_path, case):
    project = make(tmp_path, **case)
    assert "booted in" in project.doit("boots").out
    assert gone(tmp_path)


FAILS = [
    pytest.param(
        {"says": "name?\n", "then": "echoes", "test":
         'expect=Expect("name").send("Max\\n").expect("Tom", timeout=0.5)'},
        "no line matched 'Tom' (step 2 of 2) within 0.5 s of the step before, the last line is "
        "'Max', the processor was at 0x7c", "Max", id="a-script",
    ),
    pytest.param(
        {"says": "b\na\n", "test": 'expect=["a", "b"], timeout=2'},
        "no line matched 'b' (step 2 of 2) within 2 s", "a", id="wrong-order",
    ),
    pytest.param(
        {"says": "so far\n", "then": "powers off"},
        "the guest switched the machine off, no line matched 'hello' before that", "so far",
        id="power-off",
    ),
    pytest.param(
        {"says": "so far\n", "then": "triple fault", "test": ""},
        "the guest restarted the machine, by a triple fault perhaps, it must switch the machine "
        "off, the processor was at 0x7c", "so far", id="no-power-off",
    ),
    pytest.param(
        {"says": "so far\n", "test": "timeout=2"},
        "the guest did not switch the machine off within 2 s, the last line is 'so far', the "
        "processor was halted at 0x7c", "so far", id="halts-and-no-power-off",
    ),
    pytest.param(
        {"says": "so far\n", "then": "panics", "qemu": 'arguments=["-device", "pvpanic"]'},
        "the guest reported a panic, no line matched 'hello' before that", "so far", id="panic",
    ),
    pytest.param(
        {"says": "", "test": 'expect="hello", timeout=2'},
        "no line matched 'hello' within 2 s, it said nothing, the processor was halted at 0x7c",
        "(it said nothing)", id="nothing-said",
    ),
    pytest.param(
        {"qemu": 'arguments=["-version"]', "test": ""},
        "QEMU ended with status 0, it must switch the machine off", "QEMU Project developers",
        id="nothing-ran",
    ),
    pytest.param(
        {"says": "nothing much\n", "test": 'expect="hello", timeout=2'},
        "no line matched 'hello' within 2 s", "nothing much", id="silence",
    ),
    pytest.param(
        {"says": "ok\npanic: oh no\n", "test": 'expect="hello", forbid="panic"'},
        "the line 'panic: oh no' matches 'panic'", "panic: oh no", id="forbidden",
    ),
    pytest.param(
        {"says": "so far\n", "then": "triple fault"},
        "the guest restarted the machine, by a triple fault perhaps, no line matched 'hello' "
        "before that", "so far", id="triple-fault",
    ),
    pytest.param(
        {"says": "so far\n", "then": "resets"},
        "the guest restarted the machine", "so far", id="reset",
    ),
    pytest.param(
        {"then": "writes 0x11", "qemu": "debug_exit=0x10"},
        "the guest wrote 0x11 to port 0xf4, QEMU's status must be 33", "hello from here",
        id="another-byte",
    ),
    pytest.param(
        {"then": "halts", "qemu": "debug_exit=0x10", "test": 'expect="hello", timeout=2'},
        "QEMU did not end with status 33 within 2 s", "hello from here", id="no-byte",
    ),
    pytest.param(
        {"says": "so far\n", "then": "writes 0x10", "qemu": "debug_exit=0x10"},
        "the guest wrote 0x10 to port 0xf4, no line matched 'hello' before that", "so far",
        id="byte-without-line",
    ),
    pytest.param(
        {"qemu": 'cpu="nonsense"'},
        "QEMU ended with status 1 and said: qemu-system-x86_64: unable to find CPU model "
        "'nonsense'", "(it said nothing)", id="qemu-refuses",
    ),
    pytest.param(
        {"says": "so far\n", "then": "resets", "test": 'expect="hello", screenshot="build/s.png"'},
        "the guest restarted the machine", "so far", id="reset-with-screenshot",
    ),
]


@pytest.mark.parametrize(("case", "reason", "last"), FAILS)
def test_fails(tmp_path, case, reason, last):
    project = make(tmp_path, **case)
    said = project.doit("boots", code=1).said
    log = "build/.os.img/boots.serial.log"
    assert f"os.img: boots: {reason}" in said
    assert f"the console's log is {log!r}" in said
    assert said.rstrip().endswith(last)
    ended = case.get("then", "").startswith("writes") or any(
        word in case.get("qemu", "") for word in ("nonsense", "-version")
    )
    assert ("its screen 'build/.os.img/boots.failed.png'" in said) == (not ended)
    if "nothing" not in last:
        assert last.encode() in (tmp_path / log).read_bytes()
    assert gone(tmp_path)
    if "within" not in reason:  # which takes its time again
        assert "boots" in project.doit("boots", code=1).ran  # a failure is not remembered


def test_a_flood(tmp_path):
    """As fast as a guest can: the log has an end, and the test has too."""
    project = make(tmp_path, says="again and again\n", then="says it again",
                   test='expect="hello", timeout=2')
    said = project.doit("boots", code=1).said
    assert "os.img: boots: no line matched 'hello' within 2 s, the last line is '" in said
    assert "', the processor was " in said
    log = tmp_path / "build/.os.img/boots.serial.log"
    assert 100_000 < log.stat().st_size <= 65 << 20
    assert gone(tmp_path)


def test_a_failure_leaves_traces(tmp_path):
    project = make(tmp_path, says="the first\n", test='expect="again", timeout=2')
    state = tmp_path / "build/.os.img"
    said = project.doit("boots", code=1).said
    assert (
        "(the console's log is 'build/.os.img/boots.serial.log', "
        "its screen 'build/.os.img/boots.failed.png')"
    ) in said
    assert (state / "boots.failed.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    project.write("boot.bin", boot_code("again\n", "halts"))
    assert boots(project)
    assert b"the first" not in (state / "boots.serial.log").read_bytes()
    assert b"the first" in (state / "boots.failed.log").read_bytes()  # until it fails again
    project.write("boot.bin", boot_code("the second\n", "halts"))
    project.doit("boots", code=1)
    assert b"the second" in (state / "boots.failed.log").read_bytes()
    project.doit("clean", "os.img")
    assert not state.exists()


@pytest.mark.parametrize(
    ("arch", "code"),
    [
        ("aarch64", "52800100 72b08000 d4000002"),  # w0 = 0x84000008 (PSCI's SYSTEM_OFF); hvc 0
        ("riscv64", "001002b7 00005337 55530313 0062a023"),  # 0x5555 to sifive_test at 0x100000
    ],
)
def test_power_off_on_other_machines(tmp_path, arch, code):
    tool(f"qemu-system-{arch}")
    project = bare(tmp_path, arch, code, "")
    assert "booted in" in project.doit("boots").out
    assert not boots(project)


def test_a_power_off_with_a_status_is_none(tmp_path):
    tool("qemu-system-riscv64")
    # 0x33333 to sifive_test: failed, with 3.  QEMU 7.2 ends at once, newer ones by a power-off.
    code = "001002b7 00033337 33330313 0062a023"
    said = bare(tmp_path, "riscv64", code, "").doit("boots", code=1).said
    assert "qemu: boots: QEMU ended with status 3, it must switch the machine off" in said


def bare(folder, arch, code, test):
    """Return a project with a kernel of a few instructions and no disk."""
    project = Project(folder, f"""
from doit_diskimg import Qemu

def task_boots():
    return Qemu(None, arch={arch!r}, kernel="kernel").test_task({test})
""")
    words = [bytes.fromhex(word)[::-1] for word in code.split()]
    project.write("kernel", b"".join(words))
    return project


@pytest.mark.parametrize(
    ("arch", "code", "address"),
    [
        ("aarch64", "14000000", 0x40080000),  # b .
        ("arm", "eafffffe", 0x40010000),  # b .
        ("riscv64", "0000006f", 0x80200000),  # j .
    ],
)
def test_the_address_on_other_machines(tmp_path, arch, code, address):
    tool(f"qemu-system-{arch}")
    project = bare(tmp_path, arch, code, 'expect="never", timeout=2')
    said = project.doit("boots", code=1).said
    assert "qemu: boots: no line matched 'never' within 2 s, " in said
    assert f", the processor was at {address:#x}, the guest must" in said
    assert gone(tmp_path)


def test_the_address_has_a_name(tmp_path):
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    source = ".globl _start, idle\n_start: .fill 16, 1, 0x90\nidle: .fill 400, 1, 0x90\n"
    project = make(tmp_path, qemu='symbols="boot.elf"', test='expect="x", timeout=2')
    for program, words in {"as": ["--32", "-o", "boot.o", "-"], "ld": [
        "-m", "elf_i386", "-Ttext=0x7c00", "-o", "boot.elf", "boot.o",
    ]}.items():  # fmt: skip
        subprocess.run([tool(program), *words], cwd=tmp_path, input=source.encode(), check=True)
    said = project.doit("boots", code=1).said
    assert re.search(r"the processor was halted at (0x7c\w\w) \(idle\+0x\w+\), the guest", said)
    project.write("boot.elf", b"no ELF file")
    assert "the processor was halted at 0x7c" in project.doit("boots", code=1).said


def test_a_program_that_starts_qemu_dies_with_it(tmp_path):
    """Not all who write such a script write `exec`."""
    project = make(tmp_path, qemu='program="./qemu"')
    project.write("qemu", f'#!/bin/sh\n{tool("qemu-system-x86_64")} "$@"\n:\n').chmod(0o755)
    assert boots(project)
    assert gone(tmp_path)


def test_a_screenshot_is_a_target(tmp_path):
    project = make(tmp_path, test='expect="hello", screenshot="build/shots/screen.png"')
    screen = tmp_path / "build/shots/screen.png"
    assert boots(project)
    assert screen.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert not boots(project)
    screen.unlink()
    assert "boots" in project.doit("build/shots/screen.png").ran
    assert screen.exists()
    project.doit("clean", "boots")
    assert not screen.exists()


@pytest.mark.parametrize(
    ("path", "spelling"),
    [("build/s.png",) * 2, ("boot.bin", "here/boot.bin"), ("build/os.img", "alias/os.img")],
)
def test_a_screenshot_replaces_nothing_of_the_user_s(tmp_path, path, spelling):
    project = make(tmp_path, test=f'expect="hello", screenshot={spelling!r}')
    project.write("build/s.png", b"precious")
    (tmp_path / "alias").symlink_to("build")
    (tmp_path / "here").symlink_to(".")
    project.doit()
    before = (tmp_path / path).read_bytes()
    said = project.doit("boots", code=1).said
    assert "nothing in the state folder proves to be built here" in said, said
    project.doit("clean", "boots")
    assert (tmp_path / path).read_bytes() == before
    if path == "build/s.png":
        project.write("dodo.py", project.dodo.replace("size=", "replace=True, size="))
        assert boots(project)
        assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")
        project.write("dodo.py", project.dodo)
        project.write("boot.bin", boot_code("hello again\n", "halts"))
        assert boots(project)
        project.doit("clean", "boots")
        assert not (tmp_path / path).exists()


def test_a_screenshot_shows_the_screen(tmp_path):
    """ImageMagick's and netpbm's readers are not asked for: Python's zlib checks every CRC."""
    import struct
    import zlib

    project = make(tmp_path, test='expect="hello", screenshot="s.png"')
    project.doit("boots")
    data = (tmp_path / "s.png").read_bytes()
    width, height = struct.unpack_from(">II", data, 16)
    assert (width, height) == (720, 400)  # VGA text mode: 80 by 25 characters of 9 by 16
    position, pixels = 8, b""
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (crc,) = struct.unpack_from(">I", data, position + 8 + length)
        assert crc == zlib.crc32(kind + body)
        pixels += body if kind == b"IDAT" else b""
        position += 12 + length
    assert len(set(zlib.decompress(pixels))) > 1  # SeaBIOS left its name there


TWO = '''
def task_more():
    for number in range(3):
        yield {"name": str(number), **qemu.test_task(expect="hello")}
'''


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_several_at_once(tmp_path, kind):
    project = make(tmp_path, more=TWO)
    run = project.doit("run", "-n", "3", "-P", kind, "boots", "more")
    assert {"boots", "more:0", "more:1", "more:2"} <= run.ran
    assert not project.doit("run", "-n", "3", "-P", kind, "boots", "more").ran
    assert gone(tmp_path)


def test_the_guest_does_not_write_to_the_image(tmp_path):
    project = make(
        tmp_path, then="writes to the disk", qemu="snapshot=False, debug_exit=0x10"
    )
    project.doit("os.img")
    before = project.sha256()
    assert boots(project)
    assert project.sha256() == before
    assert not project.doit("os.img").ran


def test_without_qemu(tmp_path):
    project = make(tmp_path)
    project.env["PATH"] = "/nonexistent"
    assert project.doit().ran >= {"os.img:seal"}  # a build needs none
    said = project.doit("boots", code=1).said
    assert (
        "os.img: qemu-system-x86_64: it is not installed, must be in PATH to boot "
        "(install it (Debian package qemu-system-x86))"
    ) in said
    said = project.doit("boot", code=1).said
    assert "(install it (Debian package qemu-system-x86))" in said


def test_firmware_that_is_not_there(tmp_path):
    project = make(tmp_path, qemu='firmware=("CODE.fd", "VARS.fd")')
    said = project.doit("boots", code=1).said
    assert "os.img: firmware: there is no file 'CODE.fd', QEMU has to be given it" in said


BAD = [
    ('firmware="efi"', "firmware: 'efi' is unknown, must be 'bios', 'uefi', a path or a pair of"),
    ('memory="lots"', "memory: 'lots' is not a size, must be bytes or text such as"),
    ("memory=1000", "memory: 1000 is 1,000 bytes, must be a multiple of 1 MiB"),
    ('accel="hvf9"', "accel: 'hvf9' is given, must be 'auto', 'kvm' or 'tcg'"),
    ("debug_exit=0", "debug_exit: it is 0, must be a byte from 1 to 127"),
    ('firmware=("CODE.fd", None)', "firmware: ('CODE.fd', None) is unknown, must be 'bios', "),
    ("machine=5", "machine: 5 is given, must be text (leave it out if in doubt)"),
    ("cpu=None", "cpu: None is given, must be text"),
    ('interface=["ide"]', "interface: ['ide'] is given, must be one of 'ide', 'ahci'"),
    ("symbols=5", "symbols: 5 is given, must be a path"),
    ("program=None", "program: None is given, must be a path"),
    ('snapshot="on"', "snapshot: 'on' is given, must be True or False"),
    ("arguments=None", "arguments: None is given, must be a list with a text for each word"),
    ('arguments=["-smp", 2]', "arguments: ['-smp', 2] is given, must be a list with a text for"),
    ('arguments="-m 1G"', "arguments: '-m 1G' is one text, must be a list"),
]
BAD_TESTS = [
    ('expect="("', "test.expect: '(' can't be used: missing ), unterminated subpattern"),
    ('expect="x", forbid="*"', "test.forbid: '*' can't be used: nothing to repeat"),
    ('expect="x", timeout="1m"', "test.timeout: it is '1m', must be seconds, more than 0"),
    ('expect="x", screenshot=5', "test.screenshot: 5 is not a path, must be the "
                                 "path of a PNG file"),
    ('expect="x", timeout=0', "test.timeout: it is 0, must be seconds, more than 0"),
]


def told(qemu="", test='expect="x"'):
    """Return what doit is told instead of getting tasks."""
    disk = Disk("os.img", size="1MiB", table=Mbr())
    names = {"Qemu": Qemu, "Expect": Expect, "disk": disk}
    with pytest.raises(InvalidTask) as error:
        eval(f"Qemu(disk, {qemu}).test_task({test})", names)
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("qemu", "test", "message"),
    [(qemu, 'expect="x"', message) for qemu, message in BAD]
    + [("", test, message) for test, message in BAD_TESTS],
)
def test_a_bad_description(qemu, test, message):
    (line,) = told(qemu, test)
    assert line.startswith(f"os.img: qemu: {message}")


def test_a_picture_of_a_machine_that_is_gone():
    (line,) = told("debug_exit=0x10", 'screenshot="s.png"')
    assert line.startswith("os.img: qemu: test: nothing says when the guest has passed, must have")


def test_a_path_is_no_disk():
    with pytest.raises(InvalidTask, match=r"^qemu: disk: 'os.img' is given, must be a Disk"):
        Qemu("os.img").run_task()


def test_all_problems_at_once():
    assert len(told('firmware="x", memory=1, accel=""', 'expect="(", timeout=-1')) == 5


def test_a_bad_description_stops_doit(tmp_path):
    said = make(tmp_path, qemu='firmware="efi"').doit(code=3).said
    assert said.startswith("ERROR: os.img: qemu: firmware: 'efi' is unknown")


@pytest.mark.slow
def test_another_uefi(tmp_path):
    from doit_diskimg.host.qemu.find import firmware
    from doit_diskimg.kinds.machines.x86 import X86_64

    project = make(tmp_path, qemu='firmware=("CODE.fd", "VARS.fd")',
                   test='expect="BdsDxe|Shell|UEFI", timeout=120')
    for path, name in zip(firmware(X86_64, "uefi").files, ("CODE.fd", "VARS.fd"), strict=True):
        shutil.copy(path, tmp_path / name)
    assert boots(project)
    assert not boots(project)
    variables = bytearray((tmp_path / "VARS.fd").read_bytes())
    variables[-1] ^= 1
    project.write("VARS.fd", bytes(variables))
    assert "the firmware changed" in project.doit("info", "boots", code=1).out
    assert boots(project)
    assert not boots(project)
    assert not machines(tmp_path)
