"""Answers planners' questions from the real file system, and remembers what was asked.

What was asked, with the answers, is the exact list of what a result depends on: sizes where only
a size was asked, contents where a digest was asked, and the names in a tree.  A task keeps it in a
state file; a later run asks the same questions again and compares (`recorded`).

A file whose size, mtime_ns, ctime_ns and inode are as recorded is not read again.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from doit_diskimg.errors import SourceKind, SourceMissing, WorldError
from doit_diskimg.host.hashing import (
    PartHasher,
    changed,
    check_empty,
    check_read,
    digest_file,
    is_sure,
    stretch,
    unknown,
)
from doit_diskimg.host.machine import Signature, is_executable, kind_of, now_ns
from doit_diskimg.host.paths import no_path, normal
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import UNREADABLE, host_failed
from doit_diskimg.host.walk import entries_digest, tree_key, walk
from doit_diskimg.host.written import Written
from doit_diskimg.plan.content import Entry, Tree, digest_of, hasher
from doit_diskimg.plan.recipe import Judge, Made, Recipe


class RealFiles:
    """`content.Files` on the real file system.

    ``known`` is what an earlier run recorded (`record`); ``payload`` is where a payload goes that
    programs make, and ``judge`` reads it back; a source that is ``written`` by the build itself is
    refused.  ``session`` has what others read in this run.
    """

    def __init__(
        self,
        known: dict[str, Any] | None = None,
        payload: str = "",
        written: Written | None = None,
        judge: Judge | None = None,
        session: Session | None = None,
    ) -> None:
        self._session = session or Session()
        self._written = written
        self._known = _signatures(known or {})
        self._known_parts = _known_parts(known or {}, self._known)
        self._parts: dict[str, tuple[Signature, int, list[str]]] = {}
        self._known_made: dict[str, Any] = (known or {}).get("made") or {}
        self._payload = payload
        self._judge = judge
        self._made: dict[str, Any] = {}
        self._executable: dict[str, bool] = {}
        self._looks: dict[str, tuple[str, os.stat_result]] = {}
        self._sizes_before = _numbers(known or {}, "sizes")
        self._sizes: dict[str, int] = {}
        self._mtimes: dict[str, int] = {}
        self._digests: dict[str, tuple[Signature, str]] = {}
        self._trees: dict[str, tuple[Tree, Sequence[Entry]]] = {}
        self._seen: set[str] = set()
        """Files of which more was asked than length and digest: their bytes decide something."""

    def _look(self, path: str, where: str) -> tuple[str, os.stat_result]:
        """Return a file's normal path and its status, which is asked for once."""
        found = self._looks.get(path)
        if found is None:
            name = normal(path)
            found = self._looks[path] = name, self._status(name, where)
        return found

    def _status(self, path: str, where: str) -> os.stat_result:
        status = _status(path, where)
        if self._written is not None:
            self._written.refuse(status, path, where)
        return status

    def size(self, path: str, where: str) -> int:
        path, status = self._look(path, where)
        if not status.st_size and path not in self._sizes:
            try:
                check_empty(path, status, self._session)  # its digest is never asked for
            except OSError as error:
                raise host_failed(f"{where}: {path}", error, "read it") from error
        self._sizes[path] = status.st_size
        return status.st_size

    def digest(self, path: str, where: str) -> str:
        path, status = self._look(path, where)
        try:
            signature, digest = digest_file(path, self._session, self._known.get(path), status)
        except OSError as error:
            raise host_failed(f"{where}: {path}", error, "read it") from error
        self._note(path, signature, digest)
        if self._sizes.get(path, signature.size) != signature.size:
            raise changed(path)  # or what was planned by its size would be recorded for right
        return digest

    def _note(self, path: str, signature: Signature, digest: str) -> None:
        """Remember a file's digest for the record, which can't have two."""
        before = self._digests.setdefault(path, (signature, digest))
        if before[0] != signature:
            raise changed(path)

    def part_digests(self, path: str, length: int, where: str) -> Sequence[str]:
        self.digest(path, where)
        path = normal(path)
        signature = self._digests[path][0]
        for known in (self._session.parts.get(path), self._known_parts.get(path)):
            if known is not None and known[:2] == (signature, length):
                self._parts[path] = known
                return known[2]
        hashed = PartHasher(length)
        for view in self._range(path, 0, signature.size, where):
            hashed.update(view)
        self._parts[path] = signature, length, hashed.digests()
        return self._parts[path][2]

    def range_digest(self, path: str, offset: int, length: int, where: str) -> str:
        """Return the digest of a part of a file; see `content.Files`.

        What is recorded is the whole file: if it is as it was, so is each part of it.
        """
        digest = hasher()
        for view in self._range(path, offset, length, where):
            digest.update(view)
        return digest.hexdigest()

    def read_range(self, path: str, offset: int, length: int, where: str) -> bytes:
        return b"".join(map(bytes, self._range(path, offset, length, where)))

    def crc32(self, path: str, offset: int, length: int, before: int, where: str) -> int:
        from zlib import crc32

        for view in self._range(path, offset, length, where):
            before = crc32(view, before)
        return before

    def _range(self, path: str, offset: int, length: int, where: str) -> Iterator[memoryview]:
        self.digest(path, where)
        path = normal(path)
        self._seen.add(path)
        try:
            yield from stretch(path, offset, length, self._digests[path][0])
        except OSError as error:
            raise host_failed(f"{where}: {path}", error, "read it") from error

    def read(self, path: str, where: str) -> bytes:
        path = normal(path)
        self._status(path, where)
        try:
            self._session.read_at[path] = now_ns()
            with open(path, "rb") as file:
                signature = Signature.of(file.fileno())
                data = file.read()
                check_read(path, len(data), signature, os.fstat(file.fileno()))
        except OSError as error:
            raise host_failed(f"{where}: {path}", error, "read it") from error
        self._note(path, signature, digest_of(data))
        self._seen.add(path)
        return data

    def mtime(self, path: str, where: str) -> int:
        path, status = self._look(path, where)
        self._mtimes[path] = status.st_mtime_ns // 1_000_000_000
        return self._mtimes[path]

    def size_before(self, path: str) -> int | None:
        path = normal(path)
        known = self._known.get(path)
        return known[0].size if known else self._sizes_before.get(path)

    def walk(self, tree: Tree, where: str) -> Sequence[Entry]:
        key = tree_key(tree)
        if key not in self._trees:
            self._trees[key] = tree, walk(tree, where, self._session)
        return self._trees[key][1]

    def executable(self, path: str, where: str) -> bool:
        path, status = self._look(path, where)
        self._executable[path] = is_executable(status)
        return self._executable[path]

    def make(self, recipe: Recipe, where: str) -> Made:
        from doit_diskimg.host.workshop import Workshop

        workshop = Workshop(self._payload, self._known_made, self._judge)
        made = workshop.make(recipe, where)
        self._made = workshop.record
        return made

    def record(self) -> dict[str, Any]:
        """Return every question with its answer, as plain data for `recorded.ask_again`.

        ``sizes`` are those of files of which no digest was asked.  ``seen`` are the files of which
        bytes were read, or a checksum, and not a digest alone.
        """
        def sure(path: str, found: Signature) -> Signature:
            return found if is_sure(path, found, self._session) else unknown(found)

        return {
            "sizes": {path: it for path, it in self._sizes.items() if path not in self._digests},
            "mtimes": self._mtimes,
            "digests": {
                path: [*sure(path, signature), digest]
                for path, (signature, digest) in self._digests.items()
            },
            "trees": {key: entries_digest(entries) for key, (_, entries) in self._trees.items()},
            "parts": {path: [length, found] for path, (_, length, found) in self._parts.items()},
            "executable": self._executable,
            "made": self._made,
            "seen": sorted(self._seen),
        }


