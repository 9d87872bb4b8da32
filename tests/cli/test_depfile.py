"""Dependency files: GNU make and Ninja find every source under its name, and no other."""

import os
import subprocess
from pathlib import Path

import pytest
from tools import tool

from doit_diskimg.cli.build_command import escaped, rules

NAMES = [
    "plain", "two words", "three  words", "a#b", "#first", "$dollar", "a$$b", "$(shell ls).c",
    "c:d", "back\\slash", "back\\ slash", "two\\\\ more", "a\\#b", "per%cent", "umläut",
    "a'quote", 'a"quote', "(brackets)", "deep/er/file", "~tilde",
]  # fmt: skip
UNREADABLE = {"a\\#b", "a'quote", 'a"quote'}
"""What no spelling makes Ninja 1.11 read."""

TARGET = "out dir/os $1.img"
MAKEFILE = """
{target}:
\tprintf x >> log
\ttouch '{path}'
-include os.d
"""
NINJA = """
rule build
  command = printf x >> log; touch $out; cp saved.d os.d
  depfile = os.d
  deps = gcc
build {target}: build
"""


def old(path: str) -> None:
    """Make a file that is older than what is built of it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("")
    os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.fixture(params=["make", "ninja"])
def builder(request, tmp_path, monkeypatch):
    """A function that builds, and returns whether anything was to be done."""
    monkeypatch.chdir(tmp_path)
    program = tool(request.param)
    Path(TARGET).parent.mkdir()

    def build(name: str) -> bool:
        if request.param == "ninja" and name in UNREADABLE:
            pytest.skip("Ninja can't read it")
        text = rules({TARGET: [name]})
        Path("os.d").write_text(text)
        Path("saved.d").write_text(text)
        Path("log").write_text("")
        subprocess.run([program], check=True, capture_output=True)
        return Path("log").read_text() != ""

    target = escaped(TARGET)
    Path("Makefile").write_text(MAKEFILE.format(target=target, path=TARGET.replace("$", "$$")))
    ninja = TARGET.replace("$", "$$").replace(" ", "$ ")
    Path("build.ninja").write_text(NINJA.format(target=ninja))
    return build


@pytest.mark.parametrize("name", NAMES)
def test_a_source_of_any_name_decides(builder, name):
    old(name)
    assert builder(name)
    assert not builder(name)
    os.utime(name, (4_000_000_000, 4_000_000_000))
    assert builder(name)
    os.utime(name, (1_000_000_000, 1_000_000_000))


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_vanishes_is_a_reason_and_no_error(builder, name):
    old(name)
    assert builder(name)
    os.unlink(name)
    if "%" in name:
        return  # GNU make would take its rule for a pattern
    assert builder(name)


def test_each_image_has_a_rule_and_each_source_one():
    assert rules({"a.img": ["x", "y"], "b.img": ["y", "a.img"]}) == (
        "a.img: \\\n  x \\\n  y\nb.img: \\\n  y \\\n  a.img\nx:\ny:\n"
    )


def test_a_name_of_two_lines_is_refused():
    with pytest.raises(ValueError, match=r"'a\\nb' has a line break"):
        escaped("a\nb")
