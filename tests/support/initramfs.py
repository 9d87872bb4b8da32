"""A Linux system of two files: Debian's static busybox, and an init that says something.

The archive has the "newc" format of cpio (Linux, Documentation/driver-api/early-userspace/
buffer-format.rst): a header of hexadecimal numbers, a name and the contents for each file.
"""

from pathlib import Path

from tools import tool

_DIRECTORY, _FILE, _DEVICE = 0o040755, 0o100755, 0o020600


def initramfs(path: Path, says: str) -> Path:
    """Write an initramfs that says it on the console and switches the machine off."""
    init = f"#!/bin/busybox sh\n/bin/busybox echo {says}\n/bin/busybox poweroff -f\n"
    entries = [
        ("bin", _DIRECTORY, b"", 0),
        ("dev", _DIRECTORY, b"", 0),
        ("dev/console", _DEVICE, b"", 0x501),  # character device 5, 1
        ("bin/busybox", _FILE, Path(tool("busybox")).read_bytes(), 0),
        ("init", _FILE, init.encode(), 0),
        ("TRAILER!!!", 0, b"", 0),
    ]
    with path.open("wb") as file:
        for number, (name, mode, data, device) in enumerate(entries, start=1):
            file.write(_entry(number, name, mode, data, device))
    return path


def _entry(number: int, name: str, mode: int, data: bytes, device: int) -> bytes:
    fields = [
        number, mode, 0, 0, 1, 0, len(data), 0, 0, device >> 8, device & 0xFF, len(name) + 1, 0,
    ]  # inode, mode, uid, gid, links, mtime, size, device twice, number of its own, name, checksum
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
