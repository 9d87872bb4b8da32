"""A step of the chain: what it does, what comes before it, what it depends on, what it makes."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from doit_diskimg.chain.facts import FACTS, NOTES, Facts, Found, nothing_unmet
from doit_diskimg.chain.job import Asked, Job
from doit_diskimg.disk.links import NOTHING, Needs
from doit_diskimg.host.machine import as_made, code_of
from doit_diskimg.host.state import read
from doit_diskimg.plan.canonical import canonical_digest, files_of_theirs
from doit_diskimg.plan.content import Tree, Wanted, digest_of

Work = Callable[["Step"], str | None]
"""Does the work of a step and returns what to tell the user, if anything."""


def nothing_more(before: Found) -> Found:
    """Return no facts, of a step that has none of its own."""
    return {}


class Step:
    """One step of one disk.

    ``work`` does it.  ``after`` names the steps that come before, ``inputs`` are what they wrote
    and it reads, ``results`` what it writes.  ``about`` is its part of the description,
    ``contents_of`` and ``sizes_of`` are sources of the user's, ``record`` the state file in which
    it keeps what it asked about them; ``placed`` is the part of the disk whose place it needs to
    know, ``needs`` what it needs of others; ``more`` are its own facts.  ``unmet`` says what else
    makes it run; a step of a ``guest`` runs for no other reason.  A result outside the state folder
    is ours if the state file ``claims`` says so.
    """

    def __init__(
        self,
        job: Job,
        name: str,
        doc: str,
        work: Work,
        *,
        index: int = 0,
        about: object = (),
        after: Iterable[str] = (),
        inputs: Sequence[str] = (),
        results: Sequence[str] = (),
        contents_of: Iterable[Wanted] = (),
        sizes_of: Iterable[Wanted] = (),
        record: str = "",
        placed: str = "",
        needs: Needs = NOTHING,
        more: Callable[[Found], Found] = nothing_more,
        unmet: Callable[[], str] = nothing_unmet,
        guest: bool = False,
        claims: str = "",
    ) -> None:
        self.job = job
        self.name = name
        self.doc = doc
        self.index = index
        """Of the partition, segment or output that the step is about."""
        self.results = results
        self.of_guest = guest
        self.claims = claims
        self.sources = [*contents_of, *sizes_of]
        self.trees = [want.source for want in self.sources if isinstance(want.source, Tree)]
        self.after = [*after, *(f"{volume}:populate" for volume in needs.volumes)]
        self.needs = needs
        self.written = 0
        """Bytes that its last run wrote into the image."""
        self.facts = Facts(
            None if guest else self._find, job.state.file(name, FACTS), results=results,
            unmet=unmet if guest else self._unmet,
        )
        self.asked = Asked(job, record, self.trees) if record else None
        self.placed = placed
        self._work, self._about, self._inputs, self._more = work, about, inputs, more
        self._condition = unmet

    @property
    def part(self) -> str:
        """The name of the part of the disk that the step is about."""
        return self.name.rpartition(":")[0]

    def _find(self, before: Any) -> dict[str, Any]:
        classes = set[type]()
        about = canonical_digest(self._about, classes)
        found: dict[str, Any] = {"its part of the description": about}
        found |= _contents(self._inputs, before.get(NOTES, {}))
        for path in files_of_theirs(classes):
            found[f"the code in {path!r}"] = digest_of(code_of(path))
        if self.placed:
            places = self.job.stored_places()[0]
            found[f"the place of {self.placed} on the disk"] = places.get(self.placed, [])
        return {**found, **self._more(before)}

    def _unmet(self) -> str:
        return self._condition() or (self.asked.changed() if self.asked else "")

    def run(self) -> str | None:
        """Do the work, then store the facts; return what to tell the user.  Raises WorldError."""
        self.facts.look()
        text = self._work(self)
        self.facts.keep()
        return text


def in_order(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield each step after those that it needs, else in the order given."""
    waiting = {step.name: step for step in steps}

    def first(name: str) -> Iterator[Step]:
        step = waiting.pop(name, None)
        if step is not None:
            for other in step.after:
                yield from first(other)
            yield step

    for name in list(waiting):
        yield from first(name)


def _contents(paths: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the digest of each state file; one that is as it was is not read."""
    found, notes = dict[str, Any](), dict[str, Any]()
    for path in paths:
        now, (before, digest) = as_made(path), known.get(path, ((), ""))
        if now != before:
            digest = digest_of(read(path) or b"")
        found[repr(path)], notes[path] = digest, [now, digest]
    return {**found, NOTES: notes}


@contextmanager
def no_collector() -> Iterator[None]:
    """Pause Python's search for cycles: a plan is a hundred thousand tuples and has none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
