"""Runs inside gdb: goes on until the firmware has loaded an EFI application, and adds its symbols.

Its text is a part of the scripts that `tasks.gdb_task` writes; nobody imports it.

Firmware loads an application wherever there is room, at another place in each run.  A debugger
finds it by what UEFI keeps for that (UEFI 2.10, 18.4): a pointer to the system table at a multiple
of 4 MiB, and in that the table of all loaded images, which is watched.  Until there is one, the
machine runs a moment at a time.
"""

import os
import signal
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # there is none outside gdb, where this can be read and tested only
    import gdb  # type: ignore[import-untyped]

_MOMENT = 0.1
"""Seconds between two looks for the system table; to load its drivers, firmware takes more."""

_POINTERS = 4 << 20
"""What the place of EFI_SYSTEM_TABLE_POINTER is a multiple of."""

_SIGNATURE = b"IBI SYST"

_IMAGES = bytes.fromhex("772e1549da1a6447b7a27afefed95e8b")
"""EFI_DEBUG_IMAGE_INFO_TABLE_GUID."""

_MOST = 10_000
"""Images at the most, if the table makes no sense."""


def symbols_when_loaded(
    application: str, symbols: str, start: int, end: int, seconds: float = 300
) -> None:
    """Go on until ``application`` is loaded; add the symbols of ``symbols`` where it lies.

    ``start`` to ``end`` is the machine's memory.
    """
    wanted = _Application(application)
    table = _wait_for_table(start, end, time.monotonic() + seconds)
    entries = _entries(table)
    base = wanted.among(entries)
    if base is None:
        base = _wait_for(wanted, table, entries)
    else:
        gdb.write(f"{application} was loaded before: it may have run past a breakpoint\n")
    gdb.write(f"{application} is loaded at {base:#x}\n")
    offset = (base + wanted.text - _text_of(symbols)) & 0xFFFFFFFFFFFFFFFF
    gdb.execute(f"add-symbol-file {_quoted(symbols)} -o {offset:#x}")


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _read(address: int, form: str) -> Any:
    """Return the values of a struct in the machine's memory, None where there is none."""
    try:
        memory = gdb.selected_inferior().read_memory(address, struct.calcsize(form))
    except gdb.MemoryError:
        return None
    return struct.unpack(form, bytes(memory))


# The table of images -----------------------------------------------------------------------------


def _wait_for_table(start: int, end: int, deadline: float) -> int:
    """Return where the table of loaded images is; let the machine run until there is one."""
    while (table := _debug_table(start, end)) is None:
        if time.monotonic() > deadline:
            raise gdb.GdbError("no UEFI firmware shows its tables")
        timer = threading.Timer(_MOMENT, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with suppress(KeyboardInterrupt):
            gdb.execute("continue", to_string=True)
        timer.join()
    return table


def _debug_table(start: int, end: int) -> int | None:
    for address in range(-(-start // _POINTERS) * _POINTERS, end, _POINTERS):
        signature, system = _read(address, "<8sQ") or (b"", 0)
        if signature != _SIGNATURE or _read(system, "<8s") != (_SIGNATURE,):
            continue
        count, entries = _read(system + 104, "<QQ") or (0, 0)  # NumberOfTableEntries
        for index in range(min(count, _MOST)):
            guid, table = _read(entries + 24 * index, "<16sQ") or (b"", 0)
            if guid == _IMAGES:
                return int(table)
    return None


def _entries(table: int) -> list[int]:
    """Return the entries of the table of images, 0 for one that was removed."""
    _, count, at = _read(table, "<IIQ") or (0, 0, 0)
    found: list[int] = []
    while count > 0 and len(found) < _MOST:
        some = _read(at + 8 * len(found), "<64Q") or (0,)
        found += some
        count -= sum(entry != 0 for entry in some)
    return found


def _wait_for(wanted: "_Application", table: int, entries: list[int]) -> int:
    """Go on until an image is loaded that is the wanted one, and return where it is."""
    # Its first word has bit 0 while the firmware changes the table.
    status = f"*(unsigned int *) {table:#x}"
    watch = gdb.Breakpoint(status, gdb.BP_WATCHPOINT, gdb.WP_WRITE, True)
    watch.condition = f"({status} & 1) == 0"
    watch.silent = True
    base = None
    while base is None:
        gdb.execute("continue", to_string=True)
        # A change is one entry.  Its place in memory may be that of one that was removed before.
        before, entries = entries, _entries(table)
        before += [0] * (len(entries) - len(before))
        base = wanted.among(now for now, old in zip(entries, before, strict=False) if now != old)
    watch.delete()
    return base


# An application in memory, and in its file ---------------------------------------------------


class _Application:
    """What shows that an image in memory is that of a file."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            data = file.read()
        self.head, sections = _pe(data, path)
        self.text = sections[".text"]

    def among(self, entries: Iterable[int]) -> int | None:
        """Return where the image is that is ours, None if it is in none of the entries."""
        for entry in filter(None, entries):
            kind, _, image = _read(entry, "<IIQ") or (0, 0, 0)
            if kind != 1:  # EFI_DEBUG_IMAGE_INFO_TYPE_NORMAL
                continue
            (base,) = _read(image + 64, "<Q") or (0,)  # EFI_LOADED_IMAGE_PROTOCOL.ImageBase
            magic, at = _read(base, "<2s58xI") or (b"", 0)
            if magic != b"MZ" or at > 4096:
                continue
            (data,) = _read(base, f"<{at + len(self.head) + 8}s") or (b"",)
            if data and _without_base(data[at:]) == self.head:
                return int(base)
        return None


def _pe(data: bytes, path: str) -> tuple[bytes, dict[str, int]]:
    """Return an application's headers but for its place, and where its sections are in it."""
    (at,) = struct.unpack_from("<I", data, 60)
    if data[at : at + 4] != b"PE\0\0":
        raise gdb.GdbError(f"{path} is no EFI application")
    count, optional = struct.unpack_from("<H12xH", data, at + 6)
    first = at + 24 + optional
    rows = [struct.unpack_from("<8sII", data, first + 40 * index) for index in range(count)]
    sections = {name.rstrip(b"\0").decode("latin-1"): place for name, _, place in rows}
    return _without_base(data[at : first + 40 * count]), sections


def _without_base(head: bytes) -> bytes:
    """Return PE headers without ImageBase, which the loader overwrites."""
    return head[:48] + head[56:]


def _text_of(path: str) -> int:
    """Return the address that .text has in a file with symbols, an ELF or a PE of 64 bits."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"MZ":
        (at,) = struct.unpack_from("<I", data, 60)
        (base,) = struct.unpack_from("<Q", data, at + 48)
        return int(base) + _pe(data, path)[1][".text"]
    if data[:5] != b"\x7fELF\x02":
        raise gdb.GdbError(f"{path} is neither an ELF nor a PE file of 64 bits")
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    rows = [struct.unpack_from("<IIQQQ", data, table + size * index) for index in range(count)]
    for name, _, _, address, _ in rows:
        begin = rows[names][4] + name
        if data[begin : data.index(b"\0", begin)] == b".text":
            return int(address)
    raise gdb.GdbError(f"{path} has no .text")
