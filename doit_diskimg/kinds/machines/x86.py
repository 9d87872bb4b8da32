"""The PC: x86-64 and its 32-bit forebear."""

from doit_diskimg.kinds.machines.architecture import Architecture, Board, Exit, flash

DEBUG_EXIT_PORT = 0xF4
"""I/O port of the device isa-debug-exit, as is usual."""

_EXIT = Exit(
    ("-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=4"),
    f"port {DEBUG_EXIT_PORT:#x}", least=1, most=127, doubled=True,
)  # fmt: skip

_BOARDS = {
    # A machine without PCI and legacy disks that starts a kernel at once.
    "microvm": Board(disk="virtio-mmio", pci=False),
    "isapc": Board(pci=False),
    "q35": Board(ide_units=1),  # they are the ports of an AHCI
    "pc-q35": Board(ide_units=1),
}

X86_64 = Architecture(
    "x86_64",
    package="qemu-system-x86",
    uefi_machine="q35",
    hosts=("x86_64", "AMD64"),
    firmware={
        "bios": None,
        "uefi": flash(
            "ovmf",
            ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),  # Debian
            ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),  # until Debian 12
            ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),  # Fedora
            ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),  # Arch
            ("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
            own=("edk2-x86_64-code.fd", "edk2-i386-vars.fd"),  # one of variables for both
        ),
    },
    exit=_EXIT,
    boards=_BOARDS,
    debugcon=True,
)

I386 = Architecture(
    "i386",
    package="qemu-system-x86",
    uefi_machine="q35",
    hosts=("x86_64", "AMD64", "i386", "i686"),
    firmware={
        "bios": None,
        "uefi": flash(
            "ovmf-ia32",
            ("/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF32_VARS_4M.fd"),
            ("/usr/share/edk2/ia32/OVMF_CODE.4m.fd", "/usr/share/edk2/ia32/OVMF_VARS.4m.fd"),
            own=("edk2-i386-code.fd", "edk2-i386-vars.fd"),
        ),
    },
    exit=_EXIT,
    boards=_BOARDS,
    debugcon=True,
)
