"""`doit os.img:gdb`: gdb stops in a function of the guest's and shows its line, in batch mode."""

import json
import re
import signal
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
from efi_guests import BOOT_FILE, firmware
from machines import Reader, gone, start
from project import Project
from tools import tool

from doit_diskimg.host.qemu import in_gdb

FUNCTION = """
__attribute__((noinline)) int kernel_main(void)
{
    static volatile int answer = 42;
    for (;;)
        answer++;  /* the line */
}
"""
EFI = FUNCTION + """
unsigned long long entry(void *image, void *system)
{
    return kernel_main();
}
"""
MULTIBOOT = """
asm(".align 4\\n .long 0x1badb002, 0, -0x1badb002\\n"
    ".globl _start\\n _start: mov $0x9000, %esp\\n call kernel_main\\n");
"""
STACK = {
    "aarch64": 'asm(".globl _start\\n _start: ldr x0, =0x40100000\\n mov sp, x0\\n"'
               '    " b kernel_main");',
    "riscv64": 'asm(".globl _start\\n _start: li sp, 0x80100000\\n j kernel_main");',
}
PLACE = {"aarch64": "0x40080000", "riscv64": "0x80000000"}

DODO = """
from doit_diskimg import Disk, Esp, Gpt, Qemu

def task_gdb():
    return Qemu(None, {machine}, kernel="a kernel").gdb_task(
        port={port}, symbols=["a kernel"], launch="launch.json")
"""
UEFI = """
from doit_diskimg import Disk, Esp, Gpt, Qemu

disk = Disk("os.img", size="auto", table=Gpt(), partitions=[
    Esp({{"{file}": "the app.efi"}}, size="4MiB", fat=12)])

def task_image():
    return disk.tasks()

qemu = Qemu(disk, firmware="uefi", arch="{arch}", warm={warm})

def task_boot():
    return qemu.run_task()

def task_gdb():
    return qemu.gdb_task(port={port}, efi={{"the app.efi": "the app.efi"}})
"""


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def compiled(folder, name, source, *words):
    """Compile a kernel with its symbols, in clang's words or in gcc's."""
    (folder / "guest.c").write_text(source)
    argv = [tool(words[0]), *words[1:], "-g", "-O1", "-ffreestanding", "-o", name, "guest.c"]
    subprocess.run(argv, cwd=folder, check=True, stderr=subprocess.PIPE)


def gdb_says(folder, script, argv, port, *, mi=False):
    """Return what gdb says at the end of its script, attached to a machine that waits.

    With ``mi`` it is spoken to as editors do, by its machine interface.
    """
    argv = [*argv, "-gdb", f"tcp:127.0.0.1:{port}", "-S", "-display", "none", "-serial", "null"]
    with subprocess.Popen(argv) as machine:
        try:
            wait_for(port, machine)
            return batch(folder, script, mi=mi)
        finally:
            machine.kill()


def batch(folder, script, *, mi=False):
    words, said = ["-batch", "-x", script, "-ex", "info line"], None
    if mi:
        (settings,) = json.loads((folder / "launch.json").read_text())["configurations"]
        (command,) = settings["customLaunchSetupCommands"]
        words, said = ["--interpreter=mi2"], f'-interpreter-exec console "{command["text"]}"\n'
    argv = [tool("gdb-multiarch"), "-nx", *words]
    with subprocess.Popen(
        argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as gdb:
        if not mi:
            return gdb.communicate(timeout=120)[0]
        gdb.stdin.write(said)
        gdb.stdin.flush()
        heard = ""
        for line in gdb.stdout:
            heard += line
            if line.startswith("*stopped,reason=") or line.startswith("^error"):
                break
        gdb.kill()
        return heard


def wait_for(port, machine):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert machine.poll() is None
        with open("/proc/net/tcp") as file:  # to connect would be to be the debugger
            if f"0100007F:{port:04X} 00000000:0000 0A" in file.read():
                return
        time.sleep(0.05)
    raise AssertionError("no gdb stub")


def test_bios(tmp_path, port):
    compiled(tmp_path, "a kernel", MULTIBOOT + FUNCTION, "gcc", "-m32", "-fno-pic", "-static",
             "-nostdlib", "-no-pie", "-fcf-protection=none",
             "-Wl,-Ttext=0x100000,-n,--build-id=none,-z,noexecstack")
    Project(tmp_path, DODO.format(machine="arch='x86_64'", port=port)).doit("qemu:gdb")
    machine = [tool("qemu-system-x86_64"), "-kernel", str(tmp_path / "a kernel")]
    stops(gdb_says(tmp_path, "qemu.gdb", machine, port))
    said = gdb_says(tmp_path, "qemu.gdb", machine, port, mi=True)
    assert re.search(r'stopped,reason="breakpoint-hit".*func="kernel_main".*line="\d+"', said), said


@pytest.mark.parametrize(("arch", "more"), [
    ("aarch64", ["-cpu", "cortex-a72"]), ("riscv64", ["-bios", "none"]),
])
def test_bare(tmp_path, port, arch, more):
    tool("ld.lld")
    compiled(tmp_path, "a kernel", STACK[arch] + FUNCTION, "clang", "-target", f"{arch}-none-elf",
             "-nostdlib", "-fuse-ld=lld", f"-Wl,-Ttext={PLACE[arch]}", "-static",
             *(["-mcmodel=medany"] if arch == "riscv64" else []))
    Project(tmp_path, DODO.format(machine=f"arch='{arch}'", port=port)).doit("qemu:gdb")
    stops(gdb_says(tmp_path, "qemu.gdb", [
        tool(f"qemu-system-{arch}"), "-machine", "virt", *more,
        "-kernel", str(tmp_path / "a kernel"),
    ], port))


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "warm"), [
    ("x86_64", False), ("x86_64", True), ("aarch64", False),
])
def test_uefi_puts_an_application_anywhere(tmp_path, port, arch, warm):
    tool(f"qemu-system-{arch}")
    firmware(arch)
    text = UEFI.format(file=BOOT_FILE[arch], arch=arch, port=port, warm=warm)
    project = Project(tmp_path, text, image="os.img")
    compiled(tmp_path, "the app.o", EFI, "clang", "-target", f"{arch}-unknown-windows",
             "-gdwarf-4", "-mno-red-zone", "-c")
    subprocess.run([
        tool("lld-link"), "-subsystem:efi_application", "-entry:entry", "-nodefaultlib",
        "-debug:dwarf", "-out:the app.efi", "the app.o",
    ], cwd=tmp_path, check=True)
    project.doit()
    doit = start(project, "-m", "doit", "boot", "--gdb", "--gdb-port", str(port))
    heard = Reader(doit)
    heard.until("ends it)")
    wait_for(port, doit)
    said = batch(tmp_path, "os.gdb")
    heard.end(signal.SIGINT)
    assert gone(tmp_path)
    assert (".warm" in heard.text) == warm
    assert re.search(r"the app.efi is loaded at 0x[0-9a-f]+000\n", said), said
    stops(said)


