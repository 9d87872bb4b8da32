"""Where a processor stands, by QEMU's table of registers (monitor: ``info registers``); pure.

Each architecture has its own table; this reads the program counter of those that have one by a
name that is usual.
"""

import re
from typing import NamedTuple


class Standing(NamedTuple):
    """The address of the next instruction, and whether the processor waits for an interrupt."""

    address: int
    halted: bool

    def __str__(self) -> str:
        return f"the processor {'was halted' if self.halted else 'was'} at {self.address:#x}"


_HEX = r"(?:0x)?([0-9a-f]{8,16})\b"
_COUNTERS = (
    rf"\b[RE]IP={_HEX}",  # x86
    rf"\bNIP\s+{_HEX}",  # POWER
    rf"\bPSW=mask [0-9a-f]+ addr {_HEX}",  # s390x
    rf"\bPC\s*[=:]?\s*{_HEX}",  # AArch64, RISC-V, MIPS, LoongArch, SPARC, m68k, OpenRISC
    rf"\bR15={_HEX}",  # ARM; others have a register of this name too
)
_CODE_SEGMENT = rf"\bCS\s*=[0-9a-f]+ {_HEX}"
_HALTED = r"\bHLT=1\b"


def standing(table: str) -> Standing | None:
    """Return where the processor of a table stands, None if the table does not tell."""
    for pattern in _COUNTERS:
        if found := re.search(pattern, table, re.IGNORECASE):
            base = re.search(_CODE_SEGMENT, table, re.IGNORECASE)
            start = int(base[1], 16) if base and found[0].upper().startswith("EIP") else 0
            return Standing(start + int(found[1], 16), bool(re.search(_HALTED, table)))
    return None
