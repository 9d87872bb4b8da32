"""The file allocation table: cluster chains <-> 12, 16 or 32 bits per cluster.

Microsoft, "FAT32 File System Specification", version 1.03, section "FAT Data Structure".  Entry
``n`` says which cluster follows cluster ``n``; 0 says that it is free.  Entries 0 and 1 belong to
no cluster.  Of FAT32's 32 bits the upper four are reserved, and zero in a new volume.

A table is an ``array`` of unsigned integers here, so that a chain of a hundred thousand clusters
is one assignment to a slice.
"""

import sys
from array import array
from collections.abc import Iterable
from typing import NamedTuple

END_OF_CHAIN = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}
"""What the last cluster of a chain holds, by FAT type; and entry 1, in which it means "clean"."""

FIRST_CLUSTER = 2
"""The number of the first cluster of the data area."""

# Typecodes have sizes by platform, not by promise: 4 bytes are "I" almost everywhere.
_HALF = "H"
_WORD = next(code for code in "IL" if array(code).itemsize == 4)
assert array(_HALF).itemsize == 2


class ClusterRun(NamedTuple):
    """``length`` clusters that follow one another, from cluster ``first``."""

    first: int
    length: int

    @property
    def end(self) -> int:
        """The first cluster after the run."""
        return self.first + self.length


def table(runs: Iterable[ClusterRun], *, fat: int, media: int) -> "array[int]":
    """Return the entries in which each run is one chain.

    The table ends with the last cluster in use: what follows is free, and free is zero.  Runs may
    come in any order and must not overlap.
    """
    end = END_OF_CHAIN[fat]
    used = [run for run in runs if run.length]
    length = max((run.end for run in used), default=FIRST_CLUSTER)
    entries = array(_HALF if fat == 16 else _WORD, [0]) * length
    entries[0] = end & ~0xFF | media
    entries[1] = end
    for run in used:
        last = run.end - 1
        entries[run.first : last] = array(entries.typecode, range(run.first + 1, run.end))
        entries[last] = end
    return entries


def pack(entries: "array[int]", *, fat: int) -> bytes:
    """Return the bytes of a table, of which FAT12's last may be half used."""
    if fat == 12:
        return _pack12(entries)
    if sys.byteorder == "big":
        entries = entries[:]
        entries.byteswap()
    return entries.tobytes()


def unpack32(data: bytes) -> "array[int]":
    """Return the entries of FAT32 that ``data`` holds, without their reserved bits."""
    entries = array(_WORD)
    entries.frombytes(data[: len(data) // entries.itemsize * entries.itemsize])
    if sys.byteorder == "big":
        entries.byteswap()
    return array(_WORD, (entry & END_OF_CHAIN[32] for entry in entries))


def _pack12(entries: "array[int]") -> bytes:
    """Two entries in three bytes: the lower twelve bits are the even one's."""
    packed = bytearray()
    for low, high in zip(entries[::2], entries[1::2], strict=False):
        packed += (low | high << 12).to_bytes(3, "little")
    if len(entries) % 2:
        packed += entries[-1].to_bytes(2, "little")
    return bytes(packed)
