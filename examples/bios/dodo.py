"""A BIOS boot chain of one's own, in assembler and C, and the disk that it boots from."""

from doit.tools import create_folder

from doit_diskimg import Disk, Fat, Mbr, Partition, Qemu, Segment

# Where each part is loaded to, and how long it may be.  The sources know these numbers as STAGE1,
# STAGE1_ROOM and so on, so they are written here and nowhere else.
PARTS = {
    "stage1": {"sources": ["stage1.S"], "address": 0x7C00, "room": 440},
    "stage2": {"sources": ["stage2.S", "fat16.c"], "address": 0x8000, "room": 8 * 1024},
    "kernel": {"sources": ["kernel.c"], "address": 0x10000, "room": 384 * 1024},
}
DEFINES = " ".join(
    f"-D{name.upper()}={part['address']:#x} -D{name.upper()}_ROOM={part['room']}"
    for name, part in PARTS.items()
)

CFLAGS = (
    "-std=c11 -Os -Wall -Wextra"
    " -ffreestanding -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables"
)
LDFLAGS = "-nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack -T flat.ld"

disk = Disk(
    "build/bios.img",
    size="16MiB",
    table=Mbr(),
    segments=[
        # The boot code shares sector 0 with the partition table: bytes 0 to 439 are its own.
        Segment("stage1", "build/stage1.bin", start=0),
        # Stage 2 lies in the gap between that sector and the first partition, which is at 1 MiB.
        Segment("stage2", "build/stage2.bin", start=512),
    ],
    partitions=[
        Partition(
            "boot",
            Fat({"KERNEL.BIN": "build/kernel.bin"}, fat=16, label="BIOS"),  # stage 2 reads FAT16
            size="8MiB",
            active=True,  # stage 2 looks for the active partition
        ),
    ],
)


def task_build():
    """Sources to flat binaries; the .elf beside each has the symbols for gdb and objdump."""
    for name, part in PARTS.items():
        mode = "-m32" if name == "kernel" else "-m16"  # stage 2 is left in protected mode
        place = f"-Wl,--defsym=ADDRESS={part['address']:#x},--defsym=ROOM={part['room']}"
        sources = " ".join(part["sources"])
        yield {
            "name": name,
            "actions": [
                (create_folder, ["build"]),
                f"gcc {mode} {CFLAGS} {DEFINES} {LDFLAGS} {place} {sources} -o build/{name}.elf",
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
    return qemu.run()


def task_test():
    """Boot the disk unseen and wait for the kernel, if anything changed since the last time."""
    return qemu.test(expect="here is C")
