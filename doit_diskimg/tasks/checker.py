"""doit's question "did this file change?", answered by xxh3.

``DOIT_CONFIG = {"check_file_uptodate": Xxh3Checker}``, or the name ``xxh3`` in pyproject.toml, the
command line or `DOIT_CONFIG`.  It differs from doit's own checker in four ways: it compares whole
nanoseconds *and* sizes before it reads anything; a file is read once a run, however many tasks
depend on it; a file that was touched but not changed is read once and then remembered (doit reads
it at every run); and the image of a finished build is answered from its seal.
"""

import os
from typing import Any

from doit.dependency import CHECKERS, FileChangedChecker

from doit_diskimg.plan.content import DIGEST
from doit_diskimg.tasks import SESSION


class Xxh3Checker(FileChangedChecker):  # type: ignore[misc]  # doit has no types
    """Compares (mtime_ns, size, digest)."""

    _TOUCHED = "_doit_diskimg:xxh3"
    """A record of our own in doit's database: files that were touched, as they are now."""

    def check_modified(self, file_path: str, file_stat: os.stat_result, state: Any) -> bool:
        """Return whether the file is other than when ``state`` was saved."""
        mtime_ns, size, digest = state
        if file_stat.st_size != size:
            return True
        if file_stat.st_mtime_ns == mtime_ns:
            return False
        now = [file_stat.st_mtime_ns, file_stat.st_size]
        touched = self._touched(file_path)
        if touched and touched[:2] == now:
            return bool(touched[2] != digest)
        state_now = self._state(file_path, file_stat)
        if state_now[:2] == now:
            self._remember(file_path, state_now)
        return bool(state_now[2] != digest)

    def get_state(self, dep: str, current_state: Any) -> list[Any] | None:
        """Return the file's state for doit to save, None if it is ``current_state``."""
        status = os.stat(dep)
        if current_state and list(current_state[:2]) == [status.st_mtime_ns, status.st_size]:
            return None
        return self._state(dep, status)

    @staticmethod
    def _state(path: str, status: os.stat_result) -> list[Any]:
        """Return [mtime_ns, size, digest]; mtime_ns is 0 where the clock is too coarse to trust."""
        from doit_diskimg.host.hashing import digest_file, is_sure
        from doit_diskimg.host.paths import normal
        from doit_diskimg.host.seal import sealed_digest

        seal = sealed_digest(path, status)
        if seal:
            return [status.st_mtime_ns, status.st_size, f"seal:{seal}"]
        signature, digest = digest_file(normal(path), SESSION)
        mtime_ns = signature.mtime_ns if is_sure(normal(path), signature, SESSION) else 0
        return [mtime_ns, signature.size, f"{DIGEST}:{digest}"]

    def _touched(self, path: str) -> Any:
        backend = _backend()
        return backend.get(self._TOUCHED, path) if backend else None

    def _remember(self, path: str, state: list[Any]) -> None:
        backend = _backend()
        if backend:
            backend.set(self._TOUCHED, path, state)


def _backend() -> Any:
    """Return doit's database of this run, where there is one."""
    from doit.globals import Globals

    return getattr(Globals.dep_manager, "backend", None)


def register() -> None:
    """Make the checker known to doit by its name."""
    CHECKERS.setdefault("xxh3", Xxh3Checker)
