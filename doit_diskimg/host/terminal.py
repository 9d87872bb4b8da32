"""What is told to a person, in characters that the stream has.

A terminal may be of latin-1, a log of ASCII (``PYTHONIOENCODING``, an old locale, Windows).  Lines
of boxes become ASCII then, and every other character its escape, as in a Python text.
"""

import sys
from typing import Any

_LIKE = {
    "─": "-", "═": "=", "│": "|", "║": "|", "…": "...", "→": "->", "—": "-",
}  # fmt: skip


def say(text: str, file: Any = None) -> None:
    """Write a line to ``file``, sys.stdout unless given."""
    stream = sys.stdout if file is None else file
    # One write, newline and all: with -n several processes share the terminal.
    stream.write(f"{fitting(text, stream)}\n")
    stream.flush()


def fitting(text: str, stream: Any = None) -> str:
    """Return the text with nothing in it that ``stream`` can't write.

    While doit runs an action it has an object of its own in the place of sys.stdout, which leads
    there: the stream is sys.__stdout__ then.
    """
    encoding = getattr(stream, "encoding", None) or getattr(sys.__stdout__, "encoding", None)
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        escaped = [char.encode(encoding, "backslashreplace").decode(encoding) for char in text]
        text = "".join(
            found if found == char else _LIKE.get(char, found)
            for char, found in zip(text, escaped, strict=True)
        )
    return text


def accept_everything() -> None:
    """Let sys.stdout write an escape for what it has no character for.

    doit writes names of tasks, which are names of files, and ends with a traceback if one of them
    does not fit.  What a user chose to happen with such characters stays.
    """
    stream: Any = sys.stdout
    if getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
