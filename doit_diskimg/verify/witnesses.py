"""fsck.fat, sgdisk and pyfatfs: other people's readers, who are asked too.

They are asked about nothing but what we find no error in.  That is enough to hear of every
disagreement that matters, since a fault that only we see is reported anyway; and no program that
was not written for hostile images ever sees one that is damaged in a way that we know of.

fsck.fat has no way to say where in a file a volume begins.  It gets a file in memory with the
metadata of the volume, at its places, and holes for the contents of files, which it does not read.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from doit_diskimg.host.programs import Answer, ask_program
from doit_diskimg.verify.image import Checked, Report
from doit_diskimg.verify.volume import Volume

_MOST_METADATA = 1 << 28
_MOST_ENTRIES = 1 << 20  # of a FAT that pyfatfs reads: a second
_MOST_FILES = 1 << 13  # that pyfatfs lists: another one
_SKEPTIC_OF = ("fat-dirty", "fat-label-differs", "fat-label-char")
"""Warnings of ours for which fsck.fat ends with the code of an error."""


def ask(report: Report) -> None:
    """Ask everybody who is there; add what they complain of to the findings."""
    narrow = report.table == "gpt" and report.sector_size == 512
    # It takes a table that has no backup for damaged.
    if narrow and not report.disk.errors and not report.disk.has("gpt-no-backup"):
        _sgdisk(report)
    for checked in report.volumes:
        if checked.volume is not None and not checked.found.errors:
            _fsck(checked, checked.volume)
            _pyfatfs(report, checked, checked.volume)


def _sgdisk(report: Report) -> None:
    handle = report.source.handle
    answer = ask_program("sgdisk", ["-v", f"/proc/self/fd/{handle}"], handle)
    if answer and "Identified" in answer.text:
        report.disk.add("witness", f"sgdisk: {_gist(answer)}")


def _fsck(checked: Checked, volume: Volume) -> None:
    if checked.found.has(*_SKEPTIC_OF):
        return
    with _metadata(volume) as handle:
        if handle < 0:
            return
        answer = ask_program("fsck.fat", ["-n", f"/proc/self/fd/{handle}"], handle)
    if answer and answer.code == 1:
        checked.found.add("witness", f"fsck.fat: {_gist(answer)}", at=0)


@contextmanager
def _metadata(volume: Volume) -> Iterator[int]:
    """Make a file in memory with a volume's metadata; -1 where there can't be one."""
    if not hasattr(os, "memfd_create"):
        yield -1
        return
    handle = os.memfd_create("volume")
    try:
        geometry = volume.geometry
        os.ftruncate(handle, geometry.boot.sectors * geometry.boot.sector_size)
        yield handle if _copy(volume, handle) else -1
    finally:
        os.close(handle)


def _copy(volume: Volume, handle: int) -> bool:
    """Copy what is not zero; return whether it was not too much."""
    left = _MOST_METADATA
    for start, length in volume.metadata:
        for place, data in volume.window.chunks(start, start + length):
            left -= len(data)
            if left < 0:
                return False
            os.pwrite(handle, data, place)
    return True


def _pyfatfs(report: Report, checked: Checked, volume: Volume) -> None:
    """Compare what pyfatfs lists with what we do: names, sizes and chains."""
    geometry = volume.geometry
    reserved = (1 << geometry.fat) - 17 if geometry.fat < 32 else 0x0FFFFFEF
    if (
        geometry.last > min(_MOST_ENTRIES, reserved)  # it takes greater numbers for marks
        or len(volume.files) > _MOST_FILES
        or checked.found.has("fat-jump", "fat-dirty", "fat-cluster-large")
    ):
        return
    from doit_diskimg.verify.fat import listing
    from doit_diskimg.verify.names import fold

    try:
        theirs = listing(f"/proc/self/fd/{report.source.handle}", checked.start)
    except Exception as error:  # whatever it does with an image that is right is news
        text = f"pyfatfs: {type(error).__name__}: {error}"
        checked.found.add("witness", text, at=0)
        return
    mine = {
        fold(file.path): (file.size, [c for first, n in file.runs for c in range(first, first + n)])
        for file in volume.files
    }
    them = {fold(path): found for path, found in theirs.items()}
    for path in sorted(mine.keys() | them.keys()):
        if mine.get(path) != them.get(path):
            text = f"pyfatfs reads another {path!r} than we do"
            checked.found.add("witness", text, at=0, path=path)


def _gist(answer: Answer) -> str:
    """Return what a program said, on one line."""
    lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
    return " ".join(lines)[:300]
