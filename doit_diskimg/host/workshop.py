"""Makes payloads by recipe: finds the programs, stages the files, runs, hashes the result.

The payload is made in a folder of its own and renamed when it is whole; after a kill or a failure
the folder is left or removed, and in either case what is in it is never used.  A payload is made
again only if the recipe, the version of a program or the file itself changed: moving the partition
is no reason.

Everything that is staged is a copy: a link to a file of the user's would have its mode and times,
which a program would take over, and could be written to.  What is copied is hashed on the way; it
must be what the recipe says.  Stretches of zeros become holes.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from doit_diskimg.errors import Problem, ProgramFailed, WorldError
from doit_diskimg.host import folder, program
from doit_diskimg.host.hashing import buffer, changed
from doit_diskimg.host.image import data_of
from doit_diskimg.host.machine import Signature, boot_id
from doit_diskimg.host.state import host_failed
from doit_diskimg.plan.content import digest_of, hasher
from doit_diskimg.plan.recipe import CHUNK, PAYLOAD, Chunk, Judge, Made, Program, Recipe, Staged

_Record = dict[str, Any]


class Tool(NamedTuple):
    """A program that was found."""

    program: Program
    path: str
    signature: Signature
    version: str


def _words(tool: Tool) -> list[object]:
    """Return a tool as the record has it."""
    wanted = tool.program
    about = [wanted.name, wanted.package, wanted.version, wanted.library]
    return [*about, tool.path, [*tool.signature], tool.version]


class Workshop:
    """Makes the payload that lies at ``file``, a path in the state folder.

    ``known`` is what an earlier run recorded; ``judge`` reads volumes back.
    """

    def __init__(self, file: str, known: _Record, judge: Judge | None = None) -> None:
        self.file = file
        self._known = known
        self._judge = judge
        self.record: _Record = {}
        """What was made of what, for `still_made`."""

    def make(self, recipe: Recipe, where: str) -> Made:
        tools = _find(recipe, self._known, where)
        versions = {name: tool.version for name, tool in tools.items()}
        key = digest_of(repr([recipe, sorted(versions.items())]).encode("utf-8", "surrogatepass"))
        try:
            known = self._known.get("key"), self._known.get("file")
            if known != (key, self.file) or still_made(self._known):
                self._produce(recipe, tools, where)
            made = Made(self.file, tuple(_chunks(self.file)))
            self.record = {
                "key": key,
                "file": self.file,
                "signature": [*Signature.of(self.file)],
                "boot": boot_id(),
                "programs": [_words(tool) for tool in tools.values()],
            }  # fmt: skip
        except OSError as error:
            raise host_failed(self.file, error, "make the payload") from error
        return made

    def _produce(self, recipe: Recipe, tools: dict[str, Tool], where: str) -> None:
        path = self.file + folder.WORK
        head, name = os.path.split(path)
        with folder.entered(head, make=True) as state:
            with suppress(FileNotFoundError):
                folder.remove(state, name)  # of a build that was killed
            os.mkdir(name, 0o700, dir_fd=state)
            try:
                stage(path, recipe.staged, recipe.seconds)
                self._run(recipe, tools, path, where)
                payload = os.path.join(name, PAYLOAD)
                final = os.path.basename(self.file)
                os.replace(payload, final, src_dir_fd=state, dst_dir_fd=state)
            finally:
                folder.remove(state, name)

    def _run(
        self, recipe: Recipe, tools: dict[str, Tool], path: str, where: str
    ) -> None:
        """Let the programs make the payload in the folder at ``path``, and look at it."""
        payload = os.path.join(path, PAYLOAD)
        with open(payload, "ab") as file:
            file.truncate(recipe.length)
        judged = self._look(payload, recipe, where)
        for command in recipe.commands:
            tool = tools[command.program.name].path
            program.run(tool, command, path, dict(recipe.environment), where)
        if os.path.getsize(payload) != recipe.length:
            raise _wrong_length(os.path.getsize(payload), recipe, where)
        _check(payload, recipe, where)
        if problems := [*judged()]:
            raise WorldError(*problems)

    def _look(
        self, payload: str, recipe: Recipe, where: str
    ) -> Callable[[], Iterable[Problem]]:
        """Return what to ask when the programs have run."""
        if recipe.contents is None:
            return tuple
        assert self._judge is not None, "a volume that was not read back is not done"
        return self._judge(payload, recipe.contents, where)


def stage(top: str, staged: Sequence[Staged], seconds: int) -> None:
    """Lay out ``staged`` below ``top``, which is empty.  Raises OSError and WorldError."""
    for item in staged:
        path = _below(top, item.path)
        if item.source is None:
            os.mkdir(path, 0o700)
        else:
            handle = os.open(path, folder.NEW, 0o600)
            try:
                _fill_staged(handle, item)
            finally:
                os.close(handle)
    for item in reversed(staged):  # a directory when what is in it has been made
        path = _below(top, item.path)
        os.chmod(path, item.mode)
        own = seconds if item.seconds is None else item.seconds
        os.utime(path, (own, own))


def _below(top: str, path: str) -> str:
    """Return the path of a staged file.  Nothing is ever written outside the folder."""
    if path != os.path.normpath(path) or os.path.isabs(path) or path.split("/")[0] in ("..", "."):
        raise ValueError(f"{path!r} is not a path below a folder")
    return os.path.join(top, path)


def _fill_staged(handle: int, item: Staged) -> None:
    if isinstance(item.source, bytes):
        with open(handle, "wb", closefd=False) as file:
            file.write(item.source)
        return
    assert item.source is not None
    digest, view, position = hasher(), buffer(), 0
    with open(item.source, "rb", buffering=0) as source:
        while count := source.readinto(view):
            digest.update(view[:count])
            if any(view[:count]):
                _write(handle, view[:count], position)
            position += count
    if digest.hexdigest() != item.digest:
        raise changed(item.source)
    os.ftruncate(handle, position)


def _write(handle: int, data: memoryview, position: int) -> None:
    while data:
        count = os.pwrite(handle, data, position)
        data, position = data[count:], position + count


def _check(payload: str, recipe: Recipe, where: str) -> None:
    """Raise WorldError if the programs did not do what the recipe says of the result."""
    problems = []
    with open(payload, "rb") as file:
        for must in recipe.musts:
            file.seek(must.offset)
            found = file.read(len(must.data))
            if found != must.data:
                problems.append(ProgramFailed(
                    where, f"{must.name}: {found.hex(' ')} is there, made by "
                    f"{recipe.commands[-1].program.name}",
                    f"{must.data.hex(' ')} was asked for",
                    "use another version of it, or another program",
                ))
    if problems:
        raise WorldError(*problems)


def _wrong_length(length: int, recipe: Recipe, where: str) -> WorldError:
    name = recipe.commands[-1].program.name
    return WorldError(ProgramFailed(
        where, f"{name} made {length:,} bytes", f"there is room for {recipe.length:,}",
        "use another version of it, or tell us",
    ))


def _find(recipe: Recipe, known: _Record, where: str) -> dict[str, Tool]:
    """Return the programs by name.  Raises WorldError for all that are missing at once."""
    programs = {command.program.name: command.program for command in recipe.commands}
    paths = {name: program.find(wanted) for name, wanted in programs.items()}
    problems = [program.missing(programs[name], where) for name, path in paths.items() if not path]
    if problems:
        raise WorldError(*problems)
    return {
        name: _tool(programs[name], path, known, where)
        for name, path in paths.items()
        if path is not None
    }


def _tool(wanted: Program, path: str, known: _Record, where: str) -> Tool:
    """Return a program with its version; it is asked only if its file changed."""
    try:
        signature = Signature.of(path)
    except OSError as error:
        raise host_failed(path, error, "run it") from error
    for *_, known_path, known_signature, version in known.get("programs", []):
        if [known_path, known_signature] == [path, [*signature]]:
            return Tool(wanted, path, signature, version)
    return Tool(wanted, path, signature, program.version(wanted, path, where))


def still_made(record: _Record) -> str:
    """Return why the payload of ``record`` has to be made again, in words; empty if it has not.

    A program that is no longer installed is no reason: what it made is there.
    """
    file = record["file"]
    try:
        is_same = [*Signature.of(file)] == record["signature"]
    except FileNotFoundError:
        is_same = False
    if not is_same or record["boot"] != boot_id():
        return f"{file!r} is not what this task made"
    for name, package, arguments, library, _, _, version in record["programs"]:
        wanted = Program(name, package, tuple(arguments), library)
        path = program.find(wanted)
        if path is not None and _tool(wanted, path, record, name).version != version:
            return f"the version of {name} changed"
    return ""


def _chunks(path: str) -> list[Chunk]:
    """Return the chunks of a file that are not all zero; holes are not read."""
    chunks = []
    view = buffer()[:CHUNK]
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        length, position = os.fstat(handle).st_size, 0
        for start, end in data_of(handle):
            position = max(position, start // CHUNK * CHUNK)
            while position < end:
                wanted = min(CHUNK, length - position)
                count = os.preadv(handle, [view[:wanted]], position)
                if count != wanted:
                    raise OSError(f"only {count} of {wanted} bytes could be read")
                if any(view[:count]):
                    digest = hasher()
                    digest.update(view[:count])
                    chunks.append(Chunk(position, count, digest.hexdigest()))
                position += count
    finally:
        os.close(handle)
    return chunks
