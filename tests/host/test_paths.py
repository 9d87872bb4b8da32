"""One spelling for each path."""

import os
from pathlib import Path

import pytest

from doit_diskimg.host.paths import normal, spellings, spellings_below


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", "a"),
        ("./a", "a"),
        ("a/./b//c", "a/b/c"),
        ("a/", "a"),
        ("a/../b", "b"),
        ("../a", "../a"),
        (".", "."),
        ("{here}/a", "a"),
        ("{here}/a/../b", "b"),
        ("{here}", "{here}"),
        ("{here}-not/a", "{here}-not/a"),
        ("/elsewhere/./a", "/elsewhere/a"),
        (Path("a/b"), "a/b"),
    ],
)
def test_a_path_has_one_spelling(here, path, expected):
    if isinstance(path, str):
        path = path.format(here=here)
    assert normal(path) == expected.format(here=here)
    assert normal(normal(path)) == normal(path)


def test_a_symbolic_link_keeps_its_own_name(here):
    (here / "link").symlink_to("target")
    assert normal("./link") == "link"


def test_going_up_from_a_link_stays_where_the_system_goes(here):
    """``link/..`` is the parent of the link's target, not of the link."""
    (here / "far" / "below").mkdir(parents=True)
    (here / "far" / "a").write_text("the one that open() finds")
    (here / "a").write_text("another")
    (here / "link").symlink_to("far/below")
    assert os.path.samefile(normal("link/../a"), "link/../a")


def test_the_root_as_current_directory(monkeypatch):
    monkeypatch.chdir("/")
    assert normal("/tmp/a") == normal("tmp/a")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", ["a", "a", "{here}/a", "./a"]),
        ("./a", ["a", "./a", "{here}/a", "./a"]),
        ("{here}/a", ["a", "{here}/a", "{here}/a", "./a"]),
        ("x/../a", ["a", "x/../a", "{here}/a", "./a"]),
        ("/elsewhere/a", ["/elsewhere/a", "/elsewhere/a", "/elsewhere/a"]),
        ("../a", ["../a", "../a", "{above}/a", "./../a"]),
        ("../{name}/a", ["../{name}/a", "../{name}/a", "{here}/a", "a", "./a"]),
    ],
)
def test_what_others_may_have_called_it(here, path, expected):
    places = {"here": here, "above": here.parent, "name": here.name}
    found = list(spellings(path.format(**places)))
    assert found == [text.format(**places) for text in expected]


@pytest.mark.parametrize(
    "top", ["a", "a/b", "../a", "/elsewhere/a", "/", ".", "..", "../..", "{here}"]
)
def test_all_files_of_a_tree_at_once(here, top):
    top = normal(top.format(here=here))
    paths = [os.path.join(top, rest) for rest in ("x", "y/z", "y/z.w", f"{here.name}/a")]
    each = [{*spellings(path)} for path in paths]
    assert {*spellings_below(top, paths)} == set().union(*each)
