"""QEMU: its argument list, where it and its firmware are, a guest under watch."""
