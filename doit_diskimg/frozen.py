"""Frozen dataclasses that cost next to nothing to define.

`dataclasses.dataclass` writes six functions for each class as text and compiles them, at each
import: a millisecond a class, and dodo.py, which imports forty of ours, is read on every `doit`.
Here it only finds the fields; the functions are closures that every class shares the code of.
What comes out is a dataclass: `fields`, `replace`, `is_dataclass` and inheritance know it.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from dataclasses import dataclass as _dataclass
from inspect import Parameter, Signature
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, frozen: bool, kw_only: bool = False) -> Callable[[type[_T]], type[_T]]:
    """Do what the standard library's decorator of that name does; ``frozen`` must be True."""
    if not frozen:
        raise TypeError("a dataclass that is not frozen is the standard library's business")

    def decorate(cls: type[_T]) -> type[_T]:
        bases = [vars(base).get("__dataclass_params__") for base in cls.__mro__[1:]]
        ours = [params for params in bases if params is not None and params.frozen]
        for params in ours:  # or they would be missed in a class that is not frozen yet
            params.frozen = False
        made: Any = _dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
        for params in [*ours, made.__dataclass_params__]:
            params.frozen = True
        made.__signature__ = _Signature(made)
        for function in _functions(made):
            # One that the class has written itself stays.
            if function.__name__ not in vars(made) or vars(made)[function.__name__] is None:
                setattr(made, function.__name__, function)
        return cls

    return decorate


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


def _functions(cls: Any) -> list[Callable[..., Any]]:
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

    return [_init(cls, all_), __repr__, __eq__, __hash__, __setattr__, __delattr__]


def _init(cls: Any, all_: tuple[Field[Any], ...]) -> Callable[..., None]:
    """Return ``__init__``."""
    ordered = _in_order(all_)
    shape = [(field_.name, field_.default, field_.default_factory) for field_ in ordered]
    places = [name for name, *_ in shape][: sum(not field_.kw_only for field_ in ordered)]
    has_more = hasattr(cls, "__post_init__")

    def __init__(self: Any, *args: Any, **given: Any) -> None:  # noqa: N807
        values, count, used = self.__dict__, len(args), 0
        values.update(zip(places, args, strict=False))
        for name, default, factory in shape[count:]:
            if name in given:
                values[name] = given[name]
                used += 1
            elif default is not MISSING:
                values[name] = default
            elif factory is not MISSING:
                values[name] = factory()
            else:
                _complain(cls, ordered, args, given)
        if used != len(given) or count > len(places):
            _complain(cls, ordered, args, given)
        if has_more:
            self.__post_init__()

    return __init__


def _in_order(all_: tuple[Field[Any], ...]) -> list[Field[Any]]:
    """Return what `__init__` takes: keyword-only fields come last, wherever they stand."""
    return sorted((field_ for field_ in all_ if field_.init), key=lambda it: bool(it.kw_only))


def _complain(cls: Any, ordered: list[Field[Any]], args: Any, given: Any) -> NoReturn:
    """Raise the TypeError that says what is wrong with the arguments: first, what is misspelt."""
    names = [field_.name for field_ in ordered]
    if unknown := [name for name in given if name not in names]:
        from difflib import get_close_matches  # late: nobody comes here twice

        near = get_close_matches(unknown[0], names, 1)
        hint = f", did you mean {near[0]!r}?" if near else f", the fields are {', '.join(names)}"
        raise TypeError(f"{cls.__qualname__}(): there is no field {unknown[0]!r}{hint}")
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
