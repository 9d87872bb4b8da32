"""Must a step run, and why: what it depends on, in words and values.

A step's function returns what it depends on: a mapping from words to plain JSON values.  It is
stored when the step has succeeded and compared before the next run; the fact that differs names
itself::

    def found(before):          # what was stored the last time, {} at first
        return {"the image": sealed_digest(image), "QEMU's version": version}

    facts = Facts(found, state.file("test", FACTS), results=[screenshot])
    if why := facts.difference():       # "the image changed"; touches nothing
        work()
        facts.keep()                    # last: whatever is killed before runs again

What is stored is what was found *before* the work, since that is what it may have worked with, and
the signatures of its results as they are *afterwards*: doit looks whether a target is there, and
not whether it is the one that its task wrote.  So after a kill, and an edit that is taken back, a
result that is newer than its facts never passes for up to date.

What cannot be compared with the last time is a condition: ``unmet`` returns in words what does not
hold (``the image is not as the last build left it``), empty if all does.

`tasks.action.AsBefore` makes an object for doit's ``uptodate`` of it, and a step's action calls
`look` before its work and `keep` after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from doit_diskimg.errors import WorldError
from doit_diskimg.host.machine import as_made
from doit_diskimg.host.state import read_record, write_record
from doit_diskimg.plan.content import FORMAT

FACTS = ".facts"
"""Ending of the state file with the facts of one step; the step's name comes first."""

NOTES = "notes"
"""Among the facts: what helps to find them again, and is not compared."""

Found: TypeAlias = Mapping[str, Any]
"""Facts: words to plain values, as JSON has them (lists, and no tuples)."""


def nothing_unmet() -> str:
    """Return that every condition holds, of a step that has none."""
    return ""


class Facts:
    """What one step depends on; made anew in every run, and no work before `difference`.

    ``find`` returns the facts; it is told those of the last success, so that it may keep a value
    that takes long to find.  None stands for a step that conditions alone decide about.  ``path``
    is the state file in which they are stored; without one the caller stores them: `difference` is
    told them, and `values` returns them.  ``results`` are the files that the step writes.
    """

    def __init__(
        self,
        find: Callable[[Found], Found] | None,
        path: str = "",
        *,
        results: Sequence[str] = (),
        unmet: Callable[[], str] = nothing_unmet,
        first: str = "it has not run yet",
    ) -> None:
        self._find = find
        self._path = path
        self._results = results
        self._unmet = unmet
        self._first = first
        self._now: Found | None = None

    def difference(self, stored: Found | None = None) -> str:
        """Look, and return in words why the step must run; empty if it need not."""
        before: Found = stored or {}
        try:
            if self._find is None:
                return self._unmet()
            before, self._now = read_record(self._path) if self._path else before, None
            self._now = self._find(_facts(before))
            if before.get("format") != FORMAT:
                return self._first
            reasons = [*self._other_results(before), *_differences(_facts(before), self._now)]
            return "; ".join(filter(None, [*reasons, self._unmet()]))
        except WorldError as error:
            return str(error)  # the step will run into it and say so

    def _other_results(self, before: Found) -> Iterator[str]:
        known = before.get("results")
        for path in self._results:
            if not isinstance(known, dict) or known.get(path) != as_made(path):
                yield f"{path!r} is not what this task wrote there"

    def look(self) -> None:
        """Find the facts, if `difference` has not: before the work.  Raises WorldError."""
        if self._now is None and self._find is not None:
            self._now = self._find(_facts(read_record(self._path) if self._path else {}))

    def made(self, path: str) -> bool:
        """Return whether a file is the result of the last success, or a copy of that."""
        known = read_record(self._path).get("results")
        before = known.get(path) if isinstance(known, dict) else None
        # A copy has another inode.
        return isinstance(before, list) and before != [] and before[:2] == as_made(path)[:2]

    def values(self) -> Found:
        """Return what to store after a success: the facts of before, the results as they are."""
        if self._now is None:
            return {}
        results = {path: as_made(path) for path in self._results}
        return {"format": FORMAT, "facts": self._now, "results": results}

    def keep(self) -> None:
        """Store it: last, after everything that the step writes.  Raises WorldError."""
        if self._path and self._now is not None:
            write_record(self._path, dict(self.values()))


def _facts(stored: Found) -> Found:
    facts = stored.get("facts")
    return facts if stored.get("format") == FORMAT and isinstance(facts, dict) else {}


def _differences(before: Found, now: Found) -> Iterator[str]:
    """Yield what differs, in words; a number says what it was."""
    for word, value in now.items():
        if word == NOTES:
            continue
        if word not in before:
            yield f"{word} was not asked for before"
        elif before[word] != value:
            numbers = isinstance(value, int) and isinstance(before[word], int)
            yield f"{word} is {value} now and was {before[word]}" if numbers else f"{word} changed"
