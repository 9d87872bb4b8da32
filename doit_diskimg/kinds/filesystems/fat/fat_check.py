"""What can be wrong with the fields of a `Fat`, found without looking at a file.

First each field alone, by a table of what it may hold; then what several of them say together.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from os import PathLike

from doit_diskimg.disk.fields import AUTO, YES_OR_NO, Kind, is_number, path_text_problems, shown
from doit_diskimg.disk.segment import CodeSource
from doit_diskimg.errors import (
    BadLabel,
    BadSize,
    BadValue,
    ContentTooLarge,
    DescriptionError,
    Problem,
    TooSmall,
    Unaligned,
)
from doit_diskimg.kinds.filesystems.fat import engines, names, reserved, sizing
from doit_diskimg.kinds.filesystems.fat.contents import FatContents
from doit_diskimg.kinds.filesystems.fat.fat_type import (
    FAT32_FEWEST_RESERVED,
    LARGEST_CLUSTER,
    TYPES,
    choose,
)
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.plan.content import Tree
from doit_diskimg.units import exact_size, is_power_of_two, parse_size

_MEDIA = {0xF0, *range(0xF8, 0x100)}
_VOLUME_ID = re.compile(r"([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})")


def _in(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: is_number(value) and low <= value <= high  # type: ignore[operator]


def _one_of(*values: object) -> Callable[[object], bool]:
    return lambda value: any(type(value) is type(one) and value == one for one in values)


def _is_oem_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 8 and value.isascii() and value.isprintable()


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


_TYPE = Kind(
    _one_of(*TYPES), "the types of FAT are 12, 16 and 32", "write one of them, or leave it out"
)
_KINDS = {
    "fat": _TYPE,
    "prefer": _TYPE,
    "number_of_fats": Kind(
        _in(1, 2), "a volume has one table or two", "write 2, or leave it out",
    ),
    "media": Kind(
        _one_of(*_MEDIA), "a media byte is 0xF0 or 0xF8 to 0xFF",
        "write 0xF8 for a disk, 0xF0 for a diskette",
    ),
    "hidden_sectors": Kind(
        _in(0, 0xFFFFFFFF), "must be 0 to 4294967295",
        "leave it out for the sectors before the partition",
    ),
    "drive_number": Kind(_in(0, 0xFF), "must be 0 to 255", "write 0x80 for the first disk"),
    "reserved_sectors": Kind(_in(1, 0xFFFF), "must be 1 to 65535", "write a number of sectors"),
    "oem_name": Kind(
        _is_oem_name, "an OEM name has up to 8 ASCII characters", 'write "MSWIN4.1"',
    ),
    "boot_sector": Kind(
        lambda value: isinstance(value, (str, bytes, PathLike, CodeSource)),
        "must be the path of a file, bytes, or BootCode(...)", 'write "build/vbr.bin"',
    ),
    "first": Kind(
        _is_list_of_text, "must be a list of paths in the volume",
        'write ["IO.SYS", "MSDOS.SYS"]',
    ),
    "low": Kind(
        _is_list_of_text, "must be a list of paths in the volume", 'write ["boot/kernel.bin"]',
    ),
    "attributes": Kind(
        lambda value: isinstance(value, Mapping),
        "attributes maps paths in the volume to letters", 'write {"IO.SYS": "hsr"}',
    ),
    "times": Kind(
        _one_of("epoch", "source", "clamped"), "must be 'epoch', 'source' or 'clamped'",
        "leave it out for 'epoch'",
    ),
    "lower_case_label": YES_OR_NO,
    "bpb": Kind(
        _one_of("match", reserved.REPLACE), f"must be 'match' or {reserved.REPLACE!r}",
        "leave it out for 'match'",
    ),
    "long_names": YES_OR_NO,
    "case_bits": YES_OR_NO,
}  # fmt: skip


def all_problems(fat: Fat, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
    """Yield what is wrong with the description alone, its sources included."""
    found = list(problems(fat, where, size, sector_size))
    yield from found
    for problem in FatContents(fat, None, where).wrong:
        if problem not in found:
            yield problem


def problems(fat: Fat, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
    """Yield what is wrong with every field but the sources; ``size`` is the partition's."""
    yield from _files_problems(fat.files, f"{where}.files")
    yield from _boot_sector_problems(fat, f"{where}.boot_sector")
    yield from _label_problems(fat, f"{where}.label")
    yield from _volume_id_problems(fat.volume_id, f"{where}.volume_id")
    yield from engines.problems(fat, where)
    shape = [
        *_kind_problems(fat, where),
        *_cluster_problems(fat.cluster_size, f"{where}.cluster_size", sector_size),
        *_root_problems(fat, f"{where}.root_entries", sector_size),
        *_free_problems(fat, where),
        *_fat32_problems(fat, f"{where}.reserved_sectors"),
        *reserved.gather(fat, None, where).wrong,
        *_size_problems(fat, f"{where}.size", size, sector_size),
    ]
    yield from shape
    if not shape and (length := sizing.length_of(fat, size)) is not None:
        parts = reserved.gather(fat, None, where).parts
        options = sizing.options_of(fat, parts, sector_size)
        try:
            geometry = choose(length, options, where=where, sector_size=sector_size)
        except DescriptionError as error:
            yield from error.problems
        else:
            yield from reserved.problems(parts, geometry, where)


