"""How much of one volume is looked at: what makes time and memory bounded on any image."""

ENTRIES = 1 << 18
"""Files and directories: some 60 microseconds and 700 bytes each."""

BYTES = 1 << 30
"""Bytes of directories."""

CHARACTERS = 1 << 26
"""Characters of all paths together; deep trees make them long."""


class Budget:
    """Counts down; nothing more is read once one of the three is spent."""

    def __init__(self) -> None:
        self._left = {"files and directories": ENTRIES, "bytes of directories": BYTES,
                      "characters of paths": CHARACTERS}  # fmt: skip
        self._limits = dict(self._left)
        self.spent = ""
        """What ran out, in words for a finding; empty as long as nothing did."""

    def entry(self, path: str) -> bool:
        """Return whether one more file or directory may be looked at."""
        return self._spend("files and directories", 1) and self._spend(
            "characters of paths", len(path)
        )

    def directory(self, length: int) -> bool:
        """Return whether ``length`` more bytes of directories may be read."""
        return self._spend("bytes of directories", length)

    def _spend(self, kind: str, count: int) -> bool:
        self._left[kind] -= count
        if self._left[kind] < 0 and not self.spent:
            self.spent = f"more than {self._limits[kind]:,} {kind}"
        return not self.spent
