"""How much of one image is looked at: what makes time and memory bounded, whatever is in it.

All volumes of an image share one budget: a table may have thousands of entries, and all of them
may lead to one large volume.
"""

ENTRIES = "files and directories"
DIRECTORIES = "bytes of directories"
CHARACTERS = "characters of paths"
CLUSTERS = "clusters"
FRAGMENTS = "fragments of files"
TABLES = "bytes of FATs"
VOLUMES = "FAT volumes"

LIMITS = {
    ENTRIES: 1 << 18,  # some 60 microseconds and 700 bytes each
    DIRECTORIES: 1 << 30,
    CHARACTERS: 1 << 26,  # deep trees make paths long
    CLUSTERS: 1 << 24,  # that are followed, or looked at one by one: half a microsecond each
    FRAGMENTS: 1 << 19,  # 140 bytes each
    TABLES: 4 << 30,  # read, some of them more than once: a second for each GiB
    VOLUMES: 1 << 10,
}


class SpentError(Exception):
    """Raised where more is asked for than is left; its text is for a finding."""


class Budget:
    """Counts down; once one of the kinds is spent, nothing more is read of the image."""

    def __init__(self) -> None:
        self._left = dict(LIMITS)
        self.spent = ""
        """What ran out, in words for a finding; empty as long as nothing did."""

    def spend(self, kind: str, count: int = 1) -> None:
        """Take ``count`` of a key of `LIMITS`.  Raises SpentError if that is too much."""
        self._left[kind] -= count
        if self._left[kind] < 0 and not self.spent:
            self.spent = f"more than {LIMITS[kind]:,} {kind}"
        if self.spent:
            raise SpentError(self.spent)
