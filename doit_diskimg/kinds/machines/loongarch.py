"""LoongArch: QEMU's ``virt`` board, whose firmware newer QEMUs bring."""

from doit_diskimg.kinds.machines.architecture import Architecture, Board, flash

LOONGARCH64 = Architecture(
    "loongarch64",
    package="qemu-system-loongarch64",
    machine="virt",
    uefi_machine="virt",
    hosts=("loongarch64",),
    firmware={
        "uefi": flash(
            "qemu-efi-loongarch64",
            (
                "/usr/share/qemu-efi-loongarch64/QEMU_EFI.fd",
                "/usr/share/qemu-efi-loongarch64/QEMU_VARS.fd",
            ),
            own=("edk2-loongarch64-code.fd", "edk2-loongarch64-vars.fd"),
        ),
    },
    boards={"virt": Board(disk="virtio")},
)
