"""What can be wrong with each option of a `Fat` alone: its kind and its range."""

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING

from doit_diskimg.disk.bootcode import BootCode
from doit_diskimg.disk.fields import Kind, is_bool, is_number
from doit_diskimg.errors import BadSize, BadValue, Problem
from doit_diskimg.kinds.filesystems.fat import own_boot, reserved
from doit_diskimg.kinds.filesystems.fat.choose import FAT32_FEWEST_RESERVED
from doit_diskimg.kinds.filesystems.fat.free import parse_free
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.units import parse_size

if TYPE_CHECKING:
    from doit_diskimg.kinds.filesystems.fat.volume import Fat

_MEDIA = {0xF0, *range(0xF8, 0x100)}


def _in(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: is_number(value) and low <= value <= high  # type: ignore[operator]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 8 and value.isascii() and value.isprintable()


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


_KINDS = {
    "number_of_fats": Kind(
        _in(1, 2), "a volume has one table or two", "write 2, or leave it out",
    ),
    "media": Kind(
        lambda value: is_number(value) and value in _MEDIA,
        "a media byte is 0xF0 or 0xF8 to 0xFF", "write 0xF8 for a disk, 0xF0 for a diskette",
    ),
    "hidden_sectors": Kind(
        _in(0, 0xFFFFFFFF), "must be 0 to 4294967295",
        "leave it out for the sectors before the partition",
    ),
    "drive_number": Kind(_in(0, 0xFF), "must be 0 to 255", "write 0x80 for the first disk"),
    "reserved_sectors": Kind(_in(1, 0xFFFF), "must be 1 to 65535", "write a number of sectors"),
    "oem_name": Kind(
        _is_text, "an OEM name has up to 8 ASCII characters", 'write "MSWIN4.1"',
    ),
    "boot_sector": Kind(
        lambda value: isinstance(value, (str, bytes, PathLike, BootCode)),
        "must be the path of a file, bytes, or BootCode(...)", 'write "build/vbr.bin"',
    ),
    "first": Kind(
        _is_list_of_text, "must be a list of paths in the volume",
        'write ["IO.SYS", "MSDOS.SYS"]',
    ),
    "attributes": Kind(
        lambda value: isinstance(value, Mapping),
        "attributes maps paths in the volume to letters", 'write {"IO.SYS": "hsr"}',
    ),
    "times": Kind(
        lambda value: value in ("epoch", "source", "clamped"),
        "must be 'epoch', 'source' or 'clamped'", "leave it out for 'epoch'",
    ),
    "lower_case_label": Kind(is_bool, "must be True or False", "leave it out for False"),
    "bpb": Kind(
        lambda value: value in ("match", own_boot.REPLACE),
        f"must be 'match' or {own_boot.REPLACE!r}",
        "leave it out for 'match'",
    ),
    "long_names": Kind(is_bool, "must be True or False", "leave it out for True"),
    "case_bits": Kind(is_bool, "must be True or False", "leave it out for False"),
}  # fmt: skip


def problems(fat: "Fat", where: str, sector_size: int) -> Iterator[Problem]:
    """Yield what is wrong with the options that don't depend on one another."""
    for field, kind in _KINDS.items():
        value = getattr(fat, field)
        may_be_none = fat.__dataclass_fields__[field].default is None
        if not (value is None and may_be_none) and not kind.holds(value):
            yield BadValue(f"{where}.{field}", f"{value!r} is given", kind.must, kind.change)
    yield from _root_problems(fat, f"{where}.root_entries", sector_size)
    yield from _free_problems(fat, where)
    if fat.fat == 32 and _in(1, FAT32_FEWEST_RESERVED - 1)(fat.reserved_sectors):
        yield BadValue(
            f"{where}.reserved_sectors", f"{fat.reserved_sectors} are asked for",
            f"FAT32 has at least {FAT32_FEWEST_RESERVED}, for FSInfo and two copies",
            "write 32, or leave it out",
        )
    yield from reserved.gather(fat, None, where).wrong


def _root_problems(fat: "Fat", where: str, sector_size: int) -> Iterator[Problem]:
    if fat.root_entries is None:
        return
    step = sector_size // fat_dirent.SIZE
    if fat.fat == 32:
        must = "the root directory of FAT32 is as long as it needs to be"
        yield BadValue(where, f"{fat.root_entries!r} is given", must, "leave it out")
    elif not _in(step, 0xFFFF)(fat.root_entries) or fat.root_entries % step:
        must = f"must be a multiple of {step}, which fill whole sectors, up to 65535"
        yield BadValue(where, f"{fat.root_entries!r} is given", must, "write for example 512")


def _free_problems(fat: "Fat", where: str) -> Iterator[Problem]:
    try:
        parse_free(fat.free)
    except ValueError as error:
        must = 'must be a part such as "10%", or a size'
        yield BadSize(f"{where}.free", str(error), must, 'write "10%", "4MiB" or 0')
    try:
        parse_size(0 if fat.minimum is None else fat.minimum)
    except ValueError as error:
        must = "must be bytes, or a number with KiB, MiB, GiB or TiB"
        change = "write for example \"100MiB\"; Esp's firmware is 'any', 'strict' or such a size"
        yield BadSize(f"{where}.minimum", str(error), must, change)
