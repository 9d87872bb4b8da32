"""A description in which the build would read what it writes itself.

What is told here is true of the description and of the links that are there when dodo.py is read.
A file that is ours and gets its name later is refused when it is read (`host.written`).
"""

import os
from collections.abc import Iterator, Sequence
from os import fspath

from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import OwnFile, Problem
from doit_diskimg.host.paths import normal, place
from doit_diskimg.host.state import StateFolder
from doit_diskimg.host.written import STATE, Target, Written, is_below, is_source
from doit_diskimg.plan.content import Tree, Wanted
from doit_diskimg.plan.patterns import Patterns


def image_of(disk: Disk) -> Target:
    """Return the image of a disk, which is written."""
    path = normal(disk.image)
    return Target(path, f"the image {path!r} itself")


def outputs_of(disk: Disk) -> list[Target]:
    """Return the outputs of a disk, which are written."""
    paths = [normal(output.path) for output in disk.outputs]
    return [Target(path, f"the output {path!r} of the same disk") for path in paths]


def written(disk: Disk, *, state: bool = True, more: Sequence[Target] = ()) -> Written:
    """Return what the build of a disk's image must not read; with ``state`` its state too."""
    folder = StateFolder(normal(disk.image)) if state else None
    return Written([image_of(disk), *outputs_of(disk), *more], folder)


def written_by_output(disk: Disk, index: int) -> Written:
    """Return what an output must not read: it may read the image, and other outputs."""
    return Written([outputs_of(disk)[index]], StateFolder(normal(disk.image)))


def all_problems(disk: Disk) -> list[Problem]:
    """Return what is wrong with a description, or with the files that it names as ours."""
    return disk.problems() or [*problems(disk)]


def problems(disk: Disk) -> Iterator[Problem]:
    """Yield what is wrong with a description in which nothing else is."""
    ours = written(disk)
    yield from _places(disk)
    for want in _sources(disk):
        yield from _wrong(want, ours)
    for index, output in enumerate(disk.outputs):
        own = written_by_output(disk, index)
        for want in output.sources(f"outputs[{index}]", disk):
            yield from _wrong(want, own)


def linked_problems(disk: Disk, path: str) -> Iterator[Problem]:
    """Yield what is wrong with the path of a linked image, by its text: no source is looked at."""
    image, state = image_of(disk), StateFolder(normal(disk.image))
    what = {place(it.path): it.what for it in [image, *outputs_of(disk)]}.get(place(path))
    if is_below(place(path), place(state.path)):
        what = STATE
    if what:
        yield _twice("linked", path, what)
    names = {path, place(path)}
    for want in _sources(disk):
        if not isinstance(want.source, (bytes, Tree)) and normal(want.source) in names:
            yield is_source(want.where, fspath(want.source), linked_image(path).what)


def linked_image(path: str) -> Target:
    """Return the linked image, which is written too."""
    return Target(path, f"the linked image {path!r}")


def _sources(disk: Disk) -> Iterator[Wanted]:
    """Yield all that the image is made of."""
    for index, part in enumerate(disk.partitions):
        yield from part.payload.sources(f"partitions[{index}]")
    for where, segment in disk.outside:
        yield from segment.sources(where)


def _places(disk: Disk) -> Iterator[Problem]:
    """Yield the outputs that would be written over something else of ours."""
    image, state = image_of(disk), StateFolder(normal(disk.image))
    taken = {place(image.path): image.what}
    for index, (path, what) in enumerate(outputs_of(disk)):
        real = place(path)
        there = STATE if is_below(real, place(state.path)) else taken.get(real)
        if there:
            yield _twice(f"outputs[{index}].path", path, there)
        taken.setdefault(real, what)


def _twice(where: str, path: str, what: str) -> Problem:
    return OwnFile(
        where, f"{path!r} is {what}", "every file that is made needs a different place",
        "write it elsewhere",
    )


def _wrong(want: Wanted, ours: Written) -> Iterator[Problem]:
    if isinstance(want.source, bytes):
        return
    if isinstance(want.source, Tree):
        yield from _wrong_tree(want.where, want.source, ours)
    elif what := ours.named(fspath(want.source)):
        yield is_source(want.where, fspath(want.source), what)


def _wrong_tree(where: str, tree: Tree, ours: Written) -> Iterator[Problem]:
    top = normal(tree.dir)
    if what := ours.named(top):
        yield is_source(where, top, what)
        return
    for target in ours.inside(top):
        below = os.path.relpath(place(target.path), os.path.realpath(top))
        if target.what.startswith("the image") or _takes(tree, below):
            yield OwnFile(
                where, f"{target.what} is in it", "an image can't be part of itself",
                "put it elsewhere, or name another source",
            )


def _takes(tree: Tree, path: str) -> bool:
    """Return whether a file of that path would be taken from the tree, if it was there."""
    include = Patterns(tree.include) if tree.include else None
    exclude = Patterns(tree.exclude)
    names = path.split(os.sep)
    taken = include is None
    for depth in range(1, len(names) + 1):
        part, is_directory = "/".join(names[:depth]), depth < len(names)
        if exclude.match(part, is_directory=is_directory):
            return False
        taken = taken or (include is not None and include.match(part, is_directory=is_directory))
    return taken
