"""examples/bios finds its stage 2 and its kernel by numbers that are patched into it.

Whether the numbers are right shows in a boot; that this boot would show a wrong one, by one sector
or by one byte, shows here too.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tools import tool

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BALLAST = "__attribute__((used)) static const char ballast[100000] = {[0 ... 99999] = 7};\n"
"""What makes the kernel longer than the 64 KiB of a segment."""

NUMBERS = [
    'at.lba("stage2")',
    'at.sectors("stage2")',
    'at.file_lba("boot", "KERNEL.BIN")',
    'at.file_sectors("boot", "KERNEL.BIN")',
    'at.file_length("boot", "KERNEL.BIN")',
    'at.crc32("boot", "KERNEL.BIN")',
]


@pytest.fixture
def bios(example: Callable[[str], Any], compiler: None) -> Any:
    tool("qemu-system-x86_64")
    return example("bios")


def test_a_kernel_of_several_segments_boots(bios: Any) -> None:
    bios.edit("kernel.c", "#include <stdint.h>\n", f"#include <stdint.h>\n{BALLAST}")
    assert bios.doit("test")[-1] == "test"
    assert (bios.folder / "build/kernel.bin").stat().st_size > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("by", ["+ 1", "- 1"])
def test_a_number_that_is_off_by_one_does_not_boot(bios: Any, number: str, by: str) -> None:
    bios.edit("kernel.c", "#include <stdint.h>\n", f"#include <stdint.h>\n{BALLAST}")
    bios.edit("dodo.py", f"None, {number})", f"None, {number} {by})")
    bios.edit("dodo.py", 'expect="here is C"', 'expect="here is C", forbid="is not", timeout=8')
    if number.startswith(("at.sectors", "at.file_sectors")) and by == "+ 1":
        assert bios.doit("test")[-1] == "test"  # a sector more than there is does no harm
        return
    done = subprocess.run(
        [sys.executable, "-m", "doit", "test"], cwd=bios.folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": ROOT}, timeout=120, check=False,
    )
    assert done.returncode != 0, done.stdout
    log = bios.folder / "build/.bios.img/test.serial.log"
    assert str(log.relative_to(bios.folder)) in done.stdout
    assert "here is C" not in log.read_text(errors="replace")


def run(bios: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "doit"], cwd=bios.folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": ROOT}, timeout=120, check=True,
    )
    return done.stdout


def written(out: str) -> dict[str, str]:
    """Return what each injection that ran has written."""
    lines = out.splitlines()
    return {
        line.split(":")[1]: lines[index + 1]
        for index, line in enumerate(lines)
        if line.startswith(".  ") and line.endswith(":inject")
    }


def test_a_kernel_edit_costs_the_kernel_and_the_sector_of_its_checksum(bios: Any) -> None:
    run(bios)
    length = (bios.folder / "build/kernel.bin").stat().st_size
    stage2 = (bios.folder / "build/stage2.bin").stat().st_size
    assert stage2 < 512
    bios.edit("kernel.c", "Hello from", "Hallo from")
    assert written(run(bios)) == {
        "boot": f"1 extent, {length} B written", "stage2": f"1 extent, {stage2} B written",
    }  # fmt: skip
    bios.edit("kernel.c", "#include <stdint.h>\n", f"#include <stdint.h>\n{BALLAST}")
    assert set(written(run(bios))) == {"boot", "stage2", "bootcode"}
