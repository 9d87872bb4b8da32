"""Every engine makes the volumes of the examples, and they are the same.

Without guestfish, which takes 20 seconds for each: it is not on the PATH here.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools import tool


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("hello", "hello.img:files:crosscheck"),
        ("bios", "bios.img:boot:crosscheck"),
        ("uefi", "uefi.img:esp:crosscheck"),
        ("existing_project", "tinyos.img:esp:crosscheck"),
    ],
)
def test_engines_agree_about_an_example(
    example: Callable[[str], Any], name: str, task: str, tmp_path: Path
) -> None:
    for program in ("mkfs.fat", "mmd", "mcopy", "mattrib", "gcc", "ld", "objcopy", "as", "sh"):
        (tmp_path / program).symlink_to(tool(program))
    done = subprocess.run(
        [sys.executable, "-m", "doit", task], cwd=example(name).folder, capture_output=True,
        env={**os.environ, "PATH": str(tmp_path)}, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert {"mtools: the same", "pyfatfs: the same"} <= set(said)
    assert said[-1] == "guestfish: the program guestfish is not installed"
