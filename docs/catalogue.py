"""Writes docs/reference/errors.md: `doit docs`, or `python docs/catalogue.py`.

Each class of `doit_diskimg.errors` has its rule in its docstring.  Beside it the page shows a
description that breaks the rule and what doit says of it: the descriptions below are built for real
in a temporary folder.  A test compares the page, and fails for a class without an example.
"""

import contextlib
import inspect
import io
import os
import re
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import doit_diskimg
from doit_diskimg import errors
from doit_diskimg.errors import DescriptionError, DiskimgError, Problem
from doit_diskimg.host import program
from doit_diskimg.host.own import check_target
from doit_diskimg.host.state import StateFolder
from doit_diskimg.tasks.action import RunStep

PAGE = Path(__file__).parent / "reference/errors.md"

HEAD = """\
# Errors

Every refusal is one line: **where** in the description (or which file), **what is** there, **what
must be**, and in parentheses **what to change**. All that is wrong with a description is listed at
once, before a task runs or a byte is written.

Each rule has a class in `doit_diskimg.errors`. An exception carries them in its `problems`:
`DescriptionError` (a `ValueError`) what the description can't have, `WorldError` (an `OSError`)
what a file, a disk or a program did not keep. In the examples, `kernel.elf` has 300 KiB and
`root.ext2` has 1 MiB.

<!-- Written by `doit docs` from doit_diskimg/errors.py and docs/catalogue.py: do not edit. -->
"""

FILES = {
    "kernel.elf": b"k" * (300 << 10), "root.ext2": b"r" * (1 << 20), "modules/net.ko": b"n" * 100,
}


class Example(NamedTuple):
    """A description; and what happens before a step of its build, if that is the mistake."""

    code: str
    words: str = ""
    accident: "Callable[[str], object]" = lambda step: None
    """True for a step that doit would find up to date."""


DATA = 'Partition("data", Fat({}), size="4MiB", persist=True)'
ESP = 'Esp({"kernel.elf": "kernel.elf"}, size="4MiB")'


def _disk(*partitions: str, more: str = "", size: str = "16MiB", table: str = "Gpt()") -> str:
    """Return the text of a description, as a user would write it."""
    inside = "".join(f"    {partition},\n" for partition in partitions)
    parts = f"[\n{inside}]" if partitions else "[]"
    return f'Disk("os.img", size="{size}", table={table}, partitions={parts}{more})'


def _fat(files: str, size: str = "4MiB", more: str = "") -> str:
    return _disk(f'Partition("esp", Fat({files}{more}), type="esp", size="{size}")')


def _boot(code: str, more: str = "") -> str:
    return _disk(ESP, table="Gpt()", more=f",\n    boot=BootCode({code}){more}")


def _ext() -> str:
    return _disk('Partition("root", Ext(Tree("modules")), size="8MiB")')


def _root(more: str = "") -> str:
    return f'Partition("root", File("root.ext2"), type="linux-filesystem"{more})'


def _kernel_changes(step: str) -> None:
    if step == "esp:inject":
        Path("kernel.elf").write_bytes(b"another kernel")


def _plan_is_lost(step: str) -> None:
    if step == "esp:inject":
        os.unlink(".os.img/esp.plan")


def _image_is_a_directory(step: str) -> None:
    if step == "esp:format":
        os.mkdir("os.img")


def _folder_is_theirs(step: str) -> None:
    if step == "esp:format":
        os.mkdir(".os.img")
        Path(".os.img/config").write_bytes(b"precious")


def _state_file_is_a_folder(step: str) -> None:
    if step == "esp:format":
        StateFolder("os.img").make()
        os.mkdir(".os.img/esp.geometry.json")


def _guest_writes(step: str) -> None:
    """Build, and then write to the image; the build after that is the one that fails."""
    if step == "esp:format" and not Path("os.img").exists():
        _build(_evaluate(EXAMPLES["ImageWritten"].code), lambda step: None)
        with open("os.img", "r+b") as image:
            image.write(b"guest")


def _image_is_lost(step: str) -> None:
    """Build, and then remove the image, with what a guest may have written to it."""
    if step == "create" and not Path("os.img").exists():
        _build(_evaluate(EXAMPLES["KeptBytes"].code), lambda step: step.endswith(":reset"))
        os.unlink("os.img")


def _source_is_the_image(step: str) -> None:
    """Build, and then put a link to the image where a source was."""
    if step == "esp:format" and not Path("os.img").exists():
        _build(_evaluate(EXAMPLES["OwnFile"].code), lambda step: None)
        os.unlink("kernel.elf")
        os.symlink("os.img", "kernel.elf")


def _something_writes(step: str) -> None:
    """Write where nothing is, after the image was sealed; a build would notice, this is later."""
    if step == "verify":
        with open("os.img", "r+b") as image:
            image.seek(0x5000)
            image.write(b"ghost")


