"""What can be wrong with the fields of a `Fat`, found without looking at a file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from doit_diskimg.disk.bootcode import BootCode
from doit_diskimg.disk.fields import path_text_problems, shown
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
from doit_diskimg.kinds.filesystems.fat import (
    engines,
    fat_options,
    names,
    own_boot,
    patched,
    reserved,
)
from doit_diskimg.kinds.filesystems.fat.choose import LARGEST_CLUSTER, TYPES, choose
from doit_diskimg.kinds.filesystems.fat.free import DEFAULT, Free, parse_free
from doit_diskimg.kinds.filesystems.fat.geometry import Geometry, Options
from doit_diskimg.kinds.filesystems.fat.reserved import Part
from doit_diskimg.plan.content import Tree
from doit_diskimg.units import SECTOR, exact_size, is_power_of_two, parse_size

if TYPE_CHECKING:
    from doit_diskimg.kinds.filesystems.fat.volume import Fat

AUTO = "auto"
"""The size that the contents decide."""

_VOLUME_ID = re.compile(r"([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})")


def problems(
    fat: "Fat", where: str, size: int | None, *, sector_size: int = SECTOR
) -> Iterator[Problem]:
    """Yield what is wrong with every field but the sources; ``size`` is the partition's."""
    if not isinstance(fat.files, Mapping):
        found = f"{shown(fat.files)} is no mapping"
        must = "files maps paths in the volume to sources"
        change = 'write {"kernel.elf": "build/kernel.elf"}'
        if isinstance(fat.files, Tree):
            change = f'write {{"/": Tree({str(fat.files.dir)!r})}} for its root'
        yield BadValue(f"{where}.files", found, must, change)
    yield from _boot_sector_problems(fat, f"{where}.boot_sector")
    yield from _label_problems(fat, f"{where}.label")
    yield from _volume_id_problems(fat.volume_id, f"{where}.volume_id")
    yield from engines.problems(fat, where)
    shape = [
        *_type_problems(fat.fat, f"{where}.fat"),
        *_type_problems(fat.prefer, f"{where}.prefer"),
        *_cluster_problems(fat.cluster_size, f"{where}.cluster_size", sector_size),
        *fat_options.problems(fat, where, sector_size),
        *_size_problems(fat, where, size, sector_size),
    ]
    yield from shape
    if not shape and (known := length(fat, size)) is not None:
        parts = reserved.gather(fat, None, where).parts
        try:
            found_geometry = geometry(fat, known, where, parts=parts, sector_size=sector_size)
        except DescriptionError as error:
            yield from error.problems
        else:
            yield from reserved.problems(parts, found_geometry, where)


def length(fat: "Fat", size: int | None) -> int | None:
    """Return the volume's bytes in a partition of ``size``; None if its contents decide."""
    return size if fat.size in (None, AUTO) else parse_size(fat.size)


def free(fat: "Fat", *, automatic: bool = False) -> Free:
    """Return what must stay free; an automatic size leaves something unless told not to."""
    return parse_free(DEFAULT if automatic and fat.free is None else fat.free)


def minimum(fat: "Fat") -> int:
    """Return the fewest bytes that the volume may have."""
    return 0 if fat.minimum is None else parse_size(fat.minimum)


def options(fat: "Fat", parts: Sequence[Part], sector_size: int) -> Options:
    """Return what the user asked for; ``parts`` lie in the reserved sectors."""
    return Options(
        fat=fat.fat,
        prefer=fat.prefer,
        cluster_size=None if fat.cluster_size is None else parse_size(fat.cluster_size),
        root_entries=fat.root_entries,
        reserved_sectors=fat.reserved_sectors,
        reserved_least=min(reserved.least(parts, sector_size), reserved.MOST),
        number_of_fats=fat.number_of_fats,
        media=fat.media,
    )


def geometry(
    fat: "Fat", length: int, where: str, *, parts: Sequence[Part] = (), sector_size: int = SECTOR
) -> Geometry:
    """Return the numbers of the volume.  Raises DescriptionError if the length can't work."""
    return choose(length, options(fat, parts, sector_size), where=where, sector_size=sector_size)


def volume_id(value: int | str) -> int:
    """Return a volume id as a number.  ValueError if it is neither 32 bits nor such text."""
    if isinstance(value, int):
        if isinstance(value, bool) or not 0 <= value <= 0xFFFFFFFF:
            raise ValueError(f"{value!r} is not a number of 32 bits")
        return value
    match = _VOLUME_ID.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no volume id")
    return int(match[1] + match[2], 16)


def _boot_sector_problems(fat: "Fat", where: str) -> Iterator[Problem]:
    if isinstance(fat.boot_sector, BootCode):
        # FAT12 and FAT16 leave the most; what FAT32 takes of that is said when the type is known.
        kept = patched.ours(fat.fat if fat.fat in TYPES else 12)
        yield from fat.boot_sector.source_problems(where, kept)
    if fat.boot_sector is None and fat.bpb == own_boot.REPLACE:
        yield BadValue(
            where, f"there is none, and bpb={own_boot.REPLACE!r}",
            "must be the sector whose BPB is to be replaced",
            'write for example boot_sector="build/vbr.bin", or leave bpb out',
        )
    else:
        yield from path_text_problems(fat.boot_sector, where)


def _label_problems(fat: "Fat", where: str) -> Iterator[Problem]:
    label: object = fat.label
    if label is None:
        return
    if not isinstance(label, str):
        yield BadLabel(where, f"{label!r} is no text", "a volume label is text", "write text")
    elif (
        fault := names.label_fault(label, lower_case=fat.lower_case_label)
    ) is not None:
        yield BadLabel(where, *fault)


def _volume_id_problems(value: int | str | None, where: str) -> Iterator[Problem]:
    if value is None:
        return
    try:
        volume_id(value)
    except ValueError as error:
        must = "a volume id is 0 to 0xFFFFFFFF, or eight hexadecimal digits"
        yield BadValue(where, str(error), must, 'write for example "1234-ABCD", or leave it out')


def _type_problems(value: object, where: str) -> Iterator[Problem]:
    if value is not None and (not isinstance(value, int) or value not in TYPES):
        must = "the types of FAT are 12, 16 and 32"
        yield BadValue(where, f"{value!r} is no type", must, "write one of them, or leave it out")


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


def _size_problems(fat: "Fat", where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
    where = f"{where}.size"
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


def _minimum_problems(fat: "Fat", where: str, length: int | None) -> Iterator[Problem]:
    try:
        least = minimum(fat)
    except ValueError:
        return  # reported with the other options
    if length is not None and length < least:
        yield TooSmall(
            where, f"the volume has {exact_size(length)}",
            f"it must have {exact_size(least)}, as its minimum or its firmware says",
            "make it larger, or ask for less",
        )
