"""Build tinyos."""

from doit.tools import create_folder

from doit_diskimg import Disk, Esp, Gpt, Qemu, Tree  # added for the disk image

# C file -> the headers that it includes.
SOURCES = {
    "console": ["console", "efi"],
    "files": ["efi", "files"],
    "main": ["console", "efi", "files", "memory"],
    "memory": ["efi", "memory"],
}
OBJECTS = [f"build/{name}.o" for name in SOURCES]

CFLAGS = (
    "-std=c11 -O2 -Wall -Wextra -ffreestanding -fshort-wchar -fpie -mno-red-zone"
    " -fno-stack-protector -fno-asynchronous-unwind-tables -fno-ident"
)
LDFLAGS = "-m i386pep --subsystem 10 --entry kernel_main --strip-all --no-insert-timestamp"
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_compile():
    """C files to object files."""
    for name, headers in SOURCES.items():
        yield {
            "name": name,
            "actions": [
                (create_folder, ["build"]),
                f"gcc {CFLAGS} -c src/{name}.c -o build/{name}.o",
            ],
            "file_dep": [f"src/{name}.c", *(f"src/{header}.h" for header in headers)],
            "targets": [f"build/{name}.o"],
        }


def task_link():
    """Object files to the kernel, an EFI application."""
    return {
        "actions": [f"ld {LDFLAGS} {' '.join(OBJECTS)} -o build/kernel.efi"],
        "file_dep": OBJECTS,
        "targets": ["build/kernel.efi"],
    }


# Added for the disk image, from here to the end.
esp = Esp(
    {"EFI/BOOT/BOOTX64.EFI": "build/kernel.efi", "etc": Tree("sysroot/etc")},
    size="33MiB",
)
disk = Disk("build/tinyos.img", size="36MiB", table=Gpt(), partitions=[esp])


def task_image():
    """Build the bootable disk image."""
    return disk.tasks()


def task_boot():
    """Build what is stale and boot it; the serial port is the terminal (Ctrl-C ends it)."""
    return Qemu(disk, firmware="uefi").run_task()
