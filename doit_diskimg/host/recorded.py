"""Asks the questions of an earlier run again.

`RealFiles.record` holds what a planner asked about the user's files, with the answers.  A task
whose questions have the same answers has nothing to do.  Then no file is read, and what reads files
is not imported.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from doit_diskimg.frozen import dataclass
from doit_diskimg.host.machine import Signature, is_executable
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import UNREADABLE
from doit_diskimg.host.walk import entries_digest, tree_key, walk
from doit_diskimg.plan.content import Tree


@dataclass(frozen=True)
class Answers:
    """What became of the answers to a run's questions."""

    text: str
    """What is different, in words; empty if nothing is."""
    changed: Sequence[str]
    """The files with other contents, maybe of other length, if nothing else is different."""
    record: dict[str, Any]
    """The record, with the signatures of files that were only touched brought up to date, so that
    each is hashed once."""


def ask_again(
    record: dict[str, Any], trees: Sequence[Tree], session: Session | None = None
) -> Answers:
    """Ask the questions of ``record`` again; ``session`` has what others read in this run."""
    session = session or Session()
    try:
        fresh = dict(record["digests"])
        if text := _but_contents(record, trees, session):
            return Answers(text, (), record)
        changed = list(_other_contents(fresh, session))
        text = f"the contents of {changed[0]!r} changed" if changed else ""
        return Answers(text, changed, {**record, "digests": fresh})
    except UNREADABLE:
        return Answers("nothing is recorded about its files", (), record)
    except OSError as error:
        return Answers(str(error), (), record)


def still_true(
    record: dict[str, Any], trees: Sequence[Tree], session: Session | None = None
) -> tuple[str, dict[str, Any]]:
    """Return what is different, in words, and the record brought up to date; see `Answers`."""
    answers = ask_again(record, trees, session)
    return answers.text, answers.record


def _but_contents(record: dict[str, Any], trees: Sequence[Tree], session: Session) -> str:
    text = _other_trees(record["trees"], trees, session) or _other_sizes(record)
    text = text or _other_modes(record) or _other_times(record["mtimes"])
    return text or _not_as_made(record["made"])


def _other_trees(recorded: dict[str, str], trees: Sequence[Tree], session: Session) -> str:
    for tree in trees:
        found = walk(tree, os.fspath(tree.dir), session)
        if recorded.get(tree_key(tree)) != entries_digest(found):
            return f"the list of files below {os.fspath(tree.dir)!r} changed"
    return ""


def _other_sizes(record: dict[str, Any]) -> str:
    for path, size in record["sizes"].items():
        status = os.stat(path)
        if status.st_size != size or not stat.S_ISREG(status.st_mode):
            return f"the size of {path!r} changed"
    return ""


def _not_as_made(made: dict[str, Any]) -> str:
    if not made:
        return ""
    from doit_diskimg.host.workshop import still_made

    return still_made(made)


def _other_modes(record: dict[str, Any]) -> str:
    for path, executable in record["executable"].items():
        if is_executable(os.stat(path)) != executable:
            return f"{path!r} is executable and was not, or the other way round"
    return ""


def _other_times(recorded: dict[str, int]) -> str:
    for path, mtime in recorded.items():
        if os.stat(path).st_mtime_ns // 1_000_000_000 != mtime:
            return f"the time stamp of {path!r} changed, and the volume stores it"
    return ""


def _other_contents(digests: dict[str, list[Any]], session: Session) -> Iterator[str]:
    """Yield the files with other contents; note new signatures of old contents in ``digests``."""
    for path, (*numbers, digest) in list(digests.items()):
        status = os.stat(path)
        known = Signature(*numbers)
        if known == Signature.of(status) and stat.S_ISREG(status.st_mode):
            continue  # the usual case, thousands of times
        from doit_diskimg.host.hashing import digest_file, is_sure

        signature, now = digest_file(path, session, (known, digest), status)
        if now != digest:
            yield path
        elif signature != known and is_sure(path, signature, session):
            digests[path] = [*signature, digest]