def _qemu_runs(step: str) -> bool:
    """Build, and lock the image as QEMU does; see `doit_diskimg.host.lock`."""
    import fcntl

    if step == "esp:format" and not Path("os.img").exists():
        _build(_evaluate(EXAMPLES["ImageBusy"].code), lambda step: None)
        Path("kernel.elf").write_bytes(b"another kernel")
        _kept.append(open("os.img", "rb"))  # noqa: SIM115  # as long as QEMU runs
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 201, 1, 0)
        fcntl.fcntl(_kept[-1], fcntl.F_OFD_SETLK, lock)
    return step == "create"


def _programs(*names: str) -> None:
    """Leave only programs of ours that fail; `_folder` has kept the PATH."""
    program._ALSO = ()
    os.environ["PATH"] = os.path.abspath("bin")
    for name in names:
        os.makedirs("bin", exist_ok=True)
        words = f"echo '{name}: Memory allocation failed' >&2; exit 1"
        script = f"#!/bin/sh\ntest \"$1\" = -V && exit; {words}\n"
        Path("bin", name).write_text(script, encoding="ascii")
        os.chmod(f"bin/{name}", 0o755)


def _nothing_is_installed(step: str) -> None:
    _programs()


def _there_is_no_memory(step: str) -> None:
    _programs("mke2fs", "debugfs")


_kept: list[io.BufferedReader] = []

EXAMPLES = {
    "BadValue": Example('Disk("os.img", size="16MiB", table="gpt")'),
    "BadSize": Example('Disk("os.img", size="64MB", table=Gpt())'),
    "Unaligned": Example(_disk(_root(", start=1000000"))),
    "UnknownType": Example(_disk('Partition("root", File("root.ext2"), type="linux-fs")')),
    "BadName": Example(_disk('Partition("esp:1", Fat({}), type="esp", size="4MiB")')),
    "DuplicateName": Example(_disk(_root(), _root())),
    "DuplicateGuid": Example(
        _disk(
            _root(', guid="0fc63daf-8483-4772-8e79-3d69d8477de4"'),
            'Partition("home", File("root.ext2"), type="linux-filesystem",\n'
            '              guid="0fc63daf-8483-4772-8e79-3d69d8477de4")',
        )
    ),
    "TooManyPartitions": Example(
        'Disk("os.img", size="64MiB", table=Gpt(), partitions=[\n'
        '    Partition(f"p{number}", File("root.ext2"), type="esp", size=512)\n'
        "    for number in range(129)\n])"
    ),
    "DuplicatePath": Example(_fat('{"boot.cfg": b"", "BOOT.CFG": b""}')),
    "BadPath": Example(_fat('{"a:b": b""}')),
    "BadPattern": Example(_fat('{"/": Tree("modules", exclude=["!"])}')),
    "BadLabel": Example(_fat("{}", more=', label="TWELVE CHARS"')),
    "BootSectorMismatch": Example(
        _fat("{}", more=r', boot_sector=b"\xeb\x3c\x90MYLOADER" + bytes([0, 2, 8])')
    ),
    "OverTable": Example(_boot("bytes(400) + bytes(range(50))")),
    "UnknownSymbol": Example(
        _boot('"kernel.elf", patches=[Patch(0x5c, "<Q", at.lba("stage_2"))]',
              ',\n    segments=[Segment("stage2", b"...", "64KiB")]')
    ),
    "SymbolCycle": Example(
        _disk(ESP, more=",\n    segments=[\n" + "".join(
            f'        Segment("{name}", BootCode(bytes(8), patches=[\n'
            f'            Patch(0, "<I", at.crc32("{other}"))]), "{start}KiB"),\n'
            for name, other, start in (("a", "b", 64), ("b", "a", 65))
        ) + "    ]")
    ),
    "FieldTooSmall": Example(
        _boot(
            'bytes(99), patches=[\n        Patch(0x40, "B", at.file_sectors("esp", "kernel.elf"))]'
        )
    ),
    "PatchMisplaced": Example(_boot('bytes(99), patches=[Patch(98, "<H", at.lba("esp"))]')),
    "EngineCannot": Example(
        _fat('{"kernel.elf": "kernel.elf"}', more=', engine="mtools", oem_name="MYOS"')
    ),
    "FatTypeImpossible": Example(_fat("{}", "16MiB", ", fat=32")),
    "Overlap": Example(_disk(_root(', start="1MiB"'), ESP[:-1] + ', start="1536KiB")')),
    "OutsideDisk": Example(_disk(ESP, _root(), size="5MiB")),
    "TooSmall": Example('Disk("os.img", size=8192, table=Gpt())'),
    "OwnFile": Example(_disk(ESP), "kernel.elf becomes a link to the image", _source_is_the_image),
    "ContentTooLarge": Example(_disk(_root(", size=65536"))),
    "VolumeFull": Example(_fat('{"kernel.elf": "kernel.elf"}', "256KiB")),
    "DirectoryFull": Example(
        _fat('{f"{number}.TXT": b"" for number in range(600)}', "4MiB")
    ),
    "SourceMissing": Example(_fat('{"kernel.elf": "kernel.efl"}')),
    "SourceKind": Example(_fat('{"modules": "modules"}')),
    "SourceChanged": Example(
        _disk(ESP), "kernel.elf is written while it is copied", _kernel_changes
    ),
    "SourceLength": Example(
        _disk('Partition("root", File("/proc/version"), type="linux-filesystem", size="8MiB")')
    ),
    "SourceShort": Example(
        _disk('Partition("root", File("root.ext2", offset="512KiB", length="1MiB"), type=0x83)',
              table="Mbr()"),
    ),
    "BadImage": Example('DiskImage(base="root.ext2", image="os.img", partitions={1: Fat({})})'),
    "ImageKind": Example(_disk(ESP), "os.img is a directory", _image_is_a_directory),
    "NotOurs": Example(
        _disk(ESP), "the user keeps files of another kind in .os.img", _folder_is_theirs
    ),
    "ImageBusy": Example(_disk(ESP, more=', busy="error"'), "QEMU runs the image", _qemu_runs),
    "ImageWritten": Example(
        _disk(ESP, more=', guest_writes="error"'), "a guest wrote to the image", _guest_writes
    ),
    "KeptBytes": Example(_disk(DATA), "the image was removed", _image_is_lost),
    "ImageWrong": Example(
        _disk(ESP), "something writes to the image before `doit os.img:verify`", _something_writes
    ),
    "StateBroken": Example(_disk(ESP), "a file was removed from the state folder", _plan_is_lost),
    "ProgramMissing": Example(_ext(), "mke2fs is not installed", _nothing_is_installed),
    "ProgramFailed": Example(_ext(), "mke2fs fails", _there_is_no_memory),
    "BootFailed": Example(
        f'Qemu({_disk()},\n     program="true").test_task(expect="^login:")',
        "the machine ends without a word, for which the program `true` stands here",
    ),
    "HostFailed": Example(_disk(ESP), "a folder has a state file's name", _state_file_is_a_folder),
}
"""By the name of the class."""


