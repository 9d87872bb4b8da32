"""Our dataclasses behave as the standard library's do; each case runs with both."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import KW_ONLY, FrozenInstanceError, field

import pytest

from doit_diskimg import frozen


def family(dataclass):
    """Return classes that use everything that ours use."""

    @dataclass(frozen=True)
    class Base:
        """Fields of every kind, a method."""

        name: str
        size: int = 0
        _: KW_ONLY
        files: dict = field(default_factory=dict)
        notes: tuple = field(default=(), compare=False)
        arguments: tuple = field(default=("-q",), init=False, repr=False)

        def __post_init__(self):
            object.__setattr__(self, "name", self.name.upper())

    @dataclass(frozen=True)
    class Child(Base):
        index: int = 7

    @dataclass(frozen=True, kw_only=True)
    class Named:
        a: int
        b: int = 2

    @dataclass(frozen=True)
    class Empty:
        pass

    @dataclass(frozen=True)
    class Own:
        a: int

        def __repr__(self):
            return "own"

        def __eq__(self, other):
            return True

    class Plain(Base):
        """No dataclass itself, as `tasks.disk.Disk` is none."""

    return {cls.__name__: cls for cls in (Base, Child, Named, Empty, Own, Plain)}


OURS, THEIRS = family(frozen.dataclass), family(dataclasses.dataclass)

MADE = [
    "Base('x')", "Base('x', 1)", "Base(size=1, name='x')", "Base('x', files={1: 2})",
    "Base('x', notes=(1,))", "Base('x', 3, files={}, notes=())", "Child('x')",
    "Child('x', 1, 2)", "Child('x', index=2, files={1: 2})", "Named(a=1)", "Named(b=3, a=1)",
    "Empty()", "Own(1)", "Plain('x')", "Plain('x', 2)",
]  # fmt: skip
REFUSED = [
    "Base()", "Base('x', 1, {})", "Base('x', name='y')", "Base('x', other=1)", "Named(1)",
    "Named()", "Empty(1)", "Child('x', 1, 2, 3)", "Base('x', arguments=())",
]  # fmt: skip


def both(text):
    return eval(text, dict(OURS)), eval(text, dict(THEIRS))


def repr_of(value):
    return repr(value).replace(f"{family.__name__}.<locals>.", "")


@pytest.mark.parametrize("text", MADE)
def test_objects_are_the_same(text):
    ours, theirs = both(text)
    assert vars(ours) == vars(theirs)
    assert repr_of(ours) == repr_of(theirs)
    assert dataclasses.is_dataclass(ours)
    described = [
        [(f.name, f.default, f.init, f.repr, f.compare, f.kw_only) for f in dataclasses.fields(it)]
        for it in (ours, theirs)
    ]
    assert described[0] == described[1]
    called = [
        [(name, parameter.kind, parameter.default is parameter.empty)
         for name, parameter in inspect.signature(type(it)).parameters.items()]
        for it in (ours, theirs)
    ]
    assert called[0] == called[1]
    assert copy.copy(ours) == ours
    assert dataclasses.replace(ours) == ours


@pytest.mark.parametrize("text", REFUSED)
def test_wrong_arguments_are_type_errors(text):
    with pytest.raises(TypeError):
        eval(text, dict(THEIRS))
    with pytest.raises(TypeError, match=rf"{text.partition('(')[0]}\(\): \w+"):
        eval(text, dict(OURS))


@pytest.mark.parametrize("left", MADE)
def test_equality_and_hashes(left):
    for right in MADE:
        (ours, theirs), (ours_too, theirs_too) = both(left), both(right)
        assert (ours == ours_too) == (theirs == theirs_too)
        assert ours != theirs or "Own" in left
    hashes = [hash_of(value) for value in (*both(left), *both(left))]
    assert len(set(hashes)) == 1


def hash_of(value):
    try:
        return hash(value)
    except TypeError:  # a field that has none
        return None


@pytest.mark.parametrize("text", MADE)
def test_fields_stay_as_they_are(text):
    for value in both(text):
        names = [f.name for f in dataclasses.fields(value)] or ["any"]
        for name in names:
            with pytest.raises(FrozenInstanceError):
                setattr(value, name, 1)
            with pytest.raises(FrozenInstanceError):
                delattr(value, name)


def test_a_plain_subclass_has_attributes_of_its_own():
    for value in both("Plain('x')"):
        value.other = 1
        assert value.other == 1
        del value.other
    for value in both("Base('x')"):
        with pytest.raises(FrozenInstanceError):
            value.other = 1


@pytest.mark.parametrize("base", ["Base", "Child"])
def test_dataclasses_of_the_standard_library_inherit_from_ours(base):
    def heir(cls):
        @dataclasses.dataclass(frozen=True)
        class Heir(cls):
            more: int = 5

        return Heir

    ours, theirs = heir(OURS[base])("x", more=6), heir(THEIRS[base])("x", more=6)
    assert vars(ours) == vars(theirs)
    with pytest.raises(FrozenInstanceError):
        ours.more = 1
    with pytest.raises(TypeError, match="cannot inherit non-frozen"):
        dataclasses.dataclass(type("Heir", (OURS[base],), {}))


def test_objects_are_pickled():
    from doit_diskimg import Partition
    from doit_diskimg.kinds.filesystems.zero import Zero

    part = Partition("a", Zero(), size=512)
    assert pickle.loads(pickle.dumps(part)) == part


def test_a_class_that_nobody_has_used_yet_is_whole():
    """Its fields are found when the first of these asks for them."""
    fresh = family(frozen.dataclass)
    assert fresh["Base"].__match_args__ == ("name", "size")
    fresh = family(frozen.dataclass)
    assert [it.name for it in dataclasses.fields(fresh["Child"])][-1] == "index"
    fresh = family(frozen.dataclass)
    made = fresh["Child"].__new__(fresh["Child"])  # as pickle does
    vars(made).update(vars(fresh["Child"]("x")))
    assert made == fresh["Child"]("x")
    fresh = family(frozen.dataclass)
    assert "files" in inspect.signature(fresh["Plain"]).parameters


def test_only_frozen_ones():
    with pytest.raises(TypeError, match="not frozen"):
        frozen.dataclass(frozen=False)


@frozen.dataclass(frozen=True, described=True)
class Described:
    name: str
    size: int
    _: KW_ONLY
    type: str | None = None


CALLS = [
    ((), {"name": "a", "size": 1, "tpye": "esp"},
     [("tpye", "no such field", "Described has name, size, type", "did you mean type")]),
    (("a", 1), {"zzz": 1}, [("zzz", "no such field", "Described has name, size, type",
                             "leave it out")]),
    (("a",), {}, [("size", "it is missing", "Described needs it", "write size=...")]),
    (("a", 1), {"name": "b"}, [("name", "it is given twice", "a field has one value",
                                "remove one of the two")]),
    (("a", 1, "esp"), {}, [("", "3 values without a name", "Described takes only name, size "
                            "without a name", "write the names of the fields")]),
]  # fmt: skip


@pytest.mark.parametrize(("values", "named", "found"), CALLS)
def test_a_description_keeps_what_is_wrong_with_its_arguments(values, named, found):
    made = Described(*values, **named)
    assert vars(made)[frozen.MISUSE] == [frozen.Misuse(*values) for values in found]
    assert made.name in ("a", "b")
    assert made.type is None
    assert frozen.MISUSE not in vars(Described("a", 1))
    assert pickle.loads(pickle.dumps(made)) == made
