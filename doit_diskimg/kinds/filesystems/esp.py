"""`Esp`: the EFI system partition in one word."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from doit_diskimg.disk.model import Partition
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.plan.content import Sources
from doit_diskimg.units import SizeLike

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.kinds.filesystems.fat.volume import EngineName

_MINIMUM = {"any": None, "strict": "100MiB"}
"""Bytes by firmware; systemd-repart too makes no smaller one.  A size may stand for a word."""

AUTO = "auto"


def Esp(  # noqa: N802  # reads like the classes beside it in a description
    files: Mapping[str, Sources],
    *,
    name: str = "esp",
    size: SizeLike | None = None,
    start: SizeLike | None = None,
    guid: "str | UUID | None" = None,
    partition_name: str | None = None,
    fat: Literal[12, 16, 32] | None = None,
    label: str | None = None,
    lower_case_label: bool = False,
    volume_id: int | str | None = None,
    cluster_size: SizeLike | None = None,
    free: SizeLike | None = None,
    firmware: str = "any",
    engine: "EngineName" = "native",
) -> Partition:
    """Return ``Partition(name, Fat(files, ...), type="esp", ...)``.

    FAT32 wherever it fits, since UEFI asks for it (2.10, section 13.3) and some firmware takes
    nothing else; a system partition too small for its 65,525 clusters (below 33 MiB, with sectors
    of 4096 bytes below 260 MiB) is FAT12 or FAT16.  Without a size it is the smallest of FAT32 that
    leaves ``free`` free.

    ``firmware="strict"`` is for machines that refuse small ones: it has at least 100 MiB.
    """
    automatic = size in (None, AUTO)
    if fat is None and cluster_size is None and automatic:
        fat = 32
    payload = Fat(
        files,
        fat=fat,
        prefer=32 if fat is None else None,
        label=label,
        lower_case_label=lower_case_label,
        volume_id=volume_id,
        cluster_size=cluster_size,
        free=free,
        minimum=_MINIMUM.get(firmware, firmware) if isinstance(firmware, str) else firmware,
        engine=engine,
    )
    return Partition(
        name, payload, type="esp", size=size, start=start, guid=guid, partition_name=partition_name
    )