def kinds() -> list[type[Problem]]:
    """Return the classes of problems, in the order of `doit_diskimg.errors`."""
    return [
        kind for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, Problem) and kind is not Problem
    ]


def page() -> str:
    """Return the page.  Raises KeyError for a class without an example."""
    sections = [HEAD]
    for kind in kinds():
        example = EXAMPLES[kind.__name__]
        message = message_of(kind, example)
        accident = f"\nAnd {example.words}:\n" if example.words else ""
        sections.append(
            f"## {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n"
            f"```python\n{example.code}\n```\n{accident}\n```\n{message}\n```\n"
        )
    return "\n".join(sections)


def message_of(kind: type[Problem], example: Example) -> str:
    """Build the example in a folder of its own; return what is said of the class's rule."""
    with _folder():
        try:
            if said := _build(_evaluate(example.code), example.accident):
                return said.splitlines()[0]
        except DiskimgError as error:
            for problem in error.problems:
                if type(problem) is kind:
                    return re.sub(r"pid \d+", "pid 4711", f"os.img: {problem}")
            raise AssertionError(f"{kind.__name__}: its example says {error}") from error
        finally:
            while _kept:
                _kept.pop().close()
    raise AssertionError(f"{kind.__name__}: nothing is wrong with its example")


def _evaluate(code: str) -> Any:
    names = {name: getattr(doit_diskimg, name) for name in doit_diskimg.__all__}
    return eval(code, names)


def _build(described: Any, before: Callable[[str], object]) -> str:
    """Do what the tasks of a disk do, in their order, or a boot test; return what that says.

    Raises DiskimgError.
    """
    if isinstance(described, dict):
        (test,) = described["actions"]
        _build(test.qemu.disk, before)
        (answer,) = test.boot("test").values()
        return str(answer)
    disk: doit_diskimg.Disk = described
    problems = disk.problems()
    if problems:
        raise DescriptionError(*problems)
    for task in disk.tasks():
        if task["name"] is not None and not task["name"].endswith(":crosscheck"):
            is_done = before(task["name"])
            (action,) = task["actions"]
            if not is_done:
                step = action._step if isinstance(action, RunStep) else action.step
                check_target(step.job.state.image)
                step.run()
    return ""


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    """Stand in a new folder with `FILES` in it."""
    path, also = os.environ.get("PATH", os.defpath), program._ALSO
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, data in FILES.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_bytes(data)
        try:
            yield
        finally:
            os.environ["PATH"], program._ALSO = path, also


if __name__ == "__main__":
    text = page()
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        PAGE.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{PAGE.name} is new\n")
