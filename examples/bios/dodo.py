"""A BIOS boot chain of one's own, in assembler and C, and the disk that it boots from."""

from doit.tools import create_folder

from doit_diskimg import BootCode, Disk, Fat, Mbr, Partition, Patch, Qemu, Segment, at

# Where each part is loaded to, and how long it may be.  The sources know these numbers as STAGE1,
# STAGE1_ROOM and so on, so they are written here and nowhere else.
PARTS = {
    "stage1": {"sources": ["stage1.S"], "address": 0x7C00, "room": 440},
    "stage2": {"sources": ["stage2.S"], "address": 0x8000, "room": 8 * 1024},
    "kernel": {"sources": ["kernel.c"], "address": 0x10000, "room": 384 * 1024},
}
DEFINES = " ".join(
    f"-D{name.upper()}={part['address']:#x} -D{name.upper()}_ROOM={part['room']}"
    for name, part in PARTS.items()
)
DEFINES += " -DMAGIC=0x32475453"  # "STG2": stage 1 looks for it where stage 2 has it

CFLAGS = (
    "-m32 -std=c11 -Os -Wall -Wextra"
    " -ffreestanding -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables"
)
LDFLAGS = "-nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack -T flat.ld"

disk = Disk(
    "build/bios.img",
    size="16MiB",
    table=Mbr(),
    # The boot code shares sector 0 with the partition table: bytes 0 to 439 are its own.  The
    # fields that it calls by these names are filled in, so a kernel that grows is found again.
    boot=BootCode(
        "build/stage1.bin",
        elf="build/stage1.elf",
        patches=[
            Patch("stage2_lba", None, at.lba("stage2")),
            Patch("stage2_sectors", None, at.sectors("stage2")),
            Patch("kernel_lba", None, at.file_lba("boot", "KERNEL.BIN")),
            Patch("kernel_sectors", None, at.file_sectors("boot", "KERNEL.BIN")),
        ],
    ),
    segments=[
        # Stage 2 lies in the gap between that sector and the first partition, which is at 1 MiB.
        Segment(
            "stage2",
            BootCode(
                "build/stage2.bin",
                elf="build/stage2.elf",
                patches=[
                    Patch("kernel_length", None, at.file_length("boot", "KERNEL.BIN")),
                    Patch("kernel_crc32", None, at.crc32("boot", "KERNEL.BIN")),
                ],
            ),
            start=512,
        ),
    ],
    partitions=[
        Partition(
            "boot",
            Fat({"KERNEL.BIN": "build/kernel.bin"}, label="BIOS"),
            size="8MiB",
            active=True,  # some BIOSes start no disk without an active partition
        ),
    ],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_build():
    """Sources to flat binaries; the .elf beside each has the symbols for gdb and objdump."""
    for name, part in PARTS.items():
        place = f"-Wl,--defsym=ADDRESS={part['address']:#x},--defsym=ROOM={part['room']}"
        sources = " ".join(part["sources"])
        yield {
            "name": name,
            "actions": [
                (create_folder, ["build"]),
                f"gcc {CFLAGS} {DEFINES} {LDFLAGS} {place} {sources} -o build/{name}.elf",
                f"objcopy -O binary build/{name}.elf build/{name}.bin",
            ],
            "file_dep": [*part["sources"], "flat.ld", "dodo.py"],  # the flags are in dodo.py
            "targets": [f"build/{name}.elf", f"build/{name}.bin"],
        }


def task_image():
    """The disk; doit sees whose targets it is made of, and builds those first."""
    return disk.tasks()


qemu = Qemu(disk)


def task_boot():
    """Boot the disk; its serial port is the terminal (Ctrl-C ends it)."""
    return qemu.run_task()


def task_test():
    """Boot the disk unseen and wait for the kernel, if anything changed since the last time."""
    return qemu.test_task(expect="here is C")
