"""All architectures that we know more of than their name."""

from doit_diskimg.kinds.machines.architecture import Architecture
from doit_diskimg.kinds.machines.arm import AARCH64, ARM
from doit_diskimg.kinds.machines.loongarch import LOONGARCH64
from doit_diskimg.kinds.machines.riscv import RISCV32, RISCV64
from doit_diskimg.kinds.machines.x86 import I386, X86_64

ARCHITECTURES = {
    it.name: it for it in (X86_64, I386, AARCH64, ARM, RISCV64, RISCV32, LOONGARCH64)
}


def architecture(name: str) -> Architecture:
    """Return what is known of an architecture: of one that we don't know, its name."""
    return ARCHITECTURES.get(name) or Architecture(name)
