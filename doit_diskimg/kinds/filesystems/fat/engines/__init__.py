"""Engines: other people's programs that make the volume which our planner decided.

`native` is the planner's own writer (`encode`).  Every other engine is a file here with three
names: ``REFUSES`` maps fields of `Fat` that it can't follow to the reason, ``faults`` yields what
of one volume's contents it would get wrong, and ``recipe`` says what the program has to do.  To add
one: a file, its name in `NAMES`, its row in the reference.

All numbers are the planner's; that the program took them over is part of the recipe (``musts``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from typing import Protocol, cast

from doit_diskimg.errors import BadValue, EngineCannot, Problem, refuse
from doit_diskimg.kinds.filesystems.fat.encode import PlannedFat
from doit_diskimg.kinds.filesystems.fat.volume import EngineName, Fat
from doit_diskimg.plan.content import Files
from doit_diskimg.plan.picture import Canvas, Picture
from doit_diskimg.plan.recipe import Recipe

NATIVE: EngineName = "native"
NAMES: tuple[EngineName, ...] = ("mtools", "pyfatfs", "guestfish")


class Engine(Protocol):
    """What a module here has."""

    REFUSES: Mapping[str, str]

    def faults(self, volume: PlannedFat, where: str) -> Iterable[Problem]:
        """Yield what of the volume's contents the program would get wrong."""
        ...

    def recipe(self, volume: PlannedFat) -> Recipe:
        """Return what the program has to do."""
        ...


def engine(name: str) -> Engine:
    """Return the engine of that name, one of `NAMES`."""
    return cast(Engine, import_module(f"{__name__}.{name}"))


def problems(fat: Fat, where: str) -> Iterator[Problem]:
    """Yield an unknown engine, or the fields that it can't follow."""
    name = fat.engine
    if name == NATIVE:
        return
    if name not in NAMES:
        words = ", ".join(map(repr, (NATIVE, *NAMES)))
        yield BadValue(
            f"{where}.engine", f"{name!r} is not an engine", f"must be one of {words}",
            "leave it out for native",
        )
        return
    refuses = engine(name).REFUSES
    for field in fields(fat):
        given = getattr(fat, field.name)
        # An empty mapping or sequence says as little as none.
        says_nothing = given is None or given == field.default or given in ((), [], {})
        if field.name in refuses and not says_nothing:
            yield EngineCannot(
                f"{where}.{field.name}", f"engine={name!r} {refuses[field.name]}",
                "every engine makes the same volume, or none",
                f"leave it out, or write engine={_able(field.name)}",
            )


def _able(field: str) -> str:
    """Return the engines that can follow a field, in words."""
    others = (name for name in NAMES if field not in engine(name).REFUSES)
    return " or ".join(map(repr, (NATIVE, *others)))


def draw(name: str, volume: PlannedFat, files: Files, where: str) -> Picture:
    """Return the bytes of the volume as an engine makes them, at their places on the disk.

    Raises DescriptionError for what it can't make, or WorldError.
    """
    chosen = engine(name)
    refuse(chosen.faults(volume, where))
    canvas = Canvas()
    canvas.made(volume.start, files.make(chosen.recipe(volume), f"{where}.engine"))
    return canvas.picture(volume.notes)
