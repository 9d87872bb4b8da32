"""A FAT volume as bytes to be damaged; finds places by the standard's formulas and by searching."""

import struct
from pathlib import Path

KERNEL, SUB, EMPTY, README = b"KERNEL  BIN", b"SUB        ", b"EMPTY      ", b"README  TXT"
SPACES = b"ALONGF~1CON"
LABEL = b"LABEL      "

_HEAD = 1200 << 10
"""Bytes of a volume with anything in them; the rest is a hole."""


class Volume:
    """Bytes of a volume with 512 bytes to the sector."""

    def __init__(self, data: bytes, fat: int) -> None:
        assert data.count(0, _HEAD) == max(len(data) - _HEAD, 0)
        self.length = len(data)
        self.data = bytearray(data[:_HEAD])
        self.fat = fat
        self.cluster_sectors, self.reserved, self.copies, root = struct.unpack_from(
            "<BHBH", data, 13
        )
        self.table_sectors = (
            struct.unpack_from("<I", data, 36)[0] if fat == 32
            else struct.unpack_from("<H", data, 22)[0]
        )
        self.root = (self.reserved + self.copies * self.table_sectors) * 512
        self.first = self.root + root * 32  # of the data

    def place(self, cluster: int) -> int:
        return self.first + (cluster - 2) * self.cluster_sectors * 512

    def short(self, name: bytes, start: int = 0) -> int:
        """Return where the short entry with that name lies."""
        at = self.data.index(name, start or self.root)
        assert at % 32 == 0
        return at

    def cluster(self, name: bytes) -> int:
        """Return the first cluster of a name."""
        at = self.short(name)
        high, low = struct.unpack_from("<H4xH", self.data, at + 20)
        return high << 16 | low

    def put(self, at: int, data: bytes) -> None:
        self.data[at : at + len(data)] = data

    def put16(self, at: int, value: int) -> None:
        self.put(at, struct.pack("<H", value))

    def put32(self, at: int, value: int) -> None:
        self.put(at, struct.pack("<I", value))

    def entry(self, cluster: int) -> int:
        """Return an entry of the first FAT."""
        table = self.reserved * 512
        if self.fat == 12:
            (pair,) = struct.unpack_from("<H", self.data, table + cluster * 3 // 2)
            return pair >> 4 if cluster & 1 else pair & 0xFFF
        size = self.fat // 8
        return int.from_bytes(self.data[table + cluster * size :][:size], "little")

    def link(self, cluster: int, value: int, copies: tuple[int, ...] = (0, 1)) -> None:
        """Write an entry of the FAT, into both copies."""
        for copy in copies:
            table = (self.reserved + copy * self.table_sectors) * 512
            if self.fat == 12:
                at = table + cluster * 3 // 2
                (pair,) = struct.unpack_from("<H", self.data, at)
                mixed = pair & 0xF | value << 4 if cluster & 1 else pair & 0xF000 | value
                self.put16(at, mixed)
            elif self.fat == 16:
                self.put16(table + cluster * 2, value)
            else:
                self.put32(table + cluster * 4, value)

    @property
    def end(self) -> int:
        """The mark for the end of a chain."""
        return (1 << min(self.fat, 28)) - 1

    @property
    def bad(self) -> int:
        return self.end - 8

    def unused(self) -> int:
        """Return a free cluster far from everything."""
        return 700

    def recount(self, change: int) -> None:
        """Change FSInfo's count of free clusters, so that it stays right."""
        if self.fat == 32:
            at = 512 + 488
            self.put32(at, struct.unpack_from("<I", self.data, at)[0] + change)

    def write(self, path: Path) -> Path:
        with open(path, "wb") as file:
            file.write(self.data)
            file.truncate(self.length)
        return path
