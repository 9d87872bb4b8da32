"""The results of boot tests in the form of JUnit's Ant task, which CI systems read; pure.

``testsuites``, ``testsuite``, ``testcase`` with ``failure`` or ``error``, and ``system-out``: what
the schemas of Ant, Jenkins and GitLab have in common.  No time of day, no host: two runs that went
alike differ in their seconds only.
"""

from collections.abc import Sequence
from typing import NamedTuple

from doit_diskimg.host.qemu.verdict import plain

_OUT = 256 << 10
"""Bytes of the log's end that the report has; the log itself has it all."""


class Case(NamedTuple):
    """A test that has run."""

    name: str
    seconds: float
    trouble: str = ""
    """What went wrong, in one line; empty if nothing did."""
    detail: str = ""
    """The same with more lines."""
    is_error: bool = False
    """Whether the test could not be made at all, which says nothing of the guest."""


def junit(suite: str, cases: Sequence[Case], log: bytes) -> bytes:
    """Return the report of one boot: ``suite`` is the name of its task."""
    failures = sum(bool(case.trouble) and not case.is_error for case in cases)
    errors = sum(bool(case.trouble) and case.is_error for case in cases)
    seconds = max((case.seconds for case in cases), default=0)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<testsuites>",
        f'<testsuite name="{_text(suite)}" tests="{len(cases)}" failures="{failures}" '
        f'errors="{errors}" skipped="0" time="{seconds:.3f}">',
        *(_case(suite, case) for case in cases),
        f"<system-out>{_said(log)}</system-out>",
        "</testsuite>",
        "</testsuites>",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _case(suite: str, case: Case) -> str:
    begin = f'<testcase classname="{_text(suite)}" name="{_text(case.name)}" ' \
            f'time="{case.seconds:.3f}"'
    if not case.trouble:
        return f"{begin}/>"
    kind = "error" if case.is_error else "failure"
    return (
        f'{begin}><{kind} type="{kind}" message="{_text(case.trouble)}">'
        f"{_lines(case.detail)}</{kind}></testcase>"
    )


def _said(log: bytes) -> str:
    more = f"[... {len(log) - _OUT:,} bytes left out ...]\n" if len(log) > _OUT else ""
    return more + _lines(log[-_OUT:].decode("utf-8", errors="replace"))


def _lines(text: str) -> str:
    return "\n".join(map(_text, text.split("\n")))


def _text(line: str) -> str:
    """Return a line for XML; of what `plain` leaves there is nothing that XML 1.0 forbids."""
    for char, entity in _ENTITIES:
        line = line.replace(char, entity)
    return plain(line)


_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"))
"""Of XML 1.0, section 4.6; `html` and `xml` are large to import for each `doit`."""
