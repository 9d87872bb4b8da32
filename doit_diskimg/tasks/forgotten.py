"""A disk in dodo.py whose tasks nobody asked for: doit would pass it over without a word.

Only a dodo.py that has one imports this.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from doit_diskimg.disk.model import Disk


def forgotten(
    namespace: Mapping[str, Any], tasks: Iterable[Any], asked: Iterable[Disk]
) -> Iterator[str]:
    """Yield a line for each disk among the variables of dodo.py that none of ``tasks`` builds.

    Some are left out: a task function that doit calls later (``create_after``) may return any; a
    task that needs the seal of a disk is doit's to complain of; and a disk that shares a part with
    one of those that were ``asked`` for tasks was their pattern.
    """
    if any(hasattr(value, "doit_create_after") for value in namespace.values()):
        return
    known = {word for task in tasks for word in (task.name, *task.task_dep)}
    parts = {id(part) for disk in asked for part in _made_of(disk)}
    disks: dict[int, tuple[str, Disk]] = {}
    for variable, value in namespace.items():
        if isinstance(value, Disk):
            disks.setdefault(id(value), (variable, value))
    for variable, disk in disks.values():
        is_built = known & {f"{disk.name}:seal", f"{disk.name}:linked"}
        if not is_built and not any(id(part) in parts for part in _made_of(disk)):
            yield (
                f"note: {disk.name}: no task function returns its tasks, doit passes it over "
                f"(write def task_image(): return {variable}.tasks())\n"
            )


def _made_of(disk: Disk) -> Iterator[object]:
    """Yield the disk and what `dataclasses.replace` would hand on."""
    yield disk
    if disk.table is not None:
        yield disk.table
    for parts in (disk.partitions, disk.segments):
        if isinstance(parts, (tuple, list)):
            yield from parts
