"""The snippets of the documentation: what each needs, and a project in which it runs as written.

A block of Python is a dodo.py; one that imports nothing goes on with the block before it.  HTML
comments before a block, which no reader sees, say what it needs beside itself:

    <!-- needs: build/kernel.elf build/boot.bin:boot -->   files; behind the colon, of which kind
    <!-- continues -->                    it goes on with the block before it, though it imports
    <!-- continues: embed.md -->          it goes on with the first one of another page
    <!-- doit: os.img -->                 what to run, unless all
    <!-- script -->                       it is no dodo.py; it runs when the former block was built
    <!-- not run: why -->
    <!-- source: doit_diskimg/plan/patch.py diff -->   a copy of it; test_included.py compares

What a page describes and gives to no task of doit's (`Ext({...})` alone, a `Disk` without its two
last lines) is built too: `undone` puts a disk around it.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WORDS = "needs|continues|doit|script|source|not run"
_COMMENT = re.compile(rf"<!-- ({_WORDS})(?:: (.*?))? -->\n", re.DOTALL)
_SAYS_SO = re.compile(r"(?:<!-- [^>]* -->\n)+\Z")

_UNDONE = """

from pages import undone

def task_undone():
    yield from undone(globals())
"""


@dataclass
class Block:
    """A block of a page."""

    page: str
    line: int
    language: str
    text: str
    says: dict[str, str] = field(default_factory=dict)
    before: "Block | None" = None
    """The block of Python that it goes on with; for other languages, the one before it."""

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def begins(self) -> bool:
        """Whether it is a dodo.py by itself, which nothing has to come before."""
        is_dodo = self.language == "python" and "script" not in self.says
        return is_dodo and re.search("^from .* import ", self.text, re.MULTILINE) is not None

    @property
    def whole(self) -> str:
        """The text with all that it goes on with."""
        return (self.before.whole + "\n" if self.before else "") + self.text

    @property
    def needs(self) -> list[str]:
        return [*(self.before.needs if self.before else []), *self.says.get("needs", "").split()]

    @property
    def dodo(self) -> str:
        """The dodo.py: the value of an expression at the end of the block gets a name."""
        own, last = self.text, ast.parse(self.text).body[-1]
        if isinstance(last, ast.Expr):
            lines = own.splitlines(keepends=True)
            lines[last.lineno - 1] = f"shown = {lines[last.lineno - 1]}"
            own = "".join(lines)
        before = self.before.whole + "\n" if self.before else ""
        return f"{before}{own}{_UNDONE}"


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    former = None
    for match in _FENCE.finditer(text):
        comments = _SAYS_SO.search(text, 0, match.start())
        says = dict(_COMMENT.findall(comments[0])) if comments else {}
        if "source" in says:
            continue
        block = Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2], says)
        if block.says.get("continues"):
            other = str((ROOT / page).parent.joinpath(says["continues"]).resolve())
            block.before = next(b for b in blocks(str(Path(other).relative_to(ROOT)))
                                if b.language == "python")
        elif "continues" in says or not block.begins:
            block.before = former
        if block.language == "python" and "script" not in says and "not run" not in says:
            former = block
        yield block


def undone(names: dict) -> Iterator[dict]:
    """Yield the tasks of what a dodo.py describes and no task of its own makes."""
    import doit_diskimg as d

    source = Path("dodo.py").read_text(encoding="utf-8")
    for name, value in [*names.items()]:
        if isinstance(value, d.Disk) and name != "shown" and f"{name}.tasks()" not in source:
            yield from value.tasks()
    value = names.get("shown")
    if value is None:
        return
    own = {"image": "build/shown.img", "name": "shown.img"}
    if isinstance(value, d.Disk):
        disk = replace(value, **own)
    elif isinstance(value, d.Segment):
        disk = replace(names["disk"], boot=None, segments=[value], **own)
    elif isinstance(value, d.BootCode):
        disk = replace(names["disk"], boot=value, **own)
    elif hasattr(value, "KIND"):
        disk = replace(names["disk"], outputs=[value], **own)
    elif isinstance(value, d.Mbr):
        part = d.Partition("a", d.Zero(), type=0x83, size="1MiB", logical=True)
        disk = d.Disk(**own, size="64MiB", table=value, partitions=[part])
    elif isinstance(value, d.Partition):
        disk = d.Disk(**own, size="auto", table=d.Gpt(), partitions=[value])
    else:
        part = d.Partition("p", value, size="64MiB", type="linux-filesystem")
        disk = d.Disk(**own, size="auto", table=d.Gpt(), partitions=[part])
    yield from disk.tasks()
