"""docs/how-to/boot-sector.md, as it stands: its files are built by doit and booted by QEMU."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools import tool

from doit_diskimg import verify_image

PAGE = Path(__file__).parents[2] / "docs/how-to/boot-sector.md"


@pytest.mark.slow
def test_the_page_boots(tmp_path):
    for block in re.findall(r"```(?:gas|python)\n(# (\S+\.\w+).*?)```", PAGE.read_text(), re.S):
        text, name = block
        (tmp_path / name.rstrip(":")).write_text(text)
    for name in ("as", "objcopy"):
        tool(name)
    doit = [sys.executable, "-m", "doit"]
    subprocess.run(doit, cwd=tmp_path, check=True, timeout=120)
    image = tmp_path / "build/floppy.img"
    assert verify_image(image, witnesses=False) == []
    log = tmp_path / "serial.txt"
    with subprocess.Popen(
        [tool("qemu-system-i386"), "-display", "none", "-no-reboot", "-net", "none",
         "-drive", f"if=floppy,format=raw,file={image},snapshot=on", "-serial", f"file:{log}"],
    ) as guest:
        try:
            for _ in range(240):
                if log.exists() and b"stage 2 is here" in log.read_bytes():
                    return
                with pytest.raises(subprocess.TimeoutExpired):
                    guest.wait(0.25)
            pytest.fail(f"the serial port said {log.read_bytes()!r}")
        finally:
            guest.kill()