def volume_id(value: int | str) -> int:
    """Return a volume id as a number.  ValueError if it is neither 32 bits nor such text."""
    if isinstance(value, int):
        if isinstance(value, bool) or not 0 <= value <= 0xFFFFFFFF:
            raise ValueError(f"{value!r} is not a number of 32 bits")
        return value
    match = _VOLUME_ID.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a volume id")
    return int(match[1] + match[2], 16)


# Single fields -----------------------------------------------------------------------------------


def _kind_problems(fat: Fat, where: str) -> Iterator[Problem]:
    for field, kind in _KINDS.items():
        value = getattr(fat, field)
        may_be_none = fat.__dataclass_fields__[field].default is None
        if not (value is None and may_be_none) and not kind.holds(value):
            yield BadValue(f"{where}.{field}", f"{value!r} is given", kind.must, kind.change)


def _files_problems(files: object, where: str) -> Iterator[Problem]:
    if isinstance(files, Mapping):
        return
    change = 'write {"kernel.elf": "build/kernel.elf"}'
    if isinstance(files, Tree):
        change = f'write {{"/": Tree({str(files.dir)!r})}} for its root'
    must = "files maps paths in the volume to sources"
    yield BadValue(where, f"{shown(files)} is not a mapping", must, change)


def _label_problems(fat: Fat, where: str) -> Iterator[Problem]:
    label: object = fat.label
    if label is None:
        return
    if not isinstance(label, str):
        yield BadLabel(where, f"{label!r} is not text", "a volume label is text", "write text")
    elif fault := names.label_fault(label, lower_case=fat.lower_case_label):
        yield BadLabel(where, *fault)


def _volume_id_problems(value: int | str | None, where: str) -> Iterator[Problem]:
    if value is None:
        return
    try:
        volume_id(value)
    except ValueError as error:
        must = "a volume id is 0 to 0xFFFFFFFF, or eight hexadecimal digits"
        yield BadValue(where, str(error), must, 'write for example "1234-ABCD", or leave it out')


def _cluster_problems(value: object, where: str, sector_size: int) -> Iterator[Problem]:
    if value is None:
        return
    must = f"a cluster is a power of two from {sector_size} to {LARGEST_CLUSTER} bytes"
    change = 'write for example "4KiB", or leave it out'
    try:
        size = parse_size(value)  # type: ignore[arg-type]  # a user may give anything
    except ValueError as error:
        yield BadSize(where, str(error), must, change)
        return
    if not is_power_of_two(size) or not sector_size <= size <= LARGEST_CLUSTER:
        yield BadSize(where, f"{size} bytes", must, change)


