"""Faults for a real doit: dodo.py imports this, the environment says what goes wrong and when.

Only the operating system's functions are wrapped, never ours.  Each call that changes a file is an
event; `FAULT=kill:7` ends the process after the seventh, `FAULT=ENOSPC:7` makes it fail instead,
`FAULT=short:0` lets every write do half of its work, and `FAULT=named:seal.json` ends the process
when a file has got that name.
"""

import errno
import os
import signal

CHANGES = ("pwrite", "replace", "unlink", "link", "utime", "ftruncate", "makedirs", "mkdir")

kind, _, number = os.environ.get("FAULT", "none:0").partition(":")
left = int(number) if number.isdigit() else 0


def wrap(name):
    real = getattr(os, name)

    def faulty(*arguments, **options):
        global left
        if kind == "kill":
            result = real(*arguments, **options)
            left -= 1  # a call that fails changes nothing, and is no event
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        if kind == "named":
            result = real(*arguments, **options)
            if name == "replace" and os.path.basename(arguments[1]) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        left -= 1
        if left == 0 and kind.startswith("E"):
            raise OSError(getattr(errno, kind), os.strerror(getattr(errno, kind)))
        if kind == "short" and name == "pwrite":
            handle, data, *rest = arguments
            arguments = (handle, memoryview(data)[: max(1, len(data) // 2)], *rest)
        return real(*arguments, **options)

    setattr(os, name, faulty)


for name in CHANGES:
    wrap(name)
