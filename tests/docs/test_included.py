"""Blocks of the documentation that are a part of a source file, byte for byte.

A comment before the block says of which file, and which functions or classes of it; without
names it is the whole file:

    <!-- source: doit_diskimg/plan/patch.py diff -->

`python tests/docs/test_included.py` writes the blocks anew.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"(<!-- source: (\S+)((?: \S+)*) -->\n```\w*\n)(.*?)(^```$)", re.M | re.S)


def part(text: str, names: list[str]) -> str:
    """Return the functions and classes of a module that have these names, or all of it."""
    if not names:
        return text
    lines = text.splitlines(keepends=True)
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found[node.name] = "".join(lines[first - 1 : node.end_lineno])
    return "\n\n".join(found[name] for name in names)


def renewed(page: str) -> str:
    """Return a page with every such block as its source is now."""
    def block(match: re.Match[str]) -> str:
        text = (ROOT / match[2]).read_text(encoding="utf-8")
        return match[1] + part(text, match[3].split()) + match[5]

    return _BLOCK.sub(block, page)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_is_shown_is_the_source(path):
    text = path.read_text(encoding="utf-8")
    assert renewed(text) == text, "python tests/docs/test_included.py"


def test_a_page_includes_the_source():
    assert any(_BLOCK.search(path.read_text(encoding="utf-8")) for path in PAGES)


F, G, A = "@cache\ndef f():\n    return 1\n", "def g():\n    return 2\n", "class A:\n    b = 3\n"
SOURCE = f'"""Doc."""\n\n\n{F}\n\n{G}\n\n{A}'


@pytest.mark.parametrize(("names", "expected"), [
    ([], SOURCE),
    (["f"], F),
    (["g"], G),
    (["A", "f"], f"{A}\n\n{F}"),
])
def test_parts_of_a_module(names, expected):
    assert part(SOURCE, names) == expected


def test_a_block_that_differs_is_written_anew():
    comment = "<!-- source: tests/docs/test_included.py test_parts_of_a_module -->"
    page = f"a\n{comment}\n```python\nold\n```\nb\n"
    assert "def test_parts_of_a_module(names" in renewed(page)
    assert renewed(renewed(page)) == renewed(page)
    assert renewed(page).startswith("a\n<!--")
    assert renewed(page).endswith("```\nb\n")


if __name__ == "__main__":
    for each in PAGES:
        before = each.read_text(encoding="utf-8")
        if (after := renewed(before)) != before:
            each.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{each.relative_to(ROOT)}\n")
