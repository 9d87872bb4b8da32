"""The pages on GRUB and Limine: what they show as a whole dodo.py is built."""

import re
from pathlib import Path

import pytest
from bootloaders.liminefiles import as_header, hdd
from project import Project
from tools import run, tool

DOCS = Path(__file__).parents[2] / "docs/how-to"
PAGES = [
    pytest.param(text, id=f"{page}-{number}")
    for page in ("grub.md", "limine.md")
    for number, text in enumerate(
        re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    )
    if "def task_image" in text
]


def test_there_are_some():
    assert len(PAGES) == 3


@pytest.mark.parametrize("text", PAGES)
def test_the_page_is_built(tmp_path, text):
    project = Project(tmp_path, text)
    project.write("build/kernel.elf", b"kernel" * 1000)
    if "Grub" in text:
        tool("grub-mkimage")
    else:
        project.write("limine/limine-bios-hdd.h", as_header(hdd(8)))
        project.write("limine/limine-bios.sys", b"stage 3")
        project.write("limine/BOOTX64.EFI", b"MZ")
        project.write("limine.conf", "timeout: 0\n")
    project.doit()
    assert not project.doit().ran
    assert "No errors detected" in run("sfdisk", "-V", project.image_path)
    project.doit("os.img:verify")