def stops(said):
    """See that it stands in the function, in its source."""
    assert re.search(r"Breakpoint \d, kernel_main \(\) at guest.c:\d+\n\d+\t", said), said
    line = r'Line \d+ of "guest.c" starts at address 0x[0-9a-f]+ <kernel_main'
    assert re.search(line, said), said


def test_the_script_and_settings_for_vs_code(tmp_path):
    project = Project(tmp_path, """
from doit_diskimg import Qemu

def task_gdb():
    return Qemu(None, kernel="build/k.elf", symbols="build/k.elf").gdb_task(
        "build/debug.gdb", stop=["a", "*0x7c00"], launch=".vscode/launch.json",
        symbols=["build/k.elf", ("stage 2.elf", 0x8000)])
""")
    assert project.doit("qemu:gdb").ran == {"qemu:gdb"}
    assert project.doit("qemu:gdb").ran == set()
    assert (tmp_path / "build/debug.gdb").read_text().splitlines() == [
        "set pagination off", "set confirm off", "target remote localhost:1234",
        'add-symbol-file "./build/k.elf"',
        'add-symbol-file "./stage 2.elf" -o 0x8000', "hbreak a", "hbreak *0x7c00",
        "set confirm on", "continue",
    ]
    (settings,) = json.loads((tmp_path / ".vscode/launch.json").read_text())["configurations"]
    assert settings["program"] == "${workspaceFolder}/build/k.elf"
    assert settings["customLaunchSetupCommands"] == [{"text": "source ./build/debug.gdb"}]
    (tmp_path / ".vscode/launch.json").unlink()
    said = project.doit("info", "qemu:gdb", code=1).out
    assert "'.vscode/launch.json' is not what this task wrote there" in said
    (tmp_path / ".vscode/launch.json").write_text("mine")
    said = project.doit("qemu:gdb", code=1).said
    assert "it is a file that nothing in the state folder proves to be built here" in said
    assert (tmp_path / ".vscode/launch.json").read_text() == "mine"
    project.doit("clean", "qemu:gdb")
    assert not (tmp_path / "build/debug.gdb").exists()
    assert (tmp_path / ".vscode/launch.json").exists()


@pytest.mark.parametrize(("fields", "message"), [
    ("", "gdb.symbols: none is given, gdb must know names and lines"),
    ("symbols=[3]", "gdb.symbols[0]: 3 is given, must be the path of a file, or that and an"),
    ("symbols=3", "gdb.symbols: 3 is given, must be a list"),
    ("symbols='a.elf'", "gdb.symbols: 'a.elf' is given, must be a list"),
    ("symbols=['a'], stop=3", "gdb.stop: 3 is given, must be a name or a list of them"),
    ("efi=['a']", "gdb.efi: ['a'] is given, must be a mapping"),
    ("symbols=['a'], stop='a\\nb'", "gdb.stop: 'a\\nb' is no place of gdb's"),
    ("symbols=['a'], port=0", "gdb.port: it is 0, must be a TCP port (leave it out for 1234)"),
    ("efi={'a': 3}", "gdb.efi: 'a': 3 is given, must be paths"),
    ("symbols=['a'], launch='~/x'", "gdb.launch: '~/x' begins with a home directory"),
])
def test_what_is_refused(tmp_path, fields, message):
    project = Project(tmp_path, f"""
from doit_diskimg import Qemu

def task_gdb():
    return Qemu(None, kernel="k.elf").gdb_task({fields})
""")
    assert f"qemu: {message}" in project.doit(code=3).said


def test_symbols_in_an_elf_are_moved_by_its_text(tmp_path, monkeypatch):
    """An application that objcopy made of an ELF file, whose addresses need not be those of it."""
    compiled(tmp_path, "a.elf", FUNCTION, "gcc", "-shared", "-nostdlib", "-fPIC",
             "-Wl,-Ttext=0x123450")
    monkeypatch.setattr(in_gdb, "gdb", SimpleNamespace(GdbError=ValueError), raising=False)
    assert in_gdb._text_of(str(tmp_path / "a.elf")) == 0x123450
    (tmp_path / "text").write_text("no program at all")
    with pytest.raises(ValueError, match="is neither an ELF nor a PE file of 64 bits"):
        in_gdb._text_of(str(tmp_path / "text"))
