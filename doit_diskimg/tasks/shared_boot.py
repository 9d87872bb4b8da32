"""Several tests that one boot answers: each is a task, and whichever runs first boots.

The answers lie in the state folder until their tasks take them, each once.  So there is no task of
the boot that would run because one test changed of which nobody asked; and no answer is of another
run of doit, since a failure is not remembered.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from doit.exceptions import TaskFailed

from doit_diskimg.errors import DiskimgError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import folder
from doit_diskimg.host.child import follow_doit
from doit_diskimg.host.paths import normal
from doit_diskimg.host.seal import sealed_digest
from doit_diskimg.host.state import StateFolder, host_failed, read_json, write_json
from doit_diskimg.tasks.boots import Test
from doit_diskimg.tasks.on_request import skipped

ANSWERS, LOCK = ".boot.json", ".boot.lock"


@dataclass(frozen=True)
class SharedTest:
    """The test ``name`` of those that one boot answers; ``run`` is a word of this run of doit."""

    test: Test
    name: str
    run: str

    def __call__(self, task: Any) -> TaskFailed | None:
        """Called by doit."""
        if skipped(task):
            return None
        follow_doit()  # before the lock, which a worker that doit left behind would keep
        group = task.name.partition(":")[0]
        try:
            with _alone(StateFolder(self.test.qemu.home).file(group, LOCK)):
                return self.test.failure(self._answer(group))
        except DiskimgError as error:
            return self.test.failed(error)
        except KeyboardInterrupt:
            return self.test.failure(f"{self.test.qemu.name}: {task.name}: it was interrupted")

    def _answer(self, group: str) -> str:
        """Return how the test failed, empty if it passed; boot unless an answer is there."""
        path = StateFolder(self.test.qemu.home).file(group, ANSWERS)
        images = [sealed_digest(normal(disk.image)) for disk in self.test.qemu.disks()]
        found = read_json(path)
        answers = found.get("answers")
        of_this_run = found.get("run") == self.run and found.get("images") == images
        if not of_this_run or not isinstance(answers, dict) or self.name not in answers:
            answers = self.test.boot(group)
        answer = str(answers.pop(self.name))
        write_json(path, {"run": self.run, "images": images, "answers": answers})
        return answer


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Let one of the tasks of a boot go on at a time, in whichever process or thread of doit."""
    try:
        handle = folder.open_in(path, os.O_RDWR | os.O_CREAT, make=True)
    except OSError as error:
        raise host_failed(path, error, "keep tests of one boot apart") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
