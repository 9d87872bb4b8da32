"""An outside program between a source of bytes and a file: its input and output are streams."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from threading import Thread

from doit_diskimg.host.child import start
from doit_diskimg.host.hashing import CHUNK
from doit_diskimg.host.program import failed, surroundings
from doit_diskimg.plan.recipe import Command


def through(
    path: str,
    command: Command,
    data: Iterable[bytes | memoryview],
    environment: dict[str, str],
    where: str,
    what: str,
) -> Iterator[bytes]:
    """Feed ``data`` to the program at ``path`` and yield what it writes.

    Raises WorldError if it fails, with its last words, and whatever ``data`` raises.
    """
    with TemporaryFile() as complaints:  # a file, for a pipe that nobody reads could fill up
        with start(
            [command.program.name, *command.arguments], executable=path, bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
            env=surroundings(os.curdir, environment),
        ) as process:
            feeder = _Feeder(process, data)
            feeder.start()
            try:
                assert process.stdout is not None
                while block := process.stdout.read(CHUNK):
                    yield block
            except GeneratorExit:
                process.kill()
                raise
            finally:
                feeder.join()
        if feeder.error is not None:
            raise feeder.error
        if process.returncode:
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace")
            raise failed(command, process.returncode, said, where, what)


class _Feeder(Thread):
    """Writes a program's input while its output is read."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", data: Iterable[bytes | memoryview]
    ) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self._process, self._data = process, data

    def run(self) -> None:
        """Write everything; the reader of the output raises what went wrong."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            with stdin:
                for block in self._data:
                    view = memoryview(block)
                    while view:
                        view = view[stdin.write(view) :]
        except BrokenPipeError:
            pass  # it ended early: its status says why
        except BaseException as error:
            self.error = error
            self._process.kill()