def _free_problems(fat: Fat, where: str) -> Iterator[Problem]:
    try:
        sizing.free_of(fat)
    except ValueError as error:
        must = 'must be a part such as "10%", or a size'
        yield BadSize(f"{where}.free", str(error), must, 'write "10%", "4MiB" or 0')
    try:
        sizing.minimum_of(fat)
    except ValueError as error:
        must = "must be bytes, or a number with KiB, MiB, GiB or TiB"
        change = "write for example \"100MiB\"; Esp's firmware is 'any' or 'strict'"
        yield BadSize(f"{where}.minimum", str(error), must, change)


# Several fields together -------------------------------------------------------------------------


def _boot_sector_problems(fat: Fat, where: str) -> Iterator[Problem]:
    if isinstance(fat.boot_sector, CodeSource):
        # FAT12 and FAT16 leave the most; what FAT32 takes of that is said when the type is known.
        kept = reserved.kept(fat.fat if fat.fat in TYPES else 12)
        yield from fat.boot_sector.source_problems(where, kept)
    if fat.boot_sector is None and fat.bpb == reserved.REPLACE:
        yield BadValue(
            where, f"there is none, and bpb={reserved.REPLACE!r}",
            "must be the sector whose BPB is to be replaced",
            'write for example boot_sector="build/vbr.bin", or leave bpb out',
        )
    else:
        yield from path_text_problems(fat.boot_sector, where)


def _root_problems(fat: Fat, where: str, sector_size: int) -> Iterator[Problem]:
    if fat.root_entries is None:
        return
    step = sector_size // fat_dirent.SIZE
    if fat.fat == 32:
        must = "the root directory of FAT32 is as long as it needs to be"
        yield BadValue(where, f"{fat.root_entries!r} is given", must, "leave it out")
    elif not _in(step, 0xFFFF)(fat.root_entries) or fat.root_entries % step:
        must = f"must be a multiple of {step}, which fill whole sectors, up to 65535"
        yield BadValue(where, f"{fat.root_entries!r} is given", must, "write for example 512")


def _fat32_problems(fat: Fat, where: str) -> Iterator[Problem]:
    if fat.fat == 32 and _in(1, FAT32_FEWEST_RESERVED - 1)(fat.reserved_sectors):
        yield BadValue(
            where, f"{fat.reserved_sectors} are asked for",
            f"FAT32 has at least {FAT32_FEWEST_RESERVED}, for FSInfo and two copies",
            "write 32, or leave it out",
        )


def _size_problems(fat: Fat, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
    if fat.size == AUTO and size is not None:
        found, must = "it is automatic in a partition that has a size", "one of them decides"
        yield BadSize(where, found, must, "leave one of the two out")
    if fat.size in (None, AUTO):
        yield from _minimum_problems(fat, where, size)
        return
    try:
        length = parse_size(fat.size)
    except ValueError as error:
        must = "must be bytes, or a number with KiB, MiB, GiB or TiB"
        yield BadSize(where, str(error), must, f'write for example "33MiB", or "{AUTO}"')
        return
    if length % sector_size:
        must = f"a volume is a multiple of {sector_size}"
        yield Unaligned(where, f"{length} bytes", must, f"write {length - length % sector_size}")
    if size is not None and length > size:
        found = f"the volume has {exact_size(length)}"
        must = f"its partition has {exact_size(size)}"
        yield ContentTooLarge(where, found, must, "make the volume smaller or the partition larger")
    yield from _minimum_problems(fat, where, length)


def _minimum_problems(fat: Fat, where: str, length: int | None) -> Iterator[Problem]:
    try:
        least = sizing.minimum_of(fat)
    except ValueError:
        return  # reported with the other options
    if length is not None and length < least:
        yield TooSmall(
            where, f"the volume has {exact_size(length)}",
            f"it must have {exact_size(least)}, as its minimum or its firmware says",
            "make it larger, or ask for less",
        )
