"""What is wrong with the list of files to make of an image: names and paths that can't be."""

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from posixpath import normpath
from typing import Any, Protocol

from doit_diskimg.disk.fields import is_path, name_problems, path_problems, shown
from doit_diskimg.disk.ports import Output
from doit_diskimg.errors import BadValue, DuplicateName, Problem


class _Disk(Protocol):
    """A disk as the user wrote it."""

    @property
    def name(self) -> str: ...
    @property
    def image(self) -> str | PathLike[str]: ...
    @property
    def outputs(self) -> Any: ...


def output_problems(disk: _Disk, steps: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong with a disk's outputs.

    Names become tasks, beside those of the ``steps``, and every file is the target of one task.
    """
    if not isinstance(disk.outputs, tuple):
        yield BadValue(
            "outputs", f"{shown(disk.outputs)} is no list", "must be a list of outputs",
            "put it in brackets",
        )
        return
    tasks = {step: f"the task {disk.name}:{step}" for step in steps}
    files = {normpath(fspath(disk.image)): "the image"} if is_path(disk.image) else {}
    for index, output in enumerate(disk.outputs):
        where = f"outputs[{index}]"
        problem = _no_output(output, where)
        if problem is not None:
            yield problem
            continue
        yield from output.problems(where, disk)
        yield from name_problems(output.name.replace(":", "-"), f"{where}.name")
        yield from _taken(output.name, tasks, where, "name")
        yield from _taken(normpath(fspath(output.path)), files, where, "path")


def _no_output(output: object, where: str) -> Problem | None:
    # A class has the members too, so that forgotten parentheses look like one.
    if isinstance(output, type) or not isinstance(output, Output):
        return BadValue(
            where, f"{shown(output)} is no output",
            "must be Qcow2(...), Compressed(...) or an object of your own that fits the Output "
            "port", 'write for example Qcow2("build/os.qcow2")',
        )
    for problem in path_problems(
        output.path, f"{where}.path", "must be that of a file", 'write for example "build/os.qcow2"'
    ):
        return problem
    if not isinstance(output.name, str):
        return BadValue(
            f"{where}.name", f"{shown(output.name)} is no name", "must be text",
            "leave it out for that of its kind",
        )
    return None


def _taken(value: str, taken: dict[str, str], where: str, field: str) -> Iterator[Problem]:
    if value in taken:
        yield DuplicateName(
            f"{where}.{field}", f"{value!r} is that of {taken[value]} too",
            f"every output needs a {field} of its own", f"give it another {field}",
        )
    taken.setdefault(value, where)
