"""docs/reference/errors.md says what the code says, and has every rule."""

import importlib.util
import re
from pathlib import Path

import pytest

from doit_diskimg import errors

ROOT = Path(__file__).parent.parent
NEED = "doit"  # the examples are made by breaking things, and some of them are builds


def load():
    spec = importlib.util.spec_from_file_location("catalogue", ROOT / "docs/catalogue.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


catalogue = load()
KINDS = {kind.__name__: kind for kind in catalogue.kinds()}


def test_every_rule_has_an_example():
    assert len(KINDS) > 20
    assert set(catalogue.EXAMPLES) == set(KINDS), "write one in docs/catalogue.py, then `doit docs`"


@pytest.mark.parametrize("name", KINDS)
def test_the_example_is_one_line_that_breaks_this_rule(name):
    message = catalogue.message_of(KINDS[name], catalogue.EXAMPLES[name])
    assert re.fullmatch(r"os\.img: [^:].*: .+, .+ \(.+\)", message), message


def test_the_page_is_up_to_date():
    written = catalogue.PAGE.read_text(encoding="utf-8")
    assert catalogue.page() == written, "run `doit docs`"


def test_every_rule_is_raised_somewhere():
    sources = [
        path.read_text(encoding="utf-8")
        for path in (ROOT / "doit_diskimg").rglob("*.py")
        if path != Path(errors.__file__)
    ]
    unused = [name for name in KINDS if not any(re.search(rf"\b{name}\b", s) for s in sources)]
    assert not unused


def test_a_rule_without_an_example_fails(monkeypatch):
    kind = type("New", (errors.Problem,), {"__doc__": "A rule."})
    monkeypatch.setattr(errors, "New", kind, raising=False)
    with pytest.raises(KeyError, match="New"):
        catalogue.page()
