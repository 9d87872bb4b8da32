"""The Python of the how-to pages about layouts is legal, and tools like what it describes."""

import re
from pathlib import Path

import pytest
from layouts import judges
from layouts.drawing import draw

import doit_diskimg

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = ["how-to/sizes.md", "how-to/legacy-tables.md"]
FILES = {
    f"build/{name}": bytes(n % 251 for n in range(length))
    for name, length in [
        ("root.ext2", 300_000), ("kernel.elf", 70_000), ("kernel8.img", 9_000),
        ("loader.bin", 20_000), ("mbr440.bin", 440), ("mbr446.bin", 446),
    ]
}
SNIPPETS = [
    pytest.param(text, id=f"{page}-{number}")
    for page in PAGES
    for number, text in enumerate(
        re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    )
    if not text.startswith("from ")  # what the others need, for a dodo.py: tests/docs
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_snippet_can_be_built(tmp_path: Path, snippet: str) -> None:
    names = {name: getattr(doit_diskimg, name) for name in doit_diskimg.__all__}
    disk = eval(snippet, names)
    if isinstance(disk, doit_diskimg.Partition):
        disk = doit_diskimg.Disk("os.img", size="auto", table=doit_diskimg.Mbr(), partitions=[disk])
    elif isinstance(disk, doit_diskimg.Mbr):
        logical = doit_diskimg.Partition(
            "a", doit_diskimg.Zero(), size="1MiB", type=0x83, logical=True
        )
        disk = doit_diskimg.Disk("os.img", size="64MiB", table=disk, partitions=[logical])
    layout = draw(disk, FILES, tmp_path / "os.img")
    if disk.table is None:
        assert judges.fsck(tmp_path / "os.img", 0, layout.size, tmp_path / "fat") == ""
    else:
        assert judges.sfdisk_verdict(tmp_path / "os.img") == []
        assert len(judges.sfdisk(tmp_path / "os.img")) == len(layout.recorded()) > 0


def test_every_field_has_its_row() -> None:
    page = (DOCS / "reference/description.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"## (\w+)\n(.*?)(?=\n## |\Z)", page, re.DOTALL))
    for kind in ("Disk", "Partition", "Segment", "Mbr", "Gpt"):
        every = getattr(doit_diskimg, kind).__dataclass_fields__
        fields = {name for name in every if every[name].init} - {"_", "payload"}
        rows = set(re.findall(r"^\| `(\w+)` \|", sections[kind], re.MULTILINE))
        assert rows == fields
