"""`Esp`: the EFI system partition in one word."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypedDict, Unpack

from doit_diskimg.disk.fields import AUTO
from doit_diskimg.disk.model import Partition
from doit_diskimg.disk.segment import CodeSource
from doit_diskimg.disk.symbols import Guid
from doit_diskimg.kinds.filesystems.fat.volume import EngineName, Fat
from doit_diskimg.plan.content import Sources
from doit_diskimg.units import SizeLike

_MINIMUM = {"any": None, "strict": "100MiB"}
"""Bytes by firmware; systemd-repart too makes no smaller one."""


class _OfPartition(TypedDict, total=False):
    start: SizeLike | None
    size: SizeLike | None
    align: SizeLike | None
    guid: str | Guid | None
    partition_name: str | None
    partition_attributes: int | Sequence[str]
    active: bool
    logical: bool | None
    in_table: bool
    persist: bool


class EspOptions(_OfPartition, total=False):
    """The fields of `Partition`, above, and of `Fat`."""

    fat: Literal[12, 16, 32] | None
    prefer: Literal[12, 16, 32] | None
    free: SizeLike | None
    minimum: SizeLike | None
    label: str | None
    lower_case_label: bool
    volume_id: int | str | None
    cluster_size: SizeLike | None
    root_entries: int | None
    reserved_sectors: int | None
    reserved: Mapping[int, str | PathLike[str] | bytes | CodeSource]
    number_of_fats: int
    media: int | None
    hidden_sectors: int | None
    drive_number: int | None
    oem_name: str | None
    boot_sector: str | PathLike[str] | bytes | CodeSource | None
    bpb: Literal["match", "replace"]
    first: Sequence[str]
    low: Sequence[str]
    attributes: Mapping[str, str]
    times: Literal["epoch", "source", "clamped"]
    long_names: bool
    case_bits: bool
    engine: EngineName


def Esp(  # noqa: N802  # reads like the classes beside it in a description
    files: Mapping[str, Sources],
    *,
    name: str = "esp",
    firmware: Literal["any", "strict"] = "any",
    **options: Unpack[EspOptions],
) -> Partition:
    """Return ``Partition(name, Fat(files, ...), type="esp", ...)``.

    ``options`` are the fields of both; ``size`` is the partition's, and ``attributes`` are those of
    files, for the GPT's are ``partition_attributes``.

    FAT32 wherever it fits, since UEFI asks for it (2.10, section 13.3) and some firmware takes
    nothing else; a system partition too small for its 65,525 clusters (below 33 MiB, with sectors
    of 4096 bytes below 260 MiB) is FAT12 or FAT16.  Without a size it is the smallest of FAT32 that
    leaves ``free`` free.

    ``firmware="strict"`` is for machines that refuse small ones: it has at least 100 MiB.
    """
    volume: dict[str, Any] = {"minimum": _MINIMUM.get(firmware, firmware), **options}
    partition = {
        key: volume.pop(key) for key in _OfPartition.__annotations__ if key in volume
    }
    if "partition_attributes" in partition:
        partition["attributes"] = partition.pop("partition_attributes")
    if volume.get("fat") is None and volume.get("prefer") is None:
        is_automatic = partition.get("size") in (None, AUTO)
        by_size = not is_automatic or volume.get("cluster_size") is not None
        volume["prefer" if by_size else "fat"] = 32
    return Partition(name, Fat(files, **volume), type="esp", **partition)
