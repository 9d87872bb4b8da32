"""What one disk can't know of another: images made of each other, and two of one name.

doit looks for circles, too, but not among the tasks of one group: it would wait for ever, and end
with an error in its own code.  And it finds two tasks of one name, but not the disks behind them.
"""

import gc
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from doit_diskimg.errors import DescriptionError, DuplicateName, OwnFile


class Maker(Protocol):
    """One image or output."""

    makes: Sequence[str]
    """Every path that it has."""
    needs: Sequence[Collection[str]]
    """The paths of what has to be there first."""
    disk: str
    """The name of the disk that an image is of; empty for an output."""
    reading: object
    """Of dodo.py, in which the image was described; None if that is not known."""


def refuse_circles(makers: Sequence[Maker], others: Iterable[Maker]) -> None:
    """Raise DescriptionError if one of ``makers`` would be made of itself.

    ``others`` has a weak hold of its members only, which may be of an earlier reading of dodo.py.
    """
    if _circle(makers, [*makers, *others]) is None:
        return
    gc.collect()  # what is of an earlier reading goes with its tasks
    circle = _circle(makers, [*makers, *others])
    if circle is not None:
        words = ", which is made of ".join(repr(maker.makes[0]) for maker in circle[1:])
        raise DescriptionError(OwnFile(
            "image", f"{circle[0].makes[0]!r} is made of {words}", "nothing can be a part of "
            "itself", "leave one of these sources out",
        ))


def refuse_namesake(maker: Maker, others: Iterable[Maker]) -> None:
    """Raise DescriptionError if another image has a disk of the same name.

    Of an earlier reading of dodo.py it may be the same disk, elsewhere then.
    """
    for other in others:
        if (other.disk, other.reading) != (maker.disk, maker.reading) or maker.reading is None:
            continue
        if frozenset(other.makes).isdisjoint(maker.makes):
            raise DescriptionError(DuplicateName(
                "name", f"{maker.disk!r} is the name of the disk {other.makes[0]!r} too",
                f"the tasks of {maker.makes[0]!r} need another", 'give one of the two name="..."',
            ))


def _circle(makers: Sequence[Maker], everybody: Sequence[Maker]) -> list[Maker] | None:
    """Return the shortest way from one of the makers to itself."""
    made = [(frozenset(maker.makes), maker) for maker in everybody]
    for first in makers:
        ways, seen = [[first]], {first}
        for way in ways:
            for paths, maker in made:
                if all(map(paths.isdisjoint, way[-1].needs)):
                    continue
                if maker is first:
                    return [*way, first]
                if maker not in seen:
                    seen.add(maker)
                    ways.append([*way, maker])
    return None
