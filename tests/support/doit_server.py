"""A real doit without its start: a process that has imported everything forks one for each call.

Of 0.3 s that a small build takes 0.2 are imports.  `CHAIN` in place of doit's arguments builds the
``disk`` of dodo.py without doit, in half of its time.  The server runs no doit itself, so each fork
begins with modules as a new process would have them.  What a process decides at its start can't be
forked: a call with variables of Python's or of the locale gets a new process (`Project.doit`).
"""

import array
import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_HEADER = 8

CHAIN = ["--chain"]
"""Instead of doit's arguments: `doit_diskimg.build` builds the ``disk`` of dodo.py."""


@dataclass(eq=False)
class DoitServer:
    """Starts with the first call and ends with the process that made it.

    ``seed`` is Python's for the order of sets; two servers with two seeds show what depends on it.
    """

    seed: int
    _socket: socket.socket | None = field(default=None, init=False)

    def run(
        self, args: list[str], folder: Path, environment: dict[str, str], timeout: float = 300
    ) -> "subprocess.CompletedProcess[str]":
        """Return what `subprocess.run` would return of ``python -m doit args`` in ``folder``."""
        request = json.dumps([args, os.fspath(folder), environment]).encode("utf-8")
        out, err, done = (os.pipe() for _ in range(3))
        try:
            self._send(request, [out[1], err[1], done[1]])
        finally:
            for pipe in (out, err, done):
                os.close(pipe[1])
        said = _read_all([out[0], err[0], done[0]], timeout)
        _, status = said[2].split()
        return subprocess.CompletedProcess(
            args, os.waitstatus_to_exitcode(int(status)), said[0].decode("utf-8"),
            said[1].decode("utf-8"),
        )

    def _send(self, request: bytes, handles: list[int]) -> None:
        if self._socket is None:
            ours, theirs = socket.socketpair()
            subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONHASHSEED": str(self.seed)}, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            theirs.close()
            self._socket = ours
        head = len(request).to_bytes(_HEADER, "little")
        fds = array.array("i", handles).tobytes()
        self._socket.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        self._socket.sendall(request)


def _read_all(handles: list[int], timeout: float) -> list[bytes]:
    """Read each pipe to its end, and close it; the last one tells the pid, then the status."""
    said = {handle: bytearray() for handle in handles}
    with selectors.DefaultSelector() as waiting:
        for handle in handles:
            waiting.register(handle, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(timeout)
            if not ready:
                os.kill(int(said[handles[-1]]), signal.SIGKILL)
                raise subprocess.TimeoutExpired("doit", timeout)
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                said[key.fd] += data
                if not data:
                    waiting.unregister(key.fd)
                    os.close(key.fd)
    return [bytes(said[handle]) for handle in handles]


# The server --------------------------------------------------------------------------------------


def _serve(connection: socket.socket) -> list[str]:
    """Answer calls until the client is gone; return in each forked doit, with its arguments."""
    while True:
        head, fds, _, _ = socket.recv_fds(connection, _HEADER, 3)
        if not head:
            os._exit(0)
        data = bytearray()
        while len(data) < int.from_bytes(head, "little"):
            data += connection.recv(1 << 16)
        watcher = os.fork()
        if watcher == 0:
            connection.close()
            return _doit(json.loads(data), *fds)
        for handle in fds:
            os.close(handle)
        os.waitpid(watcher, 0)


def _doit(request: list[object], out: int, err: int, done: int) -> list[str]:
    """Fork once more: the parent tells how its child ended, the child becomes a doit."""
    args, folder, environment = request
    pid = os.fork()
    if pid:
        os.close(out)
        os.close(err)
        os.write(done, f"{pid}\n".encode("ascii"))
        os.write(done, f"{os.waitpid(pid, 0)[1]}\n".encode("ascii"))
        os._exit(0)
    os.close(done)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = os.getcwd()
    return list(args)


def preload() -> None:
    """Import what a doit, a dodo.py and the actions import, and look for plugins of doit once."""
    import ctypes
    import dbm.dumb
    import importlib.metadata
    import inspect
    import pkgutil
    import secrets

    import doit.doit_cmd
    import doit.plugin

    import doit_diskimg

    for module in pkgutil.walk_packages(doit_diskimg.__path__, "doit_diskimg."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in doit_diskimg.__all__:
        getattr(doit_diskimg, name)
    inspect.getsource(preload)  # tokenize compiles its expressions
    for encoding in ("latin-1", "utf-16-le"):
        "".encode(encoding)
    del ctypes, dbm, secrets
    # What is installed stays, and to read it takes a fifth of a doit that has nothing to do.
    doit.plugin.entry_points = cache(importlib.metadata.entry_points)
    gc.collect()
    gc.freeze()  # or a fork copies what its collector looks at


def _run_and_end(args: list[str]) -> None:
    """Run doit, and end as a process does but for taking apart what lies in its memory."""
    code: object = 0
    sys.argv = ["doit", *args]
    try:
        if args == CHAIN:
            code = _chain()
        else:
            runpy.run_module("doit", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


def _chain() -> int:
    """Build the ``disk`` of dodo.py, and tell of each step as doit does."""
    from doit_diskimg import DiskimgError
    from doit_diskimg.chain.build import build
    from doit_diskimg.tasks.chain import shortcut

    disk = runpy.run_path("dodo.py")["disk"]
    try:
        done = build(disk, shortcut=shortcut)
    except DiskimgError as error:
        print(*(f"{disk.name}: {problem}" for problem in error.problems), sep="\n")
        return 1
    for step in done:
        print(f"{'. ' if step.ran else '--'} {disk.name}:{step.step}")
        if step.text:
            print(step.text)
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    preload()
    _run_and_end(_serve(socket.socket(fileno=int(sys.argv[1]))))
