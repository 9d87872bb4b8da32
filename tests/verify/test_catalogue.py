"""The reference page is the catalogue; every code is used, and every code is tested."""

import ast
import re
from pathlib import Path

from doit_diskimg.verify.catalogue import RULES, SECTIONS, page

TOP = Path(__file__).parents[2]


def test_the_page_is_the_catalogue():
    text = (TOP / "docs/reference/findings.md").read_text()
    assert text == page(), "python -m doit_diskimg.verify.catalogue > docs/reference/findings.md"
    assert [code for codes in SECTIONS.values() for code in codes] == list(RULES)


def strings(folder):
    """Return every text in the Python files of a folder."""
    return {
        node.value
        for path in sorted((TOP / folder).rglob("*.py"))
        if path.name != "catalogue.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_is_reported_and_tested():
    # gpt-primary and gpt-backup are made from the header's name.
    reported = strings("doit_diskimg") | {"gpt-primary", "gpt-backup"}
    assert set(RULES) - reported == set()
    assert set(RULES) - {word for text in strings("tests") for word in text.split()} == set()


def test_codes_are_words():
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in RULES)
