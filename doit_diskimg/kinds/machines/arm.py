"""ARM: AArch64 and its 32-bit forebear, QEMU's ``virt`` board and the Raspberry Pis."""

from doit_diskimg.kinds.machines.architecture import Architecture, Board, Exit, Firmware, flash

_EXIT = Exit(
    # Arm's semihosting, SYS_EXIT_EXTENDED (0x20) with ADP_Stopped_ApplicationExit and the number.
    ("-semihosting-config", "enable=on,target=native"),
    "semihosting's SYS_EXIT_EXTENDED",
)

_NO_MENU = ("-boot", "menu=on,splash-time=0")
"""AAVMF waits 5 seconds for a key unless the menu is asked for and has no time."""

_BOARDS = {
    "virt": Board(disk="virtio"),
    "sbsa-ref": Board(disk="ahci", kvm=False),
    # The SD card; USB is on the chip.
    "raspi": Board(disk="sd", pci=False, kvm=False),
    "": Board(kvm=False),
}

AARCH64 = Architecture(
    "aarch64",
    package="qemu-system-arm",
    machine="virt",
    uefi_machine="virt",
    uefi_words=_NO_MENU,
    cpu="cortex-a72",  # what QEMU takes for virt has 32 bits
    hosts=("aarch64", "arm64"),
    firmware={
        "uefi": flash(
            "qemu-efi-aarch64",
            ("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
            ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),  # Debian 12
            (  # Fedora
                "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
                "/usr/share/edk2/aarch64/vars-template-pflash.raw",
            ),
            (  # Arch
                "/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd",
            ),
            own=("edk2-aarch64-code.fd", "edk2-arm-vars.fd"),
        ),
        "u-boot": Firmware("bios", [("/usr/lib/u-boot/qemu_arm64/u-boot.bin",)], "u-boot-qemu"),
    },
    exit=_EXIT,
    boards=_BOARDS,
    memory_start=0x4000_0000,
)

ARM = Architecture(
    "arm",
    package="qemu-system-arm",
    machine="virt",
    uefi_machine="virt",
    uefi_words=_NO_MENU,
    firmware={
        "uefi": flash(
            "qemu-efi-arm",
            ("/usr/share/AAVMF/AAVMF32_CODE.fd", "/usr/share/AAVMF/AAVMF32_VARS.fd"),
            own=("edk2-arm-code.fd", "edk2-arm-vars.fd"),
        ),
        "u-boot": Firmware("bios", [("/usr/lib/u-boot/qemu_arm/u-boot.bin",)], "u-boot-qemu"),
    },
    exit=_EXIT,
    boards=_BOARDS,
    memory_start=0x4000_0000,
)
