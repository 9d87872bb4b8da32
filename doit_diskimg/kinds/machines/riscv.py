"""RISC-V: QEMU's ``virt`` board, with OpenSBI, which QEMU brings, or without."""

from doit_diskimg.kinds.machines.architecture import Architecture, Board, Exit, Firmware, flash

_EXIT = Exit((), "sifive_test at 0x100000 (0x3333 and the number 16 bits up)")
"""A part of ``virt``; 0x5555 there switches the machine off."""

_BOARDS = {
    "virt": Board(disk="virtio"),
    "": Board(disk="sd", pci=False, kvm=False),  # SiFive's boards
}

RISCV64 = Architecture(
    "riscv64",
    package="qemu-system-riscv64",
    machine="virt",
    uefi_machine="virt",
    hosts=("riscv64",),
    firmware={
        "opensbi": None,
        "none": Firmware("none", [], ""),
        "uefi": flash(
            "qemu-efi-riscv64",
            (
                "/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd",
                "/usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd",
            ),
            (  # Fedora
                "/usr/share/edk2/riscv/RISCV_VIRT_CODE.fd",
                "/usr/share/edk2/riscv/RISCV_VIRT_VARS.fd",
            ),
            own=("edk2-riscv-code.fd", "edk2-riscv-vars.fd"),
        ),
        # In supervisor mode, started by OpenSBI.
        "u-boot": Firmware(
            "kernel", [("/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf",)], "u-boot-qemu"
        ),
    },
    exit=_EXIT,
    boards=_BOARDS,
    memory_start=0x8000_0000,
)

RISCV32 = Architecture(
    "riscv32",
    package="qemu-system-riscv32",
    machine="virt",
    hosts=("riscv32",),
    firmware={"opensbi": None, "none": Firmware("none", [], "")},
    exit=_EXIT,
    boards=_BOARDS,
    memory_start=0x8000_0000,
)
