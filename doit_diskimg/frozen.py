"""Frozen dataclasses that cost next to nothing to define.

`dataclasses.dataclass` writes six functions for each class as text and compiles them, at each
import: a millisecond a class, and dodo.py, which imports forty of ours, is read on every `doit`.
Here the classes share their functions, and the fields of one are found when it is first used: of
most classes that a dodo.py imports, a build with nothing to do makes no object.
What comes out is a dataclass: `fields`, `replace`, `is_dataclass` and inheritance know it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, Field, FrozenInstanceError, field
from dataclasses import dataclass as _dataclass
from functools import cached_property
from inspect import Parameter, Signature
from operator import attrgetter
from typing import (
    Any,
    ClassVar,
    TypeVar,
    cast,
    dataclass_transform,
    get_origin,
)

_T = TypeVar("_T")


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *, frozen: bool, kw_only: bool = False, described: bool = False
) -> Callable[[type[_T]], type[_T]]:
    """Do what the standard library's decorator of that name does; ``frozen`` must be True.

    A class that is ``described``, which a user writes into dodo.py, raises no TypeError: what is
    wrong with the arguments is kept (`MISUSE`) and told with all other mistakes.
    """
    if not frozen:
        raise TypeError("a dataclass that is not frozen is the standard library's business")

    def decorate(cls: type[_T]) -> type[_T]:
        made: Any = cls
        own = vars(cls)
        made._shape = shape = _Shape(cls, kw_only, described)
        made.__dataclass_params__ = _PARAMS
        for name, value in (*_SHARED, ("__init__", _init(shape))):
            # One that the class has written itself stays.
            if own.get(name) is None:
                setattr(made, name, value)
        return cls

    return decorate


@_dataclass(init=False, repr=False, eq=False)
class _Model:
    """What the standard library stores with a class that it made."""

    value: int


_PARAMS: Any = vars(_Model)["__dataclass_params__"]
_PARAMS.frozen = True
_FIELD: Any = vars(_Model)["__dataclass_fields__"]["value"]._field_type


class _Shape:
    """The fields of a class, in the forms that its functions need; found when one is asked for."""

    def __init__(self, cls: Any, kw_only: bool, described: bool) -> None:
        self.cls = cls
        self.kw_only = kw_only
        self.described = described
        """Whether wrong arguments are kept and not refused."""

    @cached_property
    def fields(self) -> dict[str, Field[Any]]:
        """The fields of the class and of its bases; ``InitVar`` is not known here."""
        found: dict[str, Field[Any]] = {}
        for base in self.cls.__mro__[:0:-1]:
            found |= getattr(base, "__dataclass_fields__", {})
        kw_only = self.kw_only
        for name, annotation in self.cls.__annotations__.items():
            if annotation is KW_ONLY:
                kw_only = True
            elif get_origin(annotation) is not ClassVar:
                found[name] = _field(self.cls, name, annotation, kw_only)
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all fields."""
        return frozenset(self.fields)

    @cached_property
    def ordered(self) -> list[Field[Any]]:
        """What `__init__` takes: keyword-only fields come last, wherever they stand."""
        taken = (field_ for field_ in self.fields.values() if field_.init)
        return sorted(taken, key=lambda it: bool(it.kw_only))

    @cached_property
    def rows(self) -> list[tuple[str, Any, Any]]:
        """Name, default and default factory of what `__init__` takes, in this order."""
        return [(it.name, it.default, it.default_factory) for it in self.ordered]

    @cached_property
    def places(self) -> tuple[str, ...]:
        """The fields that need no name in a call."""
        return tuple(field_.name for field_ in self.ordered if not field_.kw_only)

    @cached_property
    def has_more(self) -> bool:
        """Whether the class has something to do with an object when it is made."""
        return hasattr(self.cls, "__post_init__")

    @cached_property
    def compared(self) -> Callable[[Any], Any]:
        """A function from an object to the values that it is compared by."""
        return _values([field_.name for field_ in self.fields.values() if field_.compare])

    @cached_property
    def signature(self) -> Signature:
        """How the class is called."""
        return Signature(
            [
                Parameter(
                    it.name,
                    Parameter.KEYWORD_ONLY if it.kw_only else Parameter.POSITIONAL_OR_KEYWORD,
                    default=Parameter.empty if _is_needed(it) else it.default,
                )
                for it in self.ordered
            ]
        )


