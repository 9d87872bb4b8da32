"""A description as plain data, to be compared and digested."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from os import PathLike, fspath
from sys import modules, stdlib_module_names

from doit_diskimg.plan.content import digest_of

_PACKAGE = __name__.partition(".")[0]


def canonical(value: object) -> object:
    """Return ``value`` as plain data that is equal exactly when the description is.

    Mappings are sorted (their order decides nothing), bytes become their digest, and a payload of
    somebody else's that is not a dataclass counts with its public attributes.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Enum):
        return [_class(value), value.name]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", len(value), digest_of(bytes(value))]
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return ["mapping", sorted([str(key), canonical(item)] for key, item in value.items())]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(str, value))]
    if isinstance(value, Iterable):
        return [canonical(item) for item in value]
    return [_class(value), *_attributes(value)]


def _class(value: object) -> str:
    """Return the name of its class; that of one of the user's may be the name of one of ours."""
    name = type(value).__qualname__
    return name if is_ours(value) else f"{type(value).__module__}.{name}"


def canonical_digest(value: object) -> str:
    """Return a digest that is equal exactly when the description is."""
    return digest_of(repr(canonical(value)).encode("utf-8", "surrogatepass"))


def files_of_theirs(value: object) -> Iterator[str]:
    """Yield the source files of the classes in a description that are not this package's.

    What such a class does is part of the description: after an edit of it, bytes may differ.
    """
    if isinstance(value, (str, bytes, bytearray, PathLike)):
        return
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Iterable):
        for item in value:
            yield from files_of_theirs(item)
        return
    yield from files_of_theirs(list(getattr(value, "__dict__", {}).values()))
    if hasattr(value, "__dict__") and not is_ours(value):
        for cls in type(value).__mro__:
            if cls.__module__.partition(".")[0] not in (*stdlib_module_names, _PACKAGE):
                yield getattr(modules.get(cls.__module__), "__file__", None) or ""


def is_ours(value: object) -> bool:
    """Return whether the class of ``value`` is one of this package's and none of the user's."""
    return type(value).__module__.partition(".")[0] == _PACKAGE


def _attributes(value: object) -> Iterator[object]:
    if is_dataclass(value):
        for field in fields(value):
            yield [field.name, canonical(getattr(value, field.name))]
    elif hasattr(value, "__dict__"):
        for name, item in sorted(vars(value).items()):
            if not name.startswith("_"):
                yield [name, canonical(item)]
    else:
        yield str(value)  # a UUID, a date: types whose text is their value
