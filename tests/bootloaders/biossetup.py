"""GRUB's own installer on the file of an image, as an ordinary user.

`grub-bios-setup` wants to open the device of the file system that its files lie on, though it only
needs it where it can't embed core.img.  In namespaces of its own it finds a list of mounts there
that calls the image that device (mkosi's idea, mkosi/bootloader.py).  The user is nobody: outside
the namespaces it may write to the image and to nothing else, least of all to a disk.
"""

import os
import subprocess
from pathlib import Path

import pytest
from tools import tool

SETUP = Path("/usr/lib/grub/i386-pc/grub-bios-setup")
_NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups"]
_SCRIPT = 'mount --bind "$1" /proc/$$/mountinfo && exec "$2" --no-rs-codes --directory="$3" "$4"'


def install(folder: Path, core: bytes, image: Path) -> bytes:
    """Return the image after grub-bios-setup has put boot.img and ``core`` onto a copy of it."""
    unshare = [tool("unshare"), "--user", "--map-root-user", "--mount"]
    if os.geteuid() == 0:
        unshare = [tool("setpriv"), *_NOBODY, *unshare]
    if not SETUP.exists():
        tool("grub-pc-bin")  # says so
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not permit user namespaces")
    grub, copy, mounts = folder / "grub", folder / "copy.img", folder / "mounts"
    grub.mkdir(parents=True)
    (grub / "boot.img").write_bytes(SETUP.with_name("boot.img").read_bytes())
    (grub / "core.img").write_bytes(core)
    copy.write_bytes(image.read_bytes())
    mounts.write_text(f"1 0 1:1 / / - fat {copy}\n")
    for path in (folder, *folder.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    copy.chmod(0o666)
    subprocess.run(
        [*unshare, "sh", "-c", _SCRIPT, "sh", str(mounts), str(SETUP), str(grub), str(copy)],
        check=True, timeout=60,
    )
    return copy.read_bytes()
