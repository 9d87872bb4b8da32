"""A description as plain data, to be compared and digested."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from os import PathLike, fspath
from sys import modules, stdlib_module_names

from doit_diskimg.plan.content import digest_of

_PACKAGE = __name__.partition(".")[0]


def canonical(value: object, classes: set[type] | None = None) -> object:
    """Return ``value`` as plain data that is equal exactly when the description is.

    Mappings are sorted (their order decides nothing), bytes become their digest, and a payload of
    somebody else's that is not a dataclass counts with its public attributes.  ``classes`` gets
    the class of every object in it.
    """
    classes = set() if classes is None else classes
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Enum):
        return [_class(value, classes), value.name]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", len(value), digest_of(bytes(value))]
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        items = ([str(key), canonical(item, classes)] for key, item in value.items())
        return ["mapping", sorted(items)]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(str, value))]
    if isinstance(value, Iterable):
        return [canonical(item, classes) for item in value]
    return [_class(value, classes), *_attributes(value, classes)]


def _class(value: object, classes: set[type]) -> str:
    """Return the name of its class; that of one of the user's may be the name of one of ours."""
    classes.add(type(value))
    name = type(value).__qualname__
    return name if is_ours(value) else f"{type(value).__module__}.{name}"


def canonical_digest(value: object, classes: set[type] | None = None) -> str:
    """Return a digest that is equal exactly when the description is; see `canonical`."""
    return digest_of(repr(canonical(value, classes)).encode("utf-8", "surrogatepass"))


def files_of_theirs(classes: Iterable[type]) -> set[str]:
    """Return the source files of those among ``classes``, and of their bases, that are neither this
    package's nor the standard library's.

    What such a class does is part of a description: after an edit of it, bytes may differ.
    """
    names = {base.__module__ for cls in classes for base in cls.__mro__}
    theirs = {it for it in names if it.partition(".")[0] not in (_PACKAGE, *stdlib_module_names)}
    files = (getattr(modules.get(name), "__file__", None) for name in theirs)
    return {file for file in files if file}


def is_ours(value: object) -> bool:
    """Return whether the class of ``value`` is one of this package's and none of the user's."""
    return type(value).__module__.partition(".")[0] == _PACKAGE


def _attributes(value: object, classes: set[type]) -> Iterator[object]:
    if is_dataclass(value):
        for field in fields(value):
            yield [field.name, canonical(getattr(value, field.name), classes)]
    elif hasattr(value, "__dict__"):
        for name, item in sorted(vars(value).items()):
            if not name.startswith("_"):
                yield [name, canonical(item, classes)]
    else:
        yield str(value)  # a UUID, a date: types whose text is their value
