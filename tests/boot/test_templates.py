"""Every template builds as it is, from files of the names that it mentions."""

import re
import subprocess
from pathlib import Path

import pytest
from project import Project
from tools import tool

TEMPLATES = sorted(Path(__file__).parents[2].glob("dodo_templates/*.py"))
BOOT = bytes.fromhex("eb3c90") + bytes(59) + bytes.fromhex("b002e6f4f4ebfd")
"""A boot sector without numbers of its own that ends QEMU through isa-debug-exit."""


def contents(path):
    if path.endswith(("boot.bin", "stage1.bin")):
        return BOOT.ljust(510, b"\0") + b"\x55\xaa"
    return path.encode() * 1000


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_it_builds_and_the_tools_agree(tmp_path, template):
    text = template.read_text()
    (image,) = re.findall(r'"(build/[a-z]+\.img)",', text)
    project = Project(tmp_path, text, image=image)
    for path in re.findall(r'"(build/[a-z0-9]+\.[a-z0-9]+)"', text):
        if path != image:
            project.write(path, contents(path))
    for folder in re.findall(r'Tree\("(\w+)"\)', text):
        project.write(f"{folder}/sub/file.dat", b"data" * 5000)
    project.doit()
    assert not project.doit().ran
    assert len(text.splitlines()) <= 40
    done = subprocess.run(
        [tool("sfdisk"), "-V", project.image_path], capture_output=True, text=True, check=False
    )
    if "table=None" not in text:
        assert "No errors detected" in done.stdout, done.stdout + done.stderr
    project.doit(f"{Path(image).name}:verify")


@pytest.mark.parametrize(("name", "options"), [("bios", ""), ("floppy", "if=floppy,")])
def test_it_boots_the_users_boot_sector(tmp_path, name, options):
    template = next(path for path in TEMPLATES if path.stem == name)
    test_it_builds_and_the_tools_agree(tmp_path, template)
    (image,) = tmp_path.glob("build/[!.]*.img")
    done = subprocess.run(
        [tool("qemu-system-x86_64"), "-drive", f"{options}format=raw,snapshot=on,file={image}",
         "-display", "none", "-net", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        timeout=120, check=False,
    )
    assert done.returncode == 2 * 2 + 1
