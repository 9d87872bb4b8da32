"""fsck.fat, sgdisk and pyfatfs: other people's readers, who are asked too.

They are asked about nothing but what we find no error in, and fsck.fat and pyfatfs only about plain
volumes: there they are known to be right.  What they complain of is a warning, so that the exit
code does not depend on who is installed.  No program that was not written for hostile images ever
sees one that is damaged in a way that we know of.

Where fsck.fat 4.2 is wrong: a file of 4 GiB - 1; FSInfo or the backup at 0xFFFF or 0; FATs that are
not mirrored; a label that is not ASCII, or that is not there; two-byte characters in short names.
Where pyfatfs 1.1 is: bytes 20 and 21 of an entry of FAT12 and FAT16, which others use; FATs that
are not mirrored; no FSInfo; the greatest cluster numbers.

fsck.fat has no way to say where in a file a volume begins.  It gets a file in memory with the
metadata of the volume, at its places, and holes for the contents of files, which it does not read.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from doit_diskimg.host.program import Answer, ask_program, find_program
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.name_reader import fold
from doit_diskimg.verify.source import Source
from doit_diskimg.verify.volume_reader import CheckedVolume, ReadVolume

_MOST_METADATA = 1 << 26
_MOST_CLUSTERS = 1 << 23  # for which fsck.fat takes 16 bytes each, used or not
_MOST_ENTRIES = 1 << 20  # of a FAT that pyfatfs reads: a second
_MOST_FILES = 1 << 13  # that pyfatfs lists: a second, too
_MOST_SECONDS = 120  # for all volumes of an image
_HARMLESS = {"fat-hidden", "fat-backup-boot", "fat-type-text"}
"""Warnings of ours that no witness is known to take for something else."""
_NONE = (0, 0xFFFF)


def ask_witnesses(
    source: Source, disk: Findings, volumes: Sequence[CheckedVolume], *, gpt: bool
) -> None:
    """Ask the installed programs; add what they complain of to the findings.

    ``disk`` is what was found outside of the volumes, ``gpt`` whether there is a GPT that sgdisk
    reads.
    """
    end = monotonic() + _MOST_SECONDS
    # It takes a table that has no backup for damaged.
    if gpt and not disk.errors and not disk.has("gpt-no-backup"):
        _sgdisk(source, disk)
    for checked in volumes:
        volume = checked.volume
        if volume is None or checked.found.errors or not _is_plain(checked, volume):
            continue
        if monotonic() > end:
            text = f"no more are asked after {_MOST_SECONDS} seconds"
            disk.add("witness-silent", text, path=checked.title)
            return
        _fsck(checked, volume)
        _pyfatfs(source, checked, volume)


def _is_plain(checked: CheckedVolume, volume: ReadVolume) -> bool:
    """Return whether a volume has nothing in it that witnesses are known to be wrong about."""
    boot, size = volume.geometry.boot, volume.geometry.cluster_size
    wide = volume.geometry.fat == 32
    return not (
        checked.found.codes - _HARMLESS
        or not volume.plain_names
        or boot.label is None
        or not boot.label.isascii()
        or (wide and (boot.flags & 0x80 or boot.fs_info in _NONE or boot.backup in _NONE))
        or any(file.size > 0xFFFFFFFF - size for file in volume.files)
    )


def _sgdisk(source: Source, disk: Findings) -> None:
    handle = source.handle
    answer = _ask("sgdisk", ["-v", f"/proc/self/fd/{handle}"], handle, disk)
    if answer is None or "No problems found" in answer.text:
        return
    code = "witness" if "Identified" in answer.text else "witness-silent"
    disk.add(code, f"sgdisk: {_gist(answer)}")


def _fsck(checked: CheckedVolume, volume: ReadVolume) -> None:
    if volume.geometry.clusters > _MOST_CLUSTERS:
        text = f"fsck.fat: not asked about {volume.geometry.clusters:,} clusters"
        checked.found.add("witness-silent", text, at=0)
        return
    with _metadata(volume) as handle:
        if handle < 0:
            return
        answer = _ask("fsck.fat", ["-n", f"/proc/self/fd/{handle}"], handle, checked.found)
    if answer and answer.code != 0:
        told = answer.code == 1 and not any(words in answer.text for words in _NO_MEMORY)
        code = "witness" if told else "witness-silent"
        checked.found.add(code, f"fsck.fat: {_gist(answer)}", at=0)


_NO_MEMORY = ("Cannot allocate memory", "memory exhausted", "ut of memory")
"""fsck.fat ends with 1, the code of a damaged volume, if malloc fails."""


def _ask(name: str, arguments: list[str], handle: int, found: Findings) -> Answer | None:
    """Return a program's answer, None without one; report that one that is installed gave none."""
    if find_program(name) is None:
        return None
    answer = ask_program(name, arguments, handle)
    if answer is None:
        found.add("witness-silent", f"{name}: it could not be started, or did not end")
    return answer


@contextmanager
def _metadata(volume: ReadVolume) -> Iterator[int]:
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


def _copy(volume: ReadVolume, handle: int) -> bool:
    """Copy what is not zero; return whether it was not too much."""
    left = _MOST_METADATA
    for start, length in volume.metadata:
        for place, data in volume.window.chunks(start, start + length):
            left -= len(data)
            if left < 0:
                return False
            os.pwrite(handle, data, place)
    return True


def _pyfatfs(source: Source, checked: CheckedVolume, volume: ReadVolume) -> None:
    """Compare what pyfatfs lists with what we do: names, sizes and chains."""
    geometry = volume.geometry
    reserved = (1 << geometry.fat) - 17 if geometry.fat < 32 else 0x0FFFFFEF
    if (
        geometry.last > min(_MOST_ENTRIES, reserved)  # it takes greater numbers for marks
        or len(volume.files) > _MOST_FILES
    ):
        return
    from doit_diskimg.verify.pyfat_reader import listing

    try:
        theirs = listing(f"/proc/self/fd/{source.handle}", checked.start)
    except MemoryError:
        checked.found.add("witness-silent", "pyfatfs: not enough memory", at=0)
        return
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
            text = f"pyfatfs: size or clusters of {path!r} differ from what we read"
            checked.found.add("witness", text, at=0, path=path)


def _gist(answer: Answer) -> str:
    """Return what a program said, on one line."""
    lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
    return " ".join(lines)[:300] or f"it ended with {answer.code}"
