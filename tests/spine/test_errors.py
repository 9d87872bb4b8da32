"""Problems are one line; exceptions carry them anywhere."""

import copy
import inspect
import pickle
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg import errors
from doit_diskimg.errors import (
    BadSize,
    BadValue,
    DescriptionError,
    DiskimgError,
    Overlap,
    Problem,
    SourceMissing,
    WorldError,
    refuse,
)
from doit_diskimg.host.state import broken, need

SIZE = BadSize("size", "'64 QiB' is not a size", "must be bytes", 'write "64MiB"')
MISSING = SourceMissing("segments[0].source", "'a' does not exist", "must be a file", "build it")
FAMILIES = [DescriptionError, WorldError]


def test_a_problem_says_where_what_is_what_must_be_and_what_to_change():
    assert str(SIZE) == "size: '64 QiB' is not a size, must be bytes (write \"64MiB\")"
    assert (SIZE.where, SIZE.must) == ("size", "must be bytes")
    assert repr(MISSING) == f"SourceMissing({str(MISSING)!r})"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name", "plain name"),
        ("Ünïcödé 名", "Ünïcödé 名"),
        ("two\nlines", r"two\nlines"),
        ("carriage\rreturn", r"carriage\rreturn"),
        ("red \x1b[31m", r"red \x1b[31m"),
        ("nul\0", r"nul\x00"),
        ("line separator \u2028", r"line separator \u2028"),
        ("right to left \u202e", r"right to left \u202e"),
        ("not UTF-8 \udcff", r"not UTF-8 \udcff"),
    ],
)
def test_whatever_a_name_holds_a_problem_is_one_printable_line(name, shown):
    assert str(Problem(name, name, name, name)) == f"{shown}: {shown}, {shown} ({shown})"


@given(st.text(st.characters(codec=None)))
def test_a_problem_can_always_be_printed(text):
    line = str(Problem(text, text, text, text))
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    line.encode()


def test_problems_are_equal_if_rule_and_line_are():
    again = BadSize("size", "'64 QiB' is not a size", "must be bytes", 'write "64MiB"')
    assert again == SIZE
    assert {again, SIZE} == {SIZE}
    assert BadValue(SIZE.where, SIZE.found, SIZE.must, SIZE.change) != SIZE
    assert str(SIZE) != SIZE


@pytest.mark.parametrize("family", FAMILIES)
def test_an_exception_lists_all_its_problems(family):
    error = family(SIZE, MISSING)
    assert error.problems == (SIZE, MISSING)
    assert str(error) == f"{SIZE}\n{MISSING}"
    assert traceback.format_exception_only(error)[0].startswith(
        f"doit_diskimg.errors.{family.__name__}: {SIZE}\n"
    )


def test_the_families_are_caught_as_what_they_are():
    assert issubclass(DescriptionError, (DiskimgError, ValueError))
    assert not issubclass(DescriptionError, OSError)
    assert issubclass(WorldError, DiskimgError)
    assert issubclass(WorldError, OSError)
    assert not issubclass(WorldError, ValueError)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_exception_survives_pickling(family, protocol):
    error = family(SIZE, MISSING)
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is family
    assert (again.problems, str(again)) == (error.problems, str(error))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_exception_survives_copying(family):
    again = copy.deepcopy(family(SIZE))
    assert (type(again), again.problems) == (family, (SIZE,))


@pytest.mark.parametrize(
    ("function", "argument", "family", "problems"),
    [
        (refuse, [SIZE, MISSING], DescriptionError, (SIZE, MISSING)),
        (need, "missing", WorldError, broken("missing", "it is missing").problems),
    ],
)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_exception_comes_back_from_another_process(
    method, function, argument, family, problems
):
    with ProcessPoolExecutor(1, get_context(method)) as pool:
        caught = pool.submit(function, argument).exception(timeout=60)
    assert type(caught) is family
    assert caught.problems == problems
    assert str(caught) == "\n".join(map(str, problems))


def test_nothing_is_refused_without_a_problem():
    refuse([])
    refuse(iter(()))
    with pytest.raises(DescriptionError) as caught:
        refuse(iter([SIZE, MISSING]))
    assert caught.value.problems == (SIZE, MISSING)


def test_every_rule_says_in_its_docstring_what_it_is():
    rules = [
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Problem)
    ]
    assert Overlap in rules
    assert [kind for kind in rules if not kind.__doc__] == []
    assert all(kind.__init__ is Problem.__init__ for kind in rules)