def _signatures(record: dict[str, Any]) -> dict[str, tuple[Signature, str]]:
    try:
        digests = record["digests"].items()
        return {path: (Signature(*numbers), digest) for path, (*numbers, digest) in digests}
    except UNREADABLE:
        return {}  # a file that is not whole is as good as none


def _known_parts(
    record: dict[str, Any], known: dict[str, tuple[Signature, str]]
) -> dict[str, tuple[Signature, int, list[str]]]:
    """Return what is recorded of the parts of files: those that had the digest in the record."""
    try:
        parts = record["parts"].items()
        return {path: (known[path][0], length, found) for path, (length, found) in parts}
    except UNREADABLE:
        return {}


def _numbers(record: dict[str, Any], question: str) -> dict[str, int]:
    numbers = record.get(question)
    return numbers if isinstance(numbers, dict) else {}


def _status(path: str, where: str) -> os.stat_result:
    """Return the status of a regular file.  Raises WorldError."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise WorldError(SourceMissing(
            where, f"{path!r} does not exist",
            "must be a file, or the target of another task", "build it or fix the path",
        )) from None
    except ValueError:
        raise WorldError(no_path(path, where)) from None
    except OSError as error:
        raise host_failed(f"{where}: {path}", error, "read it") from error
    if not stat.S_ISREG(status.st_mode):
        raise WorldError(_wrong_kind(path, where, status.st_mode))
    return status


def _wrong_kind(path: str, where: str, mode: int) -> SourceKind:
    if stat.S_ISDIR(mode):
        return SourceKind(
            where, f"{path!r} is a directory", "must be a regular file",
            f"write Tree({path!r}) for everything below it",
        )
    return SourceKind(
        where, f"{path!r} is a {kind_of(mode)}", "must be a regular file", "name a file",
    )
