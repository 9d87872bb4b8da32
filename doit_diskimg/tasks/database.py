"""doit's own database, before doit opens it: one that can't be read is moved aside.

doit reads dodo.py first and opens its database then, so what dodo.py imports may look at it.  The
default one, dbm.dumb, is an index and a file of values, which two doits at once write each as they
know them; what can be left makes every later doit end in a traceback.

Nothing is moved that is not certainly damaged, and nothing while another doit of the same folder
runs that reads its disks by us: it may be writing.
"""

import ast
import json
import os
import sys
from contextlib import suppress

_NAME = ".doit.db"
_ENDINGS = (".dir", ".dat", ".bak")  # dbm.dumb


def look(*, alone: bool) -> None:
    """Move a damaged database aside and say so; if others run, only say so."""
    try:
        why = damage()
    except OSError:
        return  # doit will run into it
    if not why:
        return
    advice = 'DOIT_CONFIG = {"backend": "sqlite3"} can stand two doits at once'
    if not alone:
        _say(f"{why}, and another doit that runs may write it; delete {_NAME}.* when that is done")
        return
    number = 1
    while any(os.path.lexists(f"{_NAME}.damaged-{number}{ending}") for ending in _ENDINGS):
        number += 1
    aside = f"{_NAME}.damaged-{number}"
    for ending in _ENDINGS:
        with suppress(FileNotFoundError):
            os.rename(_NAME + ending, aside + ending)
    _say(f"{why}; it is moved to {aside}.*, and doit begins a new one ({advice})")


def _say(text: str) -> None:
    print(f"doit: {text}", file=sys.stderr, flush=True)  # noqa: T201


def damage() -> str:
    """Return why doit can't use the database of this folder; empty if it can.  Raises OSError."""
    try:
        with open(f"{_NAME}.dir", encoding="latin-1") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return ""
    try:
        with open(f"{_NAME}.dat", "rb") as values:
            data = values.read()
    except FileNotFoundError:
        data = b""
    bad = good = 0
    for line in lines:
        try:
            _, (position, size) = ast.literal_eval(line.rstrip())
            value = data[position : position + size]
        except (ValueError, SyntaxError, TypeError):
            return f"the index of its database, {_NAME}.dir, is damaged"
        if len(value) != size:
            return f"its database {_NAME} is damaged, {_NAME}.dat is too short"
        try:
            json.loads(value)
            good += 1
        except ValueError:
            bad += 1
    # If none can be read, they may be of an encoding of the user's (`codec_cls`).
    if not bad or not good:
        return ""
    return f"{bad} of {bad + good} records of its database {_NAME} are damaged"
