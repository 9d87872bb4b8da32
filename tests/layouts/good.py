"""Layouts that can be built, and what other tools must see in them.

Numbers in the right column are sectors, written by hand from the description on the left.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.segment import Segment
from doit_diskimg.kinds.filesystems.esp import Esp
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.filesystems.file import File
from doit_diskimg.kinds.filesystems.zero import Zero
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.kinds.tables.mbr import Mbr

FILES = {
    "root.ext2": b"r" * 100_000,  # 196 sectors, the last one partly
    "a.bin": b"a" * 4096,
    "stage2.bin": b"s" * 5000,
    "spl.bin": bytes(n % 251 for n in range(30_000)),  # no two sectors alike
    "empty": b"",
}


class Good(NamedTuple):
    name: str
    disk: Disk
    expected: list[str]
    size: int
    """Sectors of the disk."""
    sgdisk: Mapping[str, str] = {}
    """Warnings that sgdisk must have, by their first words."""
    parted: bool = True
    """Whether parted reads it."""


def part(name: str, size: Any = None, type: Any = "linux-filesystem", **fields: Any) -> Partition:
    return Partition(name, fields.pop("payload", Zero()), type=type, size=size, **fields)


def fat(name: str, size: Any = None, type: Any = None, **fields: Any) -> Partition:
    kind = fields.pop("fat", None)
    payload = Fat({"HELLO.TXT": b"hello"}, fat=kind)
    return Partition(name, payload, type=type, size=size, **fields)


def root(**fields: Any) -> Partition:
    return part("root", payload=File("root.ext2"), **fields)


def mbr(*partitions: Partition, size: Any = "64MiB", table: Any = None, **fields: Any) -> Disk:
    return Disk("os.img", size=size, table=table or Mbr(), partitions=partitions, **fields)


def gpt(*partitions: Partition, size: Any = "64MiB", table: Any = None, **fields: Any) -> Disk:
    return Disk("os.img", size=size, table=table or Gpt(), partitions=partitions, **fields)


def bare(partition: Partition, size: Any, **fields: Any) -> Disk:
    return Disk("os.img", size=size, table=None, partitions=[partition], **fields)


def flat(*segments: Segment, size: Any) -> Disk:
    return Disk("os.img", size=size, table=None, segments=segments)


M64 = 131072
"""Sectors of 64 MiB."""

GAP = "Warning: There is a gap between"
ACTIVE = "Warning: The 0xEE protective partition in the MBR"
SHORT = "Warning: The size of the partition table"

BOOT = Segment("code", b"\xf4" * 440, 0)
STAGE2 = Segment("stage2", "stage2.bin", 512)

TYPICAL = [
    # L0: a boot sector and a kernel behind it, no table that anybody reads
    Good("L0 flat", mbr(segments=[BOOT, STAGE2], size=1474560), [], 2880),
    # L1 is among the bare volumes
    Good("L2 stage 2 in the gap", mbr(
        fat("boot", "40MiB", active=True), segments=[BOOT, STAGE2],
    ), ["1 2048 81920 0e active"], M64),
    Good("L2 FAT32", mbr(fat("boot", "40MiB", fat=32)), ["1 2048 81920 0c"], M64),
    Good("L3 ESP to the last usable sector", gpt(fat("esp", "rest", type="esp")),
         ["1 2048 128991 esp 'esp'"], M64),
    Good("L3 ESP of 33 MiB", gpt(fat("esp", "33MiB", type="esp", fat=32)),
         ["1 2048 67584 esp 'esp'"], M64),
    Good("L4b Limine on an MBR", mbr(fat("boot", "rest", type="esp", active=True)),
         ["1 2048 129024 ef active"], M64),
    Good("L4c Limine on a GPT", gpt(
        part("limine", "1MiB", type="bios-boot"), fat("esp", "rest", type="esp"), segments=[BOOT],
    ), ["1 2048 2048 bios-boot 'limine'", "2 4096 126943 esp 'esp'"], M64),
    Good("L5a GRUB in the gap", mbr(
        part("root", "16MiB", active=True), segments=[BOOT, Segment("core", "spl.bin", 512)],
    ), ["1 2048 32768 83 active"], M64),
    Good("L5a old disk, partition at sector 63", mbr(
        part("root", "16MiB", start=63 * 512), segments=[Segment("core", "spl.bin", 512)],
    ), ["1 63 32768 83"], M64),
    Good("L5b GRUB in a BIOS boot partition", gpt(
        part("grub", payload=File("spl.bin"), size="1MiB", type="bios-boot"),
        fat("esp", "33MiB", type="esp"), segments=[BOOT],
    ), ["1 2048 2048 bios-boot 'grub'", "2 4096 67584 esp 'esp'"], M64),
    Good("L7 Raspberry Pi", mbr(
        fat("boot", "40MiB", fat=32, start="4MiB"), part("root", "rest"), signature=0x12345678,
    ), ["1 8192 81920 0c", "2 90112 40960 83"], M64),
    Good("L7 FAT16 under the type of FAT32", mbr(fat("boot", "32MiB", type=0x0C)),
         ["1 2048 65536 0c"], M64),
    Good("L7 SD card for QEMU", mbr(
        fat("boot", "40MiB"), root(), size="auto", power_of_two=True,
    ), ["1 2048 81920 0e", "2 83968 196 83"], M64),
    Good("L8 rust-osdev", mbr(
        part("stage2", payload=File("spl.bin"), type=0x20, active=True),
        fat("fat", "4MiB", type=0x0C), align=512, segments=[BOOT], size="auto",
    ), ["1 1 59 20 active", "2 60 8192 0c"], 8252),
    Good("L9 ESP and root", gpt(
        fat("esp", "33MiB", type="esp"), root(), part("data", "rest", type="linux-home"),
    ), ["1 2048 67584 esp 'esp'", "2 69632 196 linux-filesystem 'root'",
        "3 71680 59359 linux-home 'data'"], M64),
]

SIZES = [
    Good("auto: as long as the file", mbr(root()), ["1 2048 196 83"], M64),
    Good("auto said aloud", mbr(root(size="auto")), ["1 2048 196 83"], M64),
    Good("auto disk, MBR", mbr(root(), size="auto"), ["1 2048 196 83"], 4096),
    Good("auto disk, packed", mbr(root(), size="auto", align=512), ["1 1 196 83"], 197),
    Good("auto disk, GPT", gpt(root(), size="auto"),
         ["1 2048 196 linux-filesystem 'root'"], 4096),
    Good("auto disk, GPT packed", gpt(root(), size="auto", align=512),
         ["1 34 196 linux-filesystem 'root'"], 34 + 196 + 33),
    # 1 MiB and 196 sectors are usable in 4096 sectors only if the backup fits behind them
    Good("auto disk, the backup makes it larger", gpt(part("a", 2030 * 512), size="auto"),
         ["1 2048 2030 linux-filesystem 'a'"], 6144),
    Good("auto disk, the backup just fits", gpt(part("a", 2015 * 512), size="auto"),
         ["1 2048 2015 linux-filesystem 'a'"], 4096),
    Good("auto disk for a segment", mbr(segments=[Segment("s", "stage2.bin", "5MiB")], size="auto"),
         [], 12288),
    Good("auto disk without anything, MBR", mbr(size="auto"), [], 2048),
    Good("auto disk without anything, GPT", gpt(size="auto"), [], 2048),
    Good("auto disk with a start far off", mbr(root(start="20MiB"), size="auto"),
         ["1 40960 196 83"], 43008),
    Good("auto disk, the rest is the least", mbr(part("a", "1MiB"), root(size="rest"), size="auto"),
         ["1 2048 2048 83", "2 4096 2048 83"], 6144),
    Good("auto disk, the rest fills the power of two", mbr(
        part("a", "1MiB"), root(size="rest"), size="auto", power_of_two=True,
    ), ["1 2048 2048 83", "2 4096 4096 83"], 8192),
    Good("auto disk, a rest in the middle", mbr(
        part("a", "1MiB"), root(size="rest"), part("b", "1MiB"), size="auto",
    ), ["1 2048 2048 83", "2 4096 2048 83", "3 6144 2048 83"], 8192),
    Good("a given size to the next power of two", mbr(root(), size="60MiB", power_of_two=True),
         ["1 2048 196 83"], M64),
    Good("a power of two stays", mbr(root(), power_of_two=True), ["1 2048 196 83"], M64),
    Good("rest of an MBR", mbr(part("a", "rest")), ["1 2048 129024 83"], M64),
    Good("rest of a GPT", gpt(part("a", "rest")),
         ["1 2048 128991 linux-filesystem 'a'"], M64),
    Good("rest between others", gpt(
        part("a", "1MiB"), part("b", "rest"), part("c", "1MiB"), part("d", "3MiB"),
    ), ["1 2048 2048 linux-filesystem 'a'", "2 4096 116736 linux-filesystem 'b'",
        "3 120832 2048 linux-filesystem 'c'", "4 122880 6144 linux-filesystem 'd'"], M64),
    Good("rest first", mbr(part("a", "rest"), part("b", 512)),
         ["1 2048 126976 83", "2 129024 1 83"], M64),
    Good("rest before a start", mbr(part("a", "rest"), part("b", "1MiB", start="10MiB")),
         ["1 2048 18432 83", "2 20480 2048 83"], M64),
    Good("rest behind a start", mbr(part("b", "1MiB", start="10MiB"), part("a", "rest")),
         ["1 20480 2048 83", "2 22528 108544 83"], M64),
    Good("rest with a start", mbr(part("a", "1MiB"), part("b", "rest", start="40MiB")),
         ["1 2048 2048 83", "2 81920 49152 83"], M64),
    Good("rest up to a segment", mbr(part("a", "rest"), segments=[Segment("s", "a.bin", "40MiB")]),
         ["1 2048 79872 83"], M64),
    Good("rest up to the sector of a segment", mbr(
        part("a", "rest"), segments=[Segment("s", "a.bin", 40 * 1024 * 1024 + 100)],
    ), ["1 2048 79872 83"], M64),
    Good("those behind the rest avoid a segment", mbr(
        part("a", "rest"), part("b", "2MiB"), segments=[Segment("s", "a.bin", "63MiB")],
    ), ["1 2048 122880 83", "2 124928 4096 83"], M64),
    Good("rest of one sector", mbr(part("a", "rest"), part("b", "62MiB"), size=M64 * 512),
         ["1 2048 2048 83", "2 4096 126976 83"], M64),
    Good("rest packed", mbr(part("a", 512), part("b", "rest"), part("c", 512), align=512),
         ["1 1 1 83", "2 2 131069 83", "3 131071 1 83"], M64),
    Good("a large FAT16 and what is left", mbr(fat("a", "16MiB"), fat("b", "rest")),
         ["1 2048 32768 0e", "2 34816 96256 0e"], M64),
    Good("the rest decides the type: FAT12", mbr(part("a", "60MiB"), fat("b", "rest")),
         ["1 2048 122880 83", "2 124928 6144 01"], M64),
    Good("the rest decides the type: FAT32", mbr(fat("a", "rest"), size="600MiB"),
         ["1 2048 1226752 0c"], 1228800),
    Good("align of one partition", mbr(
        part("a", 512), part("b", 512, align="4MiB"), part("c", 512),
    ), ["1 2048 1 83", "2 8192 1 83", "3 10240 1 83"], M64),
    Good("align of 4 KiB", mbr(root(), part("b", 512), align="4KiB"),
         ["1 8 196 83", "2 208 1 83"], M64),
    Good("zero in a partition of its own", gpt(part("slot", "8MiB"), root()),
         ["1 2048 16384 linux-filesystem 'slot'", "2 18432 196 linux-filesystem 'root'"], M64),
    Good("much larger than its content", mbr(root(size="32MiB")), ["1 2048 65536 83"], M64),
    Good("one file in two partitions", gpt(
        part("a", payload=File("root.ext2")), part("b", payload=File("root.ext2")), align=512,
    ), ["1 34 196 linux-filesystem 'a'", "2 230 196 linux-filesystem 'b'"], M64),
    Good("an empty file with a size", mbr(part("a", "1MiB", payload=File("empty"))),
         ["1 2048 2048 83"], M64),
    Good("an empty segment", mbr(root(), segments=[Segment("s", "empty", 512)]),
         ["1 2048 196 83"], M64),
]

MBRS = [
    Good("four primary", mbr(*[part(name, "1MiB") for name in "abcd"]),
         ["1 2048 2048 83", "2 4096 2048 83", "3 6144 2048 83", "4 8192 2048 83"], M64),
    Good("five: two are logical", mbr(*[part(name, "1MiB") for name in "abcde"]),
         ["1 2048 2048 83", "2 4096 2048 83", "3 6144 2048 83", "4 8192 8192 0f",
          "5 10240 2048 83", "6 14336 2048 83"], M64),
    Good("one logical by choice", mbr(part("a", "1MiB"), part("b", "1MiB", logical=True)),
         ["1 2048 2048 83", "4 4096 4096 0f", "5 6144 2048 83"], M64),
    Good("logical only", mbr(part("a", "1MiB", logical=True)),
         ["4 2048 4096 0f", "5 4096 2048 83"], M64),
    Good("logical at small steps", mbr(*[part(name, 512) for name in "abcde"], align=512),
         ["1 1 1 83", "2 2 1 83", "3 3 1 83", "4 4 4 0f", "5 5 1 83", "6 7 1 83"], M64),
    Good("logical at 4 KiB", mbr(*[part(name, 1536, logical=True) for name in "ab"], align=4096),
         ["4 8 27 0f", "5 16 3 83", "6 32 3 83"], M64),
    Good("logical with places of their own", mbr(
        part("a", "1MiB", logical=True, start="10MiB"),
        part("b", "1MiB", logical=True, start=11 * 1024 * 1024 + 512),
    ), ["4 20479 4098 0f", "5 20480 2048 83", "6 22529 2048 83"], M64),
    Good("logical out of order count as they lie", mbr(
        part("a", "2MiB", logical=True, start="20MiB"),
        part("b", "1MiB", logical=True, start="10MiB"),
    ), ["4 20479 24577 0f", "5 20480 2048 83", "6 40960 4096 83"], M64),
    Good("a primary one behind the logical ones", mbr(
        part("a", "1MiB", logical=True), part("b", "1MiB"), part("c", "1MiB", logical=True),
    ), ["1 10240 2048 83", "4 2048 8192 0f", "5 4096 2048 83", "6 8192 2048 83"], M64),
    Good("one that must be primary", mbr(
        *[part(name, "1MiB") for name in "abcd"], part("e", "1MiB", logical=False),
    ), ["1 2048 2048 83", "2 4096 2048 83", "3 14336 2048 83", "4 6144 8192 0f",
        "5 8192 2048 83", "6 12288 2048 83"], M64),
    Good("three that must be primary leave no entry to others", mbr(
        *[part(name, "1MiB", logical=False) for name in "abc"],
        *[part(name, "1MiB") for name in "de"],
    ), ["1 2048 2048 83", "2 4096 2048 83", "3 6144 2048 83", "4 8192 8192 0f",
        "5 10240 2048 83", "6 14336 2048 83"], M64),
    Good("extended in another entry", mbr(
        part("a", "1MiB"), part("b", "1MiB", logical=True), table=Mbr(extended_number=1),
    ), ["1 4096 4096 0f", "2 2048 2048 83", "5 6144 2048 83"], M64),
    Good("extended of DOS", mbr(part("a", "1MiB", logical=True), table=Mbr(extended_type=0x05)),
         ["4 2048 4096 05", "5 4096 2048 83"], M64),
    Good("extended of Linux", mbr(part("a", "1MiB", logical=True), table=Mbr(extended_type="0x85")),
         ["4 2048 4096 85", "5 4096 2048 83"], M64),
    Good("extended placed by the user", mbr(
        part("a", "1MiB"), *[part(name, "2MiB", logical=True) for name in "bc"], part("d", "1MiB"),
        table=Mbr(extended_start="8MiB", extended_size="16MiB"),
    ), ["1 2048 2048 83", "2 49152 2048 83", "4 16384 32768 0f", "5 18432 4096 83",
        "6 24576 4096 83"], M64),
    Good("extended with room at its start", mbr(
        part("a", "1MiB", logical=True, start="10MiB"), table=Mbr(extended_start="2MiB"),
    ), ["4 4096 18432 0f", "5 20480 2048 83"], M64),
    Good("extended with room at its end", mbr(
        part("a", "1MiB", logical=True), table=Mbr(extended_size="60MiB"),
    ), ["4 2048 122880 0f", "5 4096 2048 83"], M64),
    Good("rest is logical", mbr(
        part("a", "1MiB"), part("b", "rest", logical=True), part("c", "2MiB", logical=True),
        part("d", "1MiB"),
    ), ["1 2048 2048 83", "2 129024 2048 83", "4 4096 124928 0f", "5 6144 116736 83",
        "6 124928 4096 83"], M64),
    Good("rest of an extended one", mbr(
        part("a", "1MiB"), part("b", "rest", logical=True), part("c", "2MiB", logical=True),
        table=Mbr(extended_start="8MiB", extended_size="16MiB"),
    ), ["1 2048 2048 83", "4 16384 32768 0f", "5 18432 24576 83", "6 45056 4096 83"], M64),
    Good("rest before logical ones", mbr(
        part("a", "rest"), *[part(name, "1MiB", logical=True) for name in "bc"],
    ), ["1 2048 120832 83", "4 122880 8192 0f", "5 124928 2048 83", "6 129024 2048 83"], M64),
    Good("auto disk with logical ones", mbr(*[root(logical=True)], size="auto"),
         ["4 2048 2244 0f", "5 4096 196 83"], 6144),
    Good("FAT in a logical one", mbr(
        part("a", "1MiB"), fat("b", "8MiB", logical=True), fat("c", "40MiB", fat=32, logical=True),
    ), ["1 2048 2048 83", "4 4096 102400 0f", "5 6144 16384 0e", "6 24576 81920 0c"], M64),
    Good("56 logical ones", mbr(*[part(f"p{n}", 512) for n in range(59)], align=512),
         ["1 1 1 83", "2 2 1 83", "3 3 1 83", "4 4 112 0f",
          *[f"{n} {5 + 2 * (n - 5)} 1 83" for n in range(5, 61)]], M64),
    Good("446 bytes of boot code", mbr(
        part("a", "1MiB", active=True), table=Mbr(disk_signature=False),
        segments=[Segment("code", b"\xf4" * 446, 0)],
    ), ["1 2048 2048 83 active"], M64),
    Good("code that spans a table without a signature", mbr(
        part("a", "1MiB", logical=True), table=Mbr(disk_signature=False),
        segments=[Segment("spl", "spl.bin", 0, keep=[(446, 512)])],
    ), ["4 2048 4096 0f", "5 4096 2048 83"], M64),
    Good("two active", mbr(
        part("a", "1MiB", active=True), part("b", "1MiB", active=True),
        table=Mbr(several_active=True),
    ), ["1 2048 2048 83 active", "2 4096 2048 83 active"], M64),
    Good("type 0", mbr(part("a", "1MiB", type=0), part("b", "1MiB")),
         ["1 2048 2048 00", "2 4096 2048 83"], M64),
    Good("not in the table", mbr(
        part("a", "1MiB", type=None, in_table=False), root(), size="auto",
    ), ["1 4096 196 83"], 6144),
    Good("FAT that is not in the table", mbr(fat("a", "4MiB", in_table=False), root()),
         ["1 10240 196 83"], M64),
    Good("entries out of order", mbr(
        part("a", "1MiB", start="30MiB"), part("b", "1MiB", start="20MiB"),
        part("c", "1MiB", start="10MiB"),
    ), ["1 61440 2048 83", "2 40960 2048 83", "3 20480 2048 83"], M64),
    Good("types by name and byte", mbr(
        part("a", 512, type="esp"), part("b", 512, type="0xda"), part("c", 512, type=0x42),
        part("d", 512, type="linux-swap"), align=512,
    ), ["1 1 1 ef", "2 2 1 da", "3 3 1 42", "4 4 1 82"], M64),
    Good("FAT12, FAT16 and FAT32 by themselves", mbr(
        fat("a", "2MiB"), fat("b", "9MiB"), fat("c", "40MiB", fat=32),
    ), ["1 2048 4096 01", "2 6144 18432 0e", "3 24576 81920 0c"], M64),
    Good("the last sector below 2 TiB", mbr(part("a", "1MiB", start=2**41 - 2**20), size="3TiB"),
         ["1 4294965248 2048 83"], 3 << 31),
    Good("the longest partition", mbr(part("a", 2**41 - 512), align=512, size="2TiB"),
         ["1 1 4294967295 83"], 1 << 32),
    Good("rest below 2 TiB", mbr(part("a", "rest"), size="3TiB"),
         ["1 2048 4294965248 83"], 3 << 31),
    Good("code that spans the table", mbr(
        root(), segments=[Segment("spl", "spl.bin", 0, keep=[(440, 512)])],
    ), ["1 2048 196 83"], M64),
    Good("code that spans an EBR", mbr(
        part("a", 512, logical=True, start=20 * 512), align=512,
        segments=[Segment("spl", b"x" * 12000, 512, keep=[("9KiB", "10KiB")])],
    ), ["4 19 2 0f", "5 20 1 83"], M64),
]

GPTS = [
    Good("nothing in it", gpt(), [], M64),
    Good("segments without a start", gpt(
        part("a", 512, align=512),
        segments=[Segment("s", "stage2.bin"), Segment("t", b"t", 512 * 40)],
    ), ["1 51 1 linux-filesystem 'a'"], M64),
    Good("attributes by name and bit", gpt(
        part("a", 512, attributes=["required", "legacy-bios-bootable"]),
        part("b", 512, attributes=1 << 60), align="1MiB",
    ), ["1 2048 1 linux-filesystem 'a' RequiredPartition LegacyBIOSBootable",
        "2 4096 1 linux-filesystem 'b' GUID:60"], M64),
    Good("a type of nobody's", gpt(part("a", "1MiB", type="12345678-1234-1234-1234-123456789abc")),
         ["1 2048 2048 12345678-1234-1234-1234-123456789ABC 'a'"], M64),
    Good("128 of them", gpt(*[part(f"p{n}", "64KiB", align="64KiB") for n in range(128)]),
         [f"{n + 1} {128 * (n + 1)} 128 linux-filesystem 'p{n}'" for n in range(128)], M64),
    Good("132 of them", gpt(*[part(f"p{n}", "64KiB", align="64KiB") for n in range(132)],
                            table=Gpt(entry_count=132)),
         [f"{n + 1} {128 * (n + 1)} 128 linux-filesystem 'p{n}'" for n in range(132)], M64),
    Good("a shorter array", gpt(part("a", "1MiB"), table=Gpt(entry_count=56)),
         ["1 2048 2048 linux-filesystem 'a'"], M64, {SHORT: "7168", GAP: "34"}),
    Good("a shorter array with all it frees", gpt(
        part("a", "rest"), align=512, table=Gpt(entry_count=56, first_usable_lba=16),
    ), ["1 16 131041 linux-filesystem 'a'"], M64, {SHORT: "7168"}),
    Good("an array that moved", gpt(part("a", "1MiB"), table=Gpt(entries_lba=1000)),
         ["1 2048 2048 linux-filesystem 'a'"], M64, {GAP: "1000"}),
    Good("firmware where the array was", gpt(
        part("a", "rest"), table=Gpt(entries_lba=4064), segments=[
            Segment("spl", "spl.bin", "1KiB"), Segment("more", "stage2.bin", "64KiB"),
        ],
    ), ["1 4096 126943 linux-filesystem 'a'"], M64, {GAP: "4064"}),
    Good("another first usable sector", gpt(part("a", 512), align=512,
                                            table=Gpt(first_usable_lba=2048)),
         ["1 2048 1 linux-filesystem 'a'"], M64, {GAP: "2048"}),
    Good("code that spans the header and the array", gpt(
        root(), segments=[Segment("spl", "spl.bin", 0, keep=[(440, "17KiB")])],
    ), ["1 2048 196 linux-filesystem 'root'"], M64),
    Good("not in the table, GPT", gpt(fat("a", "4MiB", in_table=False), root()),
         ["1 10240 196 linux-filesystem 'root'"], M64),
    Good("behind one with a start, and not over one without", gpt(
        part("a", "4MiB"), part("b", "1MiB", start="1MiB"), part("c", "1MiB"),
    ), ["1 4096 8192 linux-filesystem 'a'", "2 2048 2048 linux-filesystem 'b'",
        "3 12288 2048 linux-filesystem 'c'"], M64),
    Good("the rest before one with a start among others", gpt(
        part("a", "rest"), part("b", "1MiB"), part("c", "1MiB", start="60MiB"), part("d", "3MiB"),
    ), ["1 2048 112640 linux-filesystem 'a'", "2 114688 2048 linux-filesystem 'b'",
        "3 122880 2048 linux-filesystem 'c'", "4 116736 6144 linux-filesystem 'd'"], M64),
    Good("starts in any order, gaps between", gpt(
        part("a", "1MiB", start="30MiB"), part("b", "1MiB", start="20MiB"), part("c", "1MiB"),
    ), ["1 61440 2048 linux-filesystem 'a'", "2 40960 2048 linux-filesystem 'b'",
        "3 43008 2048 linux-filesystem 'c'"], M64),
    Good("beyond 32 bits", gpt(part("a", "rest"), size="3TiB"),
         ["1 2048 6442448863 linux-filesystem 'a'"], 3 << 31),
    Good("the smallest of all", gpt(part("a", 512), align=512, size=68 * 512),
         ["1 34 1 linux-filesystem 'a'"], 68, parted=False),
    Good("hybrid with one", gpt(
        fat("boot", "40MiB", type="esp", active=True), root(), table=Gpt(hybrid=["boot"]),
    ), ["1 2048 81920 esp 'boot'", "2 83968 196 linux-filesystem 'root'"], M64),
    Good("names of their own, equal and empty", gpt(
        part("root-a", "1MiB", partition_name="root"),
        part("root-b", "1MiB", partition_name="root"), part("c", "1MiB", partition_name=""),
        part("a name of more than 36 letters for the task", "1MiB", partition_name="x" * 36),
    ), ["1 2048 2048 linux-filesystem 'root'", "2 4096 2048 linux-filesystem 'root'",
        "3 6144 2048 linux-filesystem ''", f"4 8192 2048 linux-filesystem '{'x' * 36}'"], M64),
    Good("an active protective entry", gpt(part("a", "1MiB"), table=Gpt(pmbr_boot=True)),
         ["1 2048 2048 linux-filesystem 'a'"], M64, {ACTIVE: "marked as active"}),
    Good("hybrid, protective entry last", gpt(
        fat("boot", "40MiB", type="esp", active=True),
        table=Gpt(hybrid=["boot"], protective_number=4), signature=0x12345678,
    ), ["1 2048 81920 esp 'boot'"], M64),
    Good("hybrid, all active", gpt(
        part("a", "1MiB", active=True), part("b", "1MiB", active=True),
        table=Gpt(hybrid=["b", "a"], protective_number=2, pmbr_boot=True, several_active=True),
    ), ["1 2048 2048 linux-filesystem 'a'", "2 4096 2048 linux-filesystem 'b'"], M64,
       {ACTIVE: "marked as active"}),
    Good("hybrid with three", gpt(
        fat("boot", "40MiB", fat=32), part("a", "1MiB"), part("b", "1MiB"),
        table=Gpt(hybrid={"b": 0x83, "boot": 0x0C, "a": 0xDA}),
    ), ["1 2048 81920 basic-data 'boot'", "2 83968 2048 linux-filesystem 'a'",
        "3 86016 2048 linux-filesystem 'b'"], M64),
]

SECTORS_OF_4096 = [  # counted in such sectors, read by parted
    Good("auto disk of 4096", gpt(root(), size="auto", table=Gpt(sector_size=4096)),
         ["1 256 25"], 512),
    Good("rest of 4096", gpt(
        fat("esp", "33MiB", type="esp"), part("a", "rest"), table=Gpt(sector_size=4096),
    ), ["1 256 8448", "2 8704 7675"], 16384),
    Good("packed at 4096", gpt(root(), part("a", "8KiB"), align=4096, size="1MiB",
                               table=Gpt(sector_size=4096)), ["1 6 25", "2 31 2"], 256),
    Good("a shorter array of 4096", gpt(
        part("a", "rest"), align=4096, table=Gpt(sector_size=4096, entry_count=32,
                                                 first_usable_lba=3),
    ), ["1 3 16379"], 16384),
    # 3 MiB in clusters of a sector is FAT12; 65,541 of them with two tables of 65 and 32 reserved
    Good("volumes sized by themselves in sectors of 4096", gpt(
        fat("a"), part("b", "4MiB"), size="auto", table=Gpt(sector_size=4096),
    ), ["1 256 256", "2 512 1024"], 1792),
    Good("exactly as long as it must be, of 4096", gpt(
        Partition("a", Fat({"HELLO.TXT": b"hello"}, fat=32, free=0), type="esp"),
        size="auto", table=Gpt(sector_size=4096),
    ), ["1 256 65703"], 66048),
    Good("ESP sized by itself in sectors of 4096", gpt(
        Esp({"HELLO.TXT": b"hello"}), size="auto", table=Gpt(sector_size=4096),
    ), ["1 256 73728"], 74240),
    Good("ESP too small for FAT32 in sectors of 4096", gpt(
        Esp({"HELLO.TXT": b"hello"}, size="64MiB"), size="96MiB", table=Gpt(sector_size=4096),
    ), ["1 256 16384"], 24576),
]

BARE = [  # no table: judged by fsck.fat alone
    # L0: a boot sector and a kernel behind it, as tutorials begin
    Good("L0 flat diskette", flat(
        Segment("boot", b"b" * 512, 0), Segment("kernel", "stage2.bin", 512), size="1.44M floppy",
    ), [], 2880),
    Good("L0 flat, in whole sectors", flat(
        Segment("boot", b"b" * 512, 0), Segment("kernel", "stage2.bin", 512), size="auto",
    ), [], 1 + 10),
    Good("L0 without anything behind the boot sector", flat(
        Segment("boot", b"b" * 512, 0), size="auto",
    ), [], 1),
    *[
        Good(f"L1 diskette of {name}", bare(fat("floppy"), f"{name} floppy"), [], sectors)
        for name, sectors in
        [("360K", 720), ("720K", 1440), ("1.2M", 2400), ("1.44M", 2880), ("2.88M", 5760)]
    ],
    Good("L5c a large volume", bare(fat("v", fat=32), "64MiB"), [], M64),
    Good("the disk is the volume", bare(fat("v", size="1000KiB"), "auto"), [], 2000),
    Good("a volume shorter than the disk", bare(fat("v", size="1MiB"), "2MiB"), [], 4096),
    Good("a volume and a power of two", bare(fat("v"), "5MiB", power_of_two=True), [], 16384),
    Good("a file as the disk", bare(root(type=None), "auto"), [], 196),
    Good("a file in a disk", bare(root(type=None, size="rest"), "1MiB"), [], 2048),
    Good("two volumes and bytes", Disk("os.img", size="auto", table=None, partitions=[
        fat("a", "1MiB", start="64KiB"), fat("b", "512KiB", start="2MiB"),
    ], segments=[Segment("spl", "spl.bin", "8KiB")]), [], 4096 + 1024),
    Good("a volume and bytes behind it", Disk("os.img", size="auto", table=None, partitions=[
        fat("a", "1MiB", start=0),
    ], segments=[Segment("end", "a.bin")]), [], 2048 + 8),
    Good("a volume with the rest, without a table", Disk("os.img", size="4MiB", table=None,
         partitions=[fat("a", "rest", start="1MiB")], segments=[Segment("s", "a.bin", "3MiB")],
    ), [], 8192),
    Good("a volume that begins behind sector 0", Disk("os.img", size="auto", table=None,
         partitions=[fat("a", "1MiB", start=512)]), [], 2049),
    Good("segments one behind the other", flat(
        Segment("boot", b"b" * 512), Segment("stage2", "stage2.bin"), Segment("spl", "spl.bin"),
        size="auto",
    ), [], 1 + 10 + 59),
    Good("a file in a power of two", bare(root(type=None), "auto", power_of_two=True), [], 256),
]
