"""Cards for QEMU, judged by its own card reader (layout L7): it takes powers of two only."""

import subprocess

import pytest
from project import Project
from tools import tool

DODO = """
from doit_diskimg import Disk, Fat, Mbr, Partition, Zero

disk = Disk(
    "build/os.img", size=%r, power_of_two=%r, table=Mbr(),
    partitions=[
        Partition("boot", Fat({"kernel8.img": "kernel8.img"}, fat=32, label="BOOT")),
        Partition("root", Zero(), type="linux-filesystem", size="%dMiB"),
    ],
)

def task_image():
    return disk.tasks()
"""


@pytest.mark.parametrize(
    ("size", "power_of_two", "root", "length"),
    [
        ("auto", True, 5, 64 << 20),
        ("auto", True, 60, 128 << 20),
        ("60MiB", True, 5, 64 << 20),
        ("60MiB", False, 5, None),
        ("auto", False, 5, None),
    ],
)
def test_qemu_takes_the_card(tmp_path, size, power_of_two, root, length):
    project = Project(tmp_path, DODO % (size, power_of_two, root))
    project.write("kernel8.img", b"kernel" * 10_000)
    project.doit()
    done = subprocess.run(
        [tool("qemu-system-x86_64"), "-S", "-display", "none", "-monitor", "stdio",
         "-device", "sdhci-pci", "-device", "sd-card,drive=card",
         "-drive", f"if=none,id=card,format=raw,snapshot=on,file={project.image_path}"],
        input="quit\n", capture_output=True, text=True, timeout=60, check=False,
    )
    if length is None:
        assert done.returncode == 1
        assert "Invalid SD card size" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert project.image_path.stat().st_size == length
