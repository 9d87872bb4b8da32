"""A disk that says hello: `doit` builds build/hello.img, `doit boot` boots it in QEMU."""

import re

from boot import hello

from doit_diskimg import Disk, Fat, Mbr, Partition, Qemu, Segment

# Change it and run `doit` again: the boot code and one file are written anew, and nothing else.
MESSAGE = "Hello from doit_diskimg: no root, no mount, no loop device."

disk = Disk(
    "build/hello.img",
    size="8MiB",
    table=Mbr(),
    # Bytes 0 to 439 of the disk; the table behind them and the 55 AA at the end come from Mbr().
    segments=[Segment("boot", hello(MESSAGE), start=0)],
    partitions=[
        Partition(
            "files",
            Fat(
                {
                    "README.TXT": "README.md",  # a file of this folder
                    "DOCS/HELLO.TXT": MESSAGE.encode() + b"\r\n",  # or bytes, as they are
                },
                label="HELLO",
            ),
            size="4MiB",
            active=True,  # some BIOSes boot no disk without an active partition
        ),
    ],
)
qemu = Qemu(disk)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """Build the disk image; all it takes is Python."""
    return disk.tasks()


def task_boot():
    """Boot the disk; its serial port is the terminal (Ctrl-C ends it)."""
    return qemu.run_task()


def task_test():
    """Boot the disk unseen and wait for the message, if anything changed since the last time."""
    return qemu.test_task(expect=re.escape(MESSAGE))
