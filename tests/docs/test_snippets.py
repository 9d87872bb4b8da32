"""Every snippet of the README and of docs/, as it is written.

`pages` says what a block needs and how it is run.  Python goes through doit, commands through a
shell; what a page shows of the output is compared, where `...` stands for anything.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pages
import pytest
from bootloaders.liminefiles import as_header, hdd
from doit.doit_cmd import DoitMain
from tools import tool

import doit_diskimg

for name in doit_diskimg.__all__:  # once, here: what is forked has it
    getattr(doit_diskimg, name)

GENERATED = {"docs/reference/errors.md"}  # and run by docs/catalogue.py
PAGES = sorted(
    str(path.relative_to(pages.ROOT))
    for path in [pages.ROOT / "README.md", pages.ROOT / "CONTRIBUTING.md",
                 pages.ROOT / "examples/README.md", *(pages.ROOT / "docs").rglob("*.md")]
)
BLOCKS = [block for page in PAGES if page not in GENERATED for block in pages.blocks(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
SHELL = [block for block in BLOCKS
         if block.language == "sh" or (not block.language and block.text.startswith("$ "))]

NOT_RUN = {
    "README.md": 1,
    "CONTRIBUTING.md": 2,
    "docs/how-to/boot-in-qemu.md": 1,
    "docs/how-to/debug.md": 1,
    "docs/how-to/edit-compile-boot.md": 1,
    "docs/how-to/outputs.md": 1,
    "docs/how-to/test-that-it-boots.md": 1,
    "docs/how-to/verify.md": 1,
    "docs/tutorial/first-disk.md": 1,
}
"""Page -> how many of its blocks are not run; each says why in a comment before it."""

AS_ROOT = "note: this build runs as root; it does not need to\n"

BOOT = bytes([0xEB, 88, 0x90]).ljust(510, b"\0") + b"\x55\xaa"


def vendor_disk(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    table = "label: dos\nstart=2048, size=32768, type=0c\nstart=34816, size=65536, type=83\n"
    subprocess.run([tool("sfdisk"), "-q", path], input=table, text=True, check=True,
                   capture_output=True)


def vendor_volume(path: Path) -> None:
    subprocess.run([tool("mkfs.fat"), "-C", path, "40960"], check=True, capture_output=True)


def elf(path: Path) -> None:
    """A stage 1 with the two labels of the page, of which stage1.bin is made."""
    source = ".globl kernel_lba, kernel_sectors\nkernel_lba: .long 0\n.size kernel_lba, 4\n" \
             "kernel_sectors: .word 0\n.size kernel_sectors, 2\n.fill 300, 1, 0xf4\n"
    subprocess.run([tool("as"), "--32", "-o", path], input=source, text=True, check=True)
    subprocess.run([tool("objcopy"), "-O", "binary", path, path.with_suffix(".bin")], check=True)


KINDS = {
    "boot": lambda path: path.write_bytes(BOOT),
    "fat": vendor_volume,
    "disk": vendor_disk,
    "elf": elf,
    "makefile": lambda path: path.write_text(
        "install:\n\tmkdir -p $(DESTDIR)/bin\n\techo sh > $(DESTDIR)/bin/sh\n"
    ),
    "limine": lambda path: path.write_text(as_header(hdd(8))),
}


def make(folder: Path, block: pages.Block) -> None:
    """Write the files that a block needs, and its dodo.py if it has one."""
    for word in block.needs:
        name, _, kind = word.partition(":")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "page":  # another block of the page, which names itself in its first line
            (text,) = [other.text for other in pages.blocks(block.page)
                       if other.text.startswith(f"# {name}")]
            path.write_text(text)
        elif kind in KINDS:
            KINDS[kind](path)
        else:
            length, salt = int(kind or 3000), len(name)
            some = bytes((n * n + salt) % 251 for n in range(1000))
            path.write_bytes((some * (length // 1000 + 1))[:length])
    if block.language == "python" and "script" not in block.says:
        (folder / "dodo.py").write_text(block.dodo)
    elif block.before is not None:
        (folder / "dodo.py").write_text(block.before.dodo)


def doit(folder: Path, *words: str) -> tuple[int, str]:
    """Run doit in a fork; return its exit code and what it said."""
    said = folder / "said.txt"
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        sys.dont_write_bytecode = True
        code = DoitMain().run(["run", "-o", "report.txt", *words])
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said.read_text(errors="replace")


def needs_programs(block: pages.Block) -> None:
    """Skip where a program is missing that the block is about."""
    for word, program in [("Grub", "grub-mkimage"), ("Ext(", "mke2fs"), ("Iso(", "xorriso"),
                          ("Qcow2(", "qemu-img"), (".zst", "zstd"), ("FatImage(", "mcopy"),
                          ("mtools", "mcopy"), ("objcopy", "as"), ("mdir", "mdir"),
                          ("sfdisk", "sfdisk"), ("fsck.fat", "fsck.fat"), ("crosscheck", "mcopy"),
                          ("grub-fstest", "grub-fstest"),
                          ("$ make", "make"), ("$ ninja", "ninja")]:
        if word in block.whole:
            tool(program)


def ids(block: pages.Block) -> str:
    return block.name


@pytest.mark.parametrize("block", PYTHON, ids=ids)
def test_python(tmp_path: Path, block: pages.Block) -> None:
    if "not run" in block.says:
        compile(block.text, block.name, "exec")
        return
    needs_programs(block)
    make(tmp_path, block)
    if "script" not in block.says or block.before is not None:
        code, said = doit(tmp_path, *block.says.get("doit", "").split())
        assert (code, "Traceback" in said) == (0, False), said
    if "script" in block.says:
        done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, text=True,
                              capture_output=True, env=environment(tmp_path))
        assert done.returncode == 0, done.stderr
    elif "default_tasks" not in block.text and "doit" not in block.says:
        code, said = doit(tmp_path)
        assert (code, re.findall(r"^\.  .*", said, re.MULTILINE)) == (0, []), said


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with `doit` and `python` of ours in PATH."""
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    for program, words in {"doit": "-m doit", "python": ""}.items():
        path = programs / program
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        path.chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"], "/usr/sbin", "/sbin"])
    return {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One folder a block of Python: commands of a page go on where those before them ended."""
    return {"make": tmp_path_factory.mktemp}


def commands(block: pages.Block) -> list[tuple[str, str]]:
    """Return the commands of a block with the output that it shows; none of QEMU, which stays."""
    if block.language == "sh":
        found = [(line, "...") for line in block.text.splitlines()]
    else:
        parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)[1:]
        found = list(zip(parts[::2], parts[1::2], strict=True))
    return [(line, said) for line, said in found if line and not line.startswith("qemu-system")]


def fits(shown: str, said: str) -> bool:
    parts = [re.escape(part.strip()) for part in shown.strip().split("...")]
    return re.fullmatch(r"\s*" + r"[\s\S]*".join(parts) + r"\s*", said) is not None


def folder_of(block: pages.Block) -> str:
    return block.before.name if block.before else block.page


def run_in(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], cwd=folder, text=True, capture_output=True,
                          env=environment(folder))


@pytest.mark.parametrize("block", SHELL, ids=ids)
def test_commands(folders: dict, block: pages.Block) -> None:
    if "not run" in block.says:
        return
    needs_programs(block)
    key = folder_of(block)
    if key not in folders:
        folders[key] = folders["make"]("page")
        make(folders[key], block)
        for earlier in SHELL[: SHELL.index(block)]:  # another worker may have run these
            if folder_of(earlier) == key and "not run" not in earlier.says:
                for line, _ in commands(earlier):
                    run_in(folders[key], line)
    for line, shown in commands(block):
        done = run_in(folders[key], line)
        codes = (0, 1) if line.startswith("doit info") else (0,)  # 1: the task would run
        assert done.returncode in codes, done.stdout + done.stderr
        said = done.stdout.replace(AS_ROOT, "")
        assert fits(shown, said), f"{line}\n{said}\nis not\n{shown}"


def test_what_is_not_run_says_why() -> None:
    left_out = [block for block in BLOCKS if "not run" in block.says]
    assert all(len(block.says["not run"]) > 20 for block in left_out)
    count = {page: sum(block.page == page for block in left_out) for page in PAGES}
    assert {page: number for page, number in count.items() if number} == NOT_RUN


@pytest.mark.parametrize(("shown", "said", "expected"), [
    ("a\n...\nc", "a\nb\nc\n", True), ("a\n...", "b\n", False), ("", "a\n", False),
    ("a 1...", "a 2\n", False), ("", "", True),
])
def test_output_is_compared(shown: str, said: str, expected: bool) -> None:
    assert fits(shown, said) is expected


def test_every_comment_is_understood() -> None:
    for page in PAGES:
        text = (pages.ROOT / page).read_text(encoding="utf-8")
        known = "written by|needs|continues|doit|script|source|not run"
        wild = re.findall(rf"<!-- (?!{known})[^>]*-->", text)
        assert page in GENERATED or not wild, wild
    assert shutil.which("bash")