class _OfShape:
    """An attribute of a class that is part of its shape."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: Any) -> Any:
        return getattr(owner._shape, self._name)


class _OfCalls(_OfShape):
    """What `help` and `inspect.signature` show of a class."""

    def __get__(self, instance: object, owner: Any) -> Any:
        if instance is not None or owner.__init__ is not owner._shape.cls.__init__:
            raise AttributeError("__signature__")  # an object that is called, another __init__
        return super().__get__(instance, owner)


def _field(cls: Any, name: str, annotation: object, kw_only: bool) -> Field[Any]:
    """Return one field of a class; a default stays as the attribute of the class."""
    default = getattr(cls, name, MISSING)
    made: Any = default if isinstance(default, Field) else field(default=default)
    made.name, made.type, made._field_type = name, annotation, _FIELD
    if made.kw_only is MISSING:
        made.kw_only = kw_only
    if made.default is not MISSING:
        if type(made.default).__hash__ is None:
            raise ValueError(f"{name}: {made.default!r} can change (write default_factory=)")
        setattr(cls, name, made.default)
    elif name in vars(cls):
        delattr(cls, name)
    return cast(Field[Any], made)


def keep_copies(description: object) -> None:
    """Let an object, when it is made, take copies of the mappings and lists that it was given.

    Who gave them may go on changing them, and what is frozen must not follow: half of a build would
    have been decided by then.
    """
    values = vars(description)
    for name, value in values.items():
        if isinstance(value, Mapping):
            values[name] = {
                key: list(item) if isinstance(item, list) else item for key, item in value.items()
            }
        elif isinstance(value, list):
            values[name] = list(value)


def _repr(self: Any) -> str:
    fields_ = self._shape.fields.values()
    values = ", ".join(f"{it.name}={getattr(self, it.name)!r}" for it in fields_ if it.repr)
    return f"{type(self).__qualname__}({values})"


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    compared = self._shape.compared
    return compared(self) == compared(other)


def _hash(self: Any) -> int:
    return hash(self._shape.compared(self))


def _setattr(self: Any, name: str, value: object) -> None:
    _refuse_field(self, "assign to", name)
    object.__setattr__(self, name, value)


def _delattr(self: Any, name: str) -> None:
    _refuse_field(self, "delete", name)
    object.__delattr__(self, name)


def _refuse_field(self: Any, verb: str, name: str) -> None:
    """Raise FrozenInstanceError, unless it is an attribute that a plain subclass has added."""
    shape = self._shape
    if type(self) is shape.cls or name in shape.names:
        raise FrozenInstanceError(f"cannot {verb} field {name!r}")


_SHARED = (
    ("__dataclass_fields__", _OfShape("fields")),
    ("__match_args__", _OfShape("places")),
    ("__signature__", _OfCalls("signature")),
    ("__repr__", _repr),
    ("__eq__", _eq),
    ("__hash__", _hash),
    ("__setattr__", _setattr),
    ("__delattr__", _delattr),
    # From Python 3.13 on, for `copy.replace`.
    *((name, value) for name, value in vars(_Model).items() if name == "__replace__"),
)
"""What all classes have, the same objects."""


def _init(shape: _Shape) -> Callable[..., None]:
    """Return ``__init__`` of a class."""

    def __init__(self: Any, *args: Any, **given: Any) -> None:  # noqa: N807
        places = shape.places
        values, count, used, missing = self.__dict__, len(args), 0, False
        values.update(zip(places, args, strict=False))
        for name, default, factory in shape.rows[min(count, len(places)) :]:
            if name in given:
                values[name] = given[name]
                used += 1
            elif default is not MISSING:
                values[name] = default
            elif factory is not MISSING:
                values[name] = factory()
            else:
                values[name], missing = None, True
        if missing or used != len(given) or count > len(places):
            _complain(self, shape, args, given)
        if shape.has_more:
            self.__post_init__()

    return __init__


MISUSE = "_misuse"
"""The attribute with what is wrong with the arguments that a ``described`` object was made with."""


UNKNOWN = "no such field"


@dataclass(frozen=True)
class Misuse:
    """A mistake in how a class was called; the fields are those of `errors.Problem`."""

    field: str
    found: str
    must: str
    change: str


def misuse(
    name: str,
    names: Sequence[str],
    needed: Sequence[str] = (),
    places: Sequence[str] = (),
    count: int = 0,
    given: Collection[str] = (),
) -> list[Misuse]:
    """Return what is wrong with a call of the class ``name`` with ``count`` values and names.

    ``names`` are the fields, ``places`` the ones that need no name.
    """
    from difflib import get_close_matches  # late: needed for a mistake only

    found = []
    for field_ in given:
        near = get_close_matches(field_, names, 1)
        if field_ in places[:count]:
            must = "a field has one value"
            found.append(Misuse(field_, "it is given twice", must, "remove one of the two"))
        elif field_ not in names:
            change = f"did you mean {near[0]}" if near else "leave it out"
            must = f"{name} has {', '.join(names)}"
            found.append(Misuse(field_, UNKNOWN, must, change))
    if count > len(places):
        allowed = f"only {', '.join(places)}" if places else "none"
        must = f"{name} takes {allowed} without a name"
        found.append(
            Misuse("", f"{count} values without a name", must, "write the names of the fields")
        )
    for field_ in needed:
        if field_ not in given and field_ not in places[:count]:
            found.append(
                Misuse(field_, "it is missing", f"{name} needs it", f"write {field_}=...")
            )
    return found


def _complain(self: Any, shape: _Shape, args: Any, given: Any) -> None:
    """Keep what is wrong with the arguments, or raise TypeError: first, what is misspelt."""
    name, names = shape.cls.__name__, [field_.name for field_ in shape.ordered]
    if shape.described:
        needed = [field_.name for field_ in shape.ordered if _is_needed(field_)]
        self.__dict__[MISUSE] = misuse(name, names, needed, shape.places, len(args), given)
        return
    name = shape.cls.__qualname__
    for wrong in misuse(name, names, given=given):
        raise TypeError(f"{name}(): {wrong.field}: {wrong.found}, {wrong.change}")
    try:
        shape.signature.bind(*args, **given)
    except TypeError as error:
        raise TypeError(f"{name}(): {error}") from None
    raise AssertionError("these arguments are fine")


def _is_needed(field_: Field[Any]) -> bool:
    return field_.default is MISSING and field_.default_factory is MISSING


def _values(names: list[str]) -> Callable[[Any], Any]:
    """Return a function from an object to its attributes of these names, a tuple."""
    if len(names) < 2:  # for which attrgetter has no tuple
        return lambda self: tuple(getattr(self, name) for name in names)
    return attrgetter(*names)
