"""A UEFI application in C, and the GPT disk that boots it."""

from doit.tools import create_folder

from doit_diskimg import Disk, Esp, Gpt, Qemu

CFLAGS = (
    "-std=c11 -O2 -Wall -Wextra"
    " -ffreestanding -fno-stack-protector"  # no C library below us
    " -fshort-wchar"  # UEFI's characters have 16 bits
    " -mno-red-zone"  # interrupts of the firmware use our stack
    " -fpie -fvisibility=hidden"  # the firmware loads us wherever it likes
    " -fno-asynchronous-unwind-tables -fno-ident"  # nobody there to read them
)
# Debian's ld (and Fedora's, and Arch's) makes PE files too, which is what UEFI loads.
# Subsystem 10 is "EFI application".  Without a timestamp two builds are the same bytes.
LDFLAGS = "-m i386pep --subsystem 10 --entry efi_main --strip-all --no-insert-timestamp"

disk = Disk(
    "build/uefi.img",
    size="36MiB",
    table=Gpt(),
    partitions=[
        # 33 MiB is the least that can be FAT32, which every firmware reads.
        # BOOTX64.EFI under this name is what it starts from a disk it has never seen.
        Esp({"EFI/BOOT/BOOTX64.EFI": "build/hello.efi"}, size="33MiB", label="HELLO"),
    ],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_compile():
    """C to object file."""
    return {
        "actions": [
            (create_folder, ["build"]),
            f"gcc {CFLAGS} -c hello.c -o build/hello.o",
        ],
        "file_dep": ["hello.c", "efi.h", "dodo.py"],  # the flags are in dodo.py
        "targets": ["build/hello.o"],
    }


def task_link():
    """Object file to EFI application."""
    return {
        "actions": [f"ld {LDFLAGS} build/hello.o -o build/hello.efi"],
        "file_dep": ["build/hello.o", "dodo.py"],
        "targets": ["build/hello.efi"],
    }


def task_image():
    """The disk; doit sees that it needs build/hello.efi, and builds that first."""
    return disk.tasks()


qemu = Qemu(disk, firmware="uefi", memory="256MiB")


def task_boot():
    """Boot the disk; its serial port is the terminal (Ctrl-C ends it)."""
    return qemu.run_task()


def task_test():
    """Boot the disk unseen and wait for the line, if anything changed since the last time."""
    return qemu.test_task(expect="^Hello", timeout=120)
