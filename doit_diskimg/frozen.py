"""Frozen dataclasses that cost next to nothing to define.

`dataclasses.dataclass` writes six functions for each class as text and compiles them, at each
import: a millisecond a class, and dodo.py, which imports forty of ours, is read on every `doit`.
Here the functions are closures that every class shares the code of, and the fields are found with
less ado.
What comes out is a dataclass: `fields`, `replace`, `is_dataclass` and inheritance know it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, Field, FrozenInstanceError, field, fields
from dataclasses import dataclass as _dataclass
from inspect import Parameter, Signature
from operator import attrgetter
from typing import (
    Any,
    ClassVar,
    NamedTuple,
    NoReturn,
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
        _collect(made, kw_only)
        made.__signature__ = _Signature(made)
        for function in _functions(made, described):
            # One that the class has written itself stays.
            if function.__name__ not in vars(made) or vars(made)[function.__name__] is None:
                setattr(made, function.__name__, function)
        return cls

    return decorate


@_dataclass(init=False, repr=False, eq=False)
class _Model:
    """What the standard library stores with a class that it made."""

    value: int


_PARAMS: Any = vars(_Model)["__dataclass_params__"]
_PARAMS.frozen = True
_FIELD: Any = vars(_Model)["__dataclass_fields__"]["value"]._field_type


def _collect(cls: Any, kw_only: bool) -> None:
    """Store the fields of a class, and those of its bases, as the standard library does.

    It takes twice as long, since it may be asked for more.  ``InitVar`` is not known here.
    """
    found: dict[str, Field[Any]] = {}
    for base in cls.__mro__[:0:-1]:
        found |= getattr(base, "__dataclass_fields__", {})
    for name, annotation in cls.__annotations__.items():
        if annotation is KW_ONLY:
            kw_only = True
        elif get_origin(annotation) is not ClassVar:
            found[name] = _field(cls, name, annotation, kw_only)
    cls.__dataclass_fields__, cls.__dataclass_params__ = found, _PARAMS
    positional = tuple(it.name for it in found.values() if it.init and not it.kw_only)
    setattr(cls, "__match_args__", positional)  # noqa: B010  # mypy expects it in a class's body
    if "__replace__" in vars(_Model):  # from Python 3.13 on, for `copy.replace`
        cls.__replace__ = vars(_Model)["__replace__"]


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


def _functions(cls: Any, described: bool) -> list[Callable[..., Any]]:
    """Return the special methods of a dataclass."""
    all_ = fields(cls)
    names = frozenset(field_.name for field_ in all_)
    compared = _values([field_.name for field_ in all_ if field_.compare])
    shown = [field_.name for field_ in all_ if field_.repr]

    def __repr__(self: Any) -> str:  # noqa: N807
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        if type(other) is not type(self):
            return NotImplemented
        return compared(self) == compared(other)

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(compared(self))

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return [_init(cls, all_, described), __repr__, __eq__, __hash__, __setattr__, __delattr__]


def _init(cls: Any, all_: tuple[Field[Any], ...], described: bool) -> Callable[..., None]:
    """Return ``__init__``."""
    ordered = _in_order(all_)
    shape = [(field_.name, field_.default, field_.default_factory) for field_ in ordered]
    places = [name for name, *_ in shape][: sum(not field_.kw_only for field_ in ordered)]
    has_more = hasattr(cls, "__post_init__")

    def __init__(self: Any, *args: Any, **given: Any) -> None:  # noqa: N807
        values, count, used, missing = self.__dict__, len(args), 0, False
        values.update(zip(places, args, strict=False))
        for name, default, factory in shape[min(count, len(places)) :]:
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
            if not described:
                _complain(cls, ordered, args, given)
            needed = [field_.name for field_ in ordered if _is_needed(field_)]
            names = [name for name, *_ in shape]
            values[MISUSE] = misuse(cls.__name__, names, needed, places, count, given)
        if has_more:
            self.__post_init__()

    return __init__


MISUSE = "_misuse"
"""The attribute with what is wrong with the arguments that a ``described`` object was made with."""


UNKNOWN = "no such field"


class Misuse(NamedTuple):
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
        must = f"{name} takes {', '.join(places) or 'none'} so"
        found.append(
            Misuse("", f"{count} values without a name", must, "write the names of the fields")
        )
    for field_ in needed:
        if field_ not in given and field_ not in places[:count]:
            found.append(
                Misuse(field_, "it is missing", f"{name} needs it", f"write {field_}=...")
            )
    return found


def _in_order(all_: tuple[Field[Any], ...]) -> list[Field[Any]]:
    """Return what `__init__` takes: keyword-only fields come last, wherever they stand."""
    return sorted((field_ for field_ in all_ if field_.init), key=lambda it: bool(it.kw_only))


def _complain(cls: Any, ordered: list[Field[Any]], args: Any, given: Any) -> NoReturn:
    """Raise the TypeError that says what is wrong with the arguments: first, what is misspelt."""
    for wrong in misuse(cls.__qualname__, [field_.name for field_ in ordered], given=given):
        raise TypeError(f"{cls.__qualname__}(): {wrong.field}: {wrong.found}, {wrong.change}")
    try:
        _signature(ordered).bind(*args, **given)
    except TypeError as error:
        raise TypeError(f"{cls.__qualname__}(): {error}") from None
    raise AssertionError("these arguments are fine")


def _signature(ordered: list[Field[Any]]) -> Signature:
    """Return how a class with these fields is called."""
    return Signature(
        [
            Parameter(
                field_.name,
                Parameter.KEYWORD_ONLY if field_.kw_only else Parameter.POSITIONAL_OR_KEYWORD,
                default=Parameter.empty if _is_needed(field_) else field_.default,
            )
            for field_ in ordered
        ]
    )


class _Signature:
    """What `help` and `inspect.signature` show of a class, found when they ask."""

    def __init__(self, cls: Any) -> None:
        self._cls = cls

    def __get__(self, instance: object, owner: Any) -> Signature:
        if instance is not None or owner.__init__ is not self._cls.__init__:
            raise AttributeError("__signature__")  # an object that is called, another __init__
        return _signature(_in_order(fields(self._cls)))


def _is_needed(field_: Field[Any]) -> bool:
    return field_.default is MISSING and field_.default_factory is MISSING


def _values(names: list[str]) -> Callable[[Any], Any]:
    """Return a function from an object to its attributes of these names, a tuple."""
    if len(names) < 2:  # for which attrgetter has no tuple
        return lambda self: tuple(getattr(self, name) for name in names)
    return attrgetter(*names)
