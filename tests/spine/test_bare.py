"""A boot sector without 55 AA on a disk without a table is noted, and nothing else."""

import pytest
from fakes import FakeFiles

from doit_diskimg.disk.bootcode import BootCode
from doit_diskimg.disk.bootfield import Patch
from doit_diskimg.disk.segment import Segment, signature_note
from doit_diskimg.extent import Extent

BOOTS = b"\xf4" * 510 + b"\x55\xaa"
FILES = {
    "boots": BOOTS, "short": b"\xf4" * 300, "swapped": b"\xf4" * 510 + b"\xaa\x55",
    "kernel": b"k" * 5000, "half": BOOTS[:511],
}
PATCHED = BootCode(bytes(512), patches=[Patch(510, "<H", 0xAA55)])


def note(found: str) -> str:
    return (
        f"note: segments[0]: bytes 510 and 511 of the disk are {found} and not 55 aa, without "
        "which no BIOS starts it"
    )


@pytest.mark.parametrize(
    ("segment", "others", "said"),
    [
        (Segment("s", "boots", 0), [], ""),
        (Segment("s", BOOTS, 0), [Extent(512, 100)], ""),
        (Segment("s", PATCHED, 0), [], ""),
        (Segment("s", "swapped", 0), [], note("aa 55")),
        (Segment("s", FILES["swapped"], 0), [], note("aa 55")),
        (Segment("s", "short", 0), [], note("00 00")),
        (Segment("s", "short", 0), [Extent(512, 5000)], note("00 00")),
        (Segment("s", "half", 0), [], note("55 00")),
        (Segment("s", "kernel", 0), [], note("6b 6b")),
        (Segment("s", "boots", 0, keep=[(510, 512)]), [], note("00 00")),
        # Somebody else's bytes, which may be right.
        (Segment("s", "short", 0), [Extent(510, 2)], ""),
        (Segment("s", "half", 0), [Extent(511, 1)], ""),
        # No boot code: firmware in its own place, or nothing at all.
        (Segment("s", "kernel", 8192), [], ""),
        (Segment("s", b"", 0), [], ""),
    ],
)
def test_what_is_noted(segment: Segment, others: list[Extent], said: str) -> None:
    files = FakeFiles(FILES)
    picture = segment.fill(files, "segments[0]")
    code = segment.source if isinstance(segment.source, BootCode) else BootCode(segment.source)
    extent = Extent(int(segment.start or 0), code.size(files, "segments[0]"))
    assert signature_note("segments[0]", extent, others, picture, files) == said
