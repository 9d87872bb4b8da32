"""Layouts that can't be built, and all that a user is told about each."""

from typing import NamedTuple

from layouts.good import bare, fat, flat, gpt, mbr, part, root

from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.segment import Segment
from doit_diskimg.kinds.filesystems.file import File
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.kinds.tables.mbr import Mbr

K, M = 1 << 10, 1 << 20


class Bad(NamedTuple):
    name: str
    disk: Disk
    problems: list[str]


BAD = [
    Bad(
        "two rests",
        mbr(part("a", "rest"), part("b", "rest")),
        [
            "partitions[1].size: partitions[0] has \"rest\" too, must be one partition at "
            "most, since there is one rest (give all but one a size, or \"auto\")",
        ],
    ),
    Bad(
        "a disk cannot be the rest",
        mbr(root(), size="rest"),
        [
            "size: 'rest' is not a size, must be bytes or a number with KiB, MiB, GiB or TiB "
            "(write for example \"33MiB\")",
        ],
    ),
    Bad(
        "a word that is no size",
        mbr(part("a", "all")),
        [
            "partitions[0].size: 'all' is not a size, must be bytes or a number with KiB, MiB, "
            "GiB or TiB (write for example \"33MiB\")",
        ],
    ),
    Bad(
        "a disk in words",
        mbr(root(), size="large"),
        [
            "size: 'large' is not a size, must be bytes or a number with KiB, MiB, GiB or TiB "
            "(write for example \"33MiB\")",
        ],
    ),
    Bad(
        "1.44M",
        bare(fat("f"), "1.44M"),
        [
            "size: '1.44M' is not a size, but '1.44M floppy' is, must be bytes or a number "
            "with KiB, MiB, GiB or TiB (write for example \"33MiB\")",
        ],
    ),
    Bad(
        "a decimal unit",
        mbr(part("a", "1MB")),
        [
            "partitions[0].size: '1MB' has the unknown unit 'MB', must be bytes or a number "
            "with KiB, MiB, GiB or TiB (write for example \"33MiB\")",
        ],
    ),
    Bad(
        "half a sector",
        mbr(part("a", 700)),
        [
            "partitions[0].size: 700 bytes are not whole sectors, must be a multiple of 512 "
            "(the nearest are 512 and 1024)",
        ],
    ),
    Bad(
        "a start off the sector",
        mbr(part("a", "1MiB", start=1000000)),
        [
            "partitions[0].start: 1000000 bytes are not whole sectors, must be a multiple of "
            "512 (the nearest are 999936 and 1000448)",
        ],
    ),
    Bad(
        "a start off its align",
        mbr(part("a", "1MiB", start="3MiB", align="2MiB")),
        [
            "partitions[0].start: 3145728 bytes are not aligned, must be a multiple of its "
            "align, 2097152 (leave align out, or write 4194304)",
        ],
    ),
    Bad(
        "align of nothing",
        mbr(part("a", "1MiB", align=0)),
        [
            "partitions[0].align: 0 bytes, must be a sector or more (write for example "
            "\"1MiB\")",
        ],
    ),
    Bad(
        "align off the sector of 4096",
        gpt(part("a", "1MiB", align=512), table=Gpt(sector_size=4096)),
        [
            "partitions[0].align: 512 bytes are not whole sectors, must be a multiple of 4096 "
            "(the nearest is 4096)",
        ],
    ),
    Bad(
        "no bytes",
        mbr(part("a")),
        [
            "partitions[0] 'a': it has no bytes, a partition has 512 bytes or more "
            "(give it a size, or content)",
        ],
    ),
    Bad(
        "no bytes, said aloud",
        mbr(part("a", size=0)),
        [
            "partitions[0] 'a': it has no bytes, a partition has 512 bytes or more "
            "(give it a size, or content)",
        ],
    ),
    Bad(
        "an empty file",
        mbr(part("a", payload=File("empty"))),
        [
            "partitions[0] 'a': it has no bytes, a partition has 512 bytes or more "
            "(give it a size, or content)",
        ],
    ),
    Bad(
        "no room for the rest",
        mbr(part("a", "63MiB"), part("b", "rest")),
        [
            "partitions[1] 'b': 0x4000000..0x4000200 runs past the end of the disk at "
            "0x4000000, every part must lie inside (raise the disk's size from 64 MiB to "
            "\"65MiB\" or make the parts smaller)",
        ],
    ),
    Bad(
        "no room for the rest in the middle",
        mbr(part("a", "32MiB"), part("b", "rest"), part("c", "31MiB")),
        [
            "partitions[2] 'c': 0x2200000..0x4100000 runs past the end of the disk at "
            "0x4000000, every part must lie inside (raise the disk's size from 64 MiB to "
            "\"65MiB\" or make the parts smaller)",
        ],
    ),
    Bad(
        "a rest that is too short for its file",
        mbr(part("a", 63 * M - 512 * 100), root(size="rest"), align=512, size=63 * M),
        [
            "partitions[1] 'root': its content has 100,000 bytes (97.6 KiB), the partition has "
            "50,688 bytes (49.5 KiB) (raise the disk's size, or make the other parts smaller)",
        ],
    ),
    Bad(
        "a rest that is too short for its FAT",
        mbr(part("a", "31MiB"), fat("b", "rest", fat=32)),
        [
            "partitions[1].fat: 32 MiB has 64,496 clusters of 512 B, FAT32 has at least 65,525 "
            "(drop fat=32, or make it at least 33MiB)",
        ],
    ),
    Bad(
        "a file larger than its partition",
        mbr(root(size="64KiB")),
        [
            "partitions[0] 'root': its content has 100,000 bytes (97.6 KiB), the partition has "
            "64 KiB (give it size=100352 or more, or shrink it)",
        ],
    ),
    Bad(
        "larger than the disk",
        mbr(part("a", "64MiB")),
        [
            "partitions[0] 'a': 0x100000..0x4100000 runs past the end of the disk at "
            "0x4000000, every part must lie inside (raise the disk's size from 64 MiB to "
            "\"65MiB\" or make the parts smaller)",
        ],
    ),
    Bad(
        "larger than what a GPT leaves",
        gpt(part("a", "63MiB")),
        [
            "partitions[0] 'a': 0x100000..0x4000000 runs past the end of the room that the "
            "table leaves at 0x3ffbe00, every part must lie inside (raise the disk's size from "
            "64 MiB to \"65MiB\" or make the parts smaller)",
        ],
    ),
    Bad(
        "two of which one is behind the end",
        mbr(part("a", "40MiB"), part("b", "40MiB")),
        [
            "partitions[1] 'b': 0x2900000..0x5100000 runs past the end of the disk at "
            "0x4000000, every part must lie inside (raise the disk's size from 64 MiB to "
            "\"81MiB\" or make the parts smaller)",
        ],
    ),
    Bad(
        "a segment behind the end",
        mbr(segments=[Segment("s", "a.bin", 64 * M - 4095)]),
        [
            "segments[0] 's': 0x3fff001..0x4000001 runs past the end of the disk at 0x4000000, "
            "every part must lie inside (raise the disk's size from 64 MiB to \"65MiB\" or "
            "make the parts smaller)",
        ],
    ),
    Bad(
        "a segment in the backup GPT",
        gpt(segments=[Segment("s", "a.bin", 64 * M - 20 * K)]),
        [
            "segments[0] 's': 0x3ffb000..0x3ffc000 overlaps 'backup GPT entry array' (table) "
            "at 0x3ffbe00..0x3fffe00 by 512 bytes, no byte may belong to two parts ('s' may "
            "have 3584 bytes there, or write Gpt(backup=False))",
        ],
    ),
    Bad(
        "a segment inside the backup GPT",
        gpt(segments=[Segment("s", b"x" * 1000, 64 * M - 10 * K)]),
        [
            "segments[0] 's': 0x3ffd800..0x3ffdbe8 overlaps 'backup GPT entry array' (table) "
            "at 0x3ffbe00..0x3fffe00 by 1000 bytes, no byte may belong to two parts (give 's' a "
            "lower start, or write Gpt(backup=False))",
        ],
    ),
    Bad(
        "a segment in the backup header",
        gpt(segments=[Segment("s", b"x" * 100, 64 * M - 100)]),
        [
            "segments[0] 's': 0x3ffff9c..0x4000000 overlaps 'backup GPT header' (table) at "
            "0x3fffe00..0x4000000 by 100 bytes, no byte may belong to two parts (give 's' a "
            "lower start, or write Gpt(backup=False))",
        ],
    ),
    Bad(
        "firmware in the array",
        gpt(segments=[Segment("s", "spl.bin", "8KiB")]),
        [
            "segments[0] 's': 0x2000..0x9530 overlaps 'GPT entry array' (table) at "
            "0x400..0x4400 by 9216 bytes, no byte may belong to two parts (give 's' a start of "
            "17408 or more, or write Gpt(entries_lba=75))",
        ],
    ),
    Bad(
        "a GPT too small",
        gpt(size=67 * 512),
        [
            "size: 34304 bytes, must be 34816 bytes at least, for a GPT and a sector of "
            "content (raise the size to 34816 or more)",
        ],
    ),
    Bad(
        "an MBR too small",
        mbr(size=512),
        [
            "size: 512 bytes, must be 1024 bytes at least, for an MBR and a sector of content "
            "(raise the size to 1024 or more)",
        ],
    ),
    Bad(
        "a GPT larger than 64 KiB",
        gpt(size="64KiB", table=Gpt(entry_count=1024)),
        [
            "size: 65536 bytes, must be 264192 bytes at least, for a GPT and a sector of "
            "content (raise the size to 264192 or more)",
        ],
    ),
    Bad(
        "a file larger than its bare disk",
        bare(root(type=None, size=512), "64KiB"),
        [
            "partitions[0] 'root': its content has 100,000 bytes (97.6 KiB), the partition has "
            "512 B (give it size=100352 or more, or shrink it)",
        ],
    ),
    Bad(
        "a volume larger than its bare disk",
        bare(fat("v", size="2MiB"), "1.44M floppy"),
        [
            "partitions[0] 'v': 0x0..0x200000 runs past the end of the disk at 0x168000, every "
            "part must lie inside (raise the disk's size from 1.4 MiB to \"2MiB\" or make the "
            "parts smaller)",
        ],
    ),
    Bad(
        "FAT32 on a diskette",
        bare(fat("v", fat=32), "1.44M floppy"),
        [
            "partitions[0].fat: 1.4 MiB has 2,800 clusters of 512 B, FAT32 has at least 65,525 "
            "(drop fat=32, or make it at least 33MiB)",
        ],
    ),
    Bad(
        "two partitions",
        mbr(part("a", "2MiB", start="1MiB"), part("b", "1MiB", start="2MiB")),
        [
            "partitions[1] 'b': 0x200000..0x300000 overlaps 'a' (partitions[0]) at "
            "0x100000..0x300000 by 1048576 bytes, no byte may belong to two parts (give 'b' a "
            "start of 3145728 or more, or shorten 'a')",
        ],
    ),
    Bad(
        "one inside another",
        mbr(part("a", "8MiB", start="1MiB"), part("b", "1MiB", start="2MiB")),
        [
            "partitions[1] 'b': 0x200000..0x300000 overlaps 'a' (partitions[0]) at "
            "0x100000..0x900000 by 1048576 bytes, no byte may belong to two parts (give 'b' a "
            "start of 9437184 or more, or shorten 'a')",
        ],
    ),
    Bad(
        "same place",
        gpt(part("a", "1MiB", start="1MiB"), part("b", "1MiB", start="1MiB")),
        [
            "partitions[1] 'b': 0x100000..0x200000 overlaps 'a' (partitions[0]) at "
            "0x100000..0x200000 by 1048576 bytes, no byte may belong to two parts (give 'b' a "
            "start of 2097152 or more, or shorten 'a')",
        ],
    ),
    Bad(
        "a partition and a segment",
        mbr(part("a", "1MiB", start="1MiB"), segments=[Segment("s", "stage2.bin", M - 1000)]),
        [
            "partitions[0] 'a': 0x100000..0x200000 overlaps 's' (segments[0]) at "
            "0xffc18..0x100fa0 by 4000 bytes, no byte may belong to two parts (give 'a' a "
            "start of 1052672 or more, or shorten 's')",
        ],
    ),
    Bad(
        "boot code over the table",
        mbr(segments=[Segment("s", bytes(512), 0)]),
        [
            "segments[0] 's': 0x0..0x200 overlaps 'MBR' (table) at 0x1b8..0x200 by 72 bytes, "
            "no byte may belong to two parts ('s' may have 440 bytes there, or span it with "
            "keep=[(440, 512)])",
        ],
    ),
    Bad(
        "boot code over a GPT",
        gpt(segments=[Segment("s", "spl.bin", 0)]),
        [
            "segments[0] 's': 0x0..0x7530 overlaps 'protective MBR' (table) at 0x1b8..0x200 by "
            "72 bytes, no byte may belong to two parts ('s' may have 440 bytes there, or span "
            "it with keep=[(440, 512)])",
            "segments[0] 's': 0x0..0x7530 overlaps 'GPT header' (table) at 0x200..0x400 by 512 "
            "bytes, no byte may belong to two parts ('s' may have 512 bytes there, or span it "
            "with keep=[(512, 1024)])",
            "segments[0] 's': 0x0..0x7530 overlaps 'GPT entry array' (table) at 0x400..0x4400 "
            "by 16384 bytes, no byte may belong to two parts ('s' may have 1024 bytes there, "
            "or span it with keep=[(1024, 17408)], or write Gpt(entries_lba=59))",
        ],
    ),
    Bad(
        "keeps too little",
        gpt(segments=[Segment("s", "spl.bin", 0, keep=[(440, 512)])]),
        [
            "segments[0] 's': 0x200..0x7530 overlaps 'GPT header' (table) at 0x200..0x400 by "
            "512 bytes, no byte may belong to two parts (give 's' a start of 1024 or more, or "
            "span it with keep=[(512, 1024)])",
            "segments[0] 's': 0x200..0x7530 overlaps 'GPT entry array' (table) at "
            "0x400..0x4400 by 16384 bytes, no byte may belong to two parts ('s' may have 512 "
            "bytes there, or span it with keep=[(1024, 17408)], or write Gpt(entries_lba=59))",
        ],
    ),
    Bad(
        "keeps an empty range",
        mbr(segments=[Segment("s", "spl.bin", 0, keep=[(440, 440)])]),
        [
            "segments[0].keep[0]: (440, 440) is not a range, must be (first byte, first byte "
            "behind) of the source, the second one larger (write for example keep=[(440, 512)])",
        ],
    ),
    Bad(
        "keeps no ranges",
        mbr(segments=[Segment("s", "spl.bin", 0, keep="440-512")]),
        [
            "segments[0].keep: '440-512' is not a list, must be a list of ranges, each a pair of "
            "bytes (write for example keep=[(440, 512)])",
        ],
    ),
    Bad(
        "a partition before the first usable",
        gpt(part("a", 512, start=33 * 512)),
        [
            "partitions[0] 'a': 0x4200..0x4400 begins before the first usable byte at 0x4400, "
            "the table's own sectors come first (give it start=17408 or more, or leave start "
            "out)",
        ],
    ),
    Bad(
        "a partition in sector 0",
        mbr(part("a", 512, start=0)),
        [
            "partitions[0] 'a': 0x0..0x200 begins before the first usable byte at 0x200, the "
            "table's own sectors come first (give it start=512 or more, or leave start out)",
        ],
    ),
    Bad(
        "a partition where the array moved",
        gpt(part("a", "1MiB", start="1MiB"), table=Gpt(entries_lba=2100)),
        [
            "partitions[0] 'a': 0x100000..0x200000 begins before the first usable byte at "
            "0x10a800, the table's own sectors come first (give it start=1091584 or more, or "
            "leave start out, or write Gpt(entries_lba=2016) or less)",
        ],
    ),
    Bad(
        "a partition before the first usable sector of the description",
        gpt(part("a", "1MiB", start="1MiB"), table=Gpt(first_usable_lba=4096)),
        [
            "partitions[0] 'a': 0x100000..0x200000 begins before the first usable byte at "
            "0x200000, the table's own sectors come first (give it start=2097152 or more, or "
            "leave start out, or write Gpt(first_usable_lba=2048))",
        ],
    ),
    Bad(
        "two EBRs in one sector",
        mbr(part("a", 512, start="2MiB", logical=True), part("b", 1024, start="2MiB",
        logical=True)),
        [
            "table 'EBR of b': 0x1ffe00..0x200000 overlaps 'EBR of a' (table) at "
            "0x1ffe00..0x200000 by 512 bytes, no byte may belong to two parts (give one of the "
            "two partitions another start)",
            "partitions[1] 'b': 0x200000..0x200400 overlaps 'a' (partitions[0]) at "
            "0x200000..0x200200 by 512 bytes, no byte may belong to two parts (give 'b' a start "
            "of 2097664 or more, or shorten 'a')",
        ],
    ),
    Bad(
        "a segment over the moved array",
        gpt(segments=[Segment("s", "a.bin", "8KiB")], table=Gpt(entries_lba=20)),
        [
            "segments[0] 's': 0x2000..0x3000 overlaps 'GPT entry array' (table) at "
            "0x2800..0x6800 by 2048 bytes, no byte may belong to two parts ('s' may have 2048 "
            "bytes there, or write Gpt(entries_lba=24))",
        ],
    ),
    Bad(
        "five that must be primary",
        mbr(*[part(n, "1MiB", logical=False) for n in "abcde"]),
        [
            "partitions: there are 5 primary ones, an MBR holds four (write logical=True for 2 "
            "of them or more, leave logical out to have it decided, or use Gpt())",
        ],
    ),
    Bad(
        "four primary beside a logical",
        mbr(*[part(n, "1MiB", logical=n == "e") for n in "abcde"]),
        [
            "partitions: there are 4 primary ones, an MBR holds three beside the extended one "
            "(write logical=True for 1 of them or more, leave logical out to have it decided, or "
            "use Gpt())",
        ],
    ),
    Bad(
        "57 logical",
        mbr(*[part(f"p{n}", 512) for n in range(60)], align=512),
        [
            "partitions: there are 57 logical ones, must be 56 at most, since sfdisk reads no "
            "more (leave some out, or use Gpt())",
        ],
    ),
    Bad(
        "a primary in the extended",
        mbr(part("a", "1MiB", logical=True, start="2MiB"), part("b", "1MiB", start="4MiB"),
        part("c", "1MiB", logical=True, start="8MiB")),
        [
            "partitions[1] 'b': 0x400000..0x500000 overlaps the extended partition at "
            "0x1ffe00..0x900000, only logical partitions lie in it (give it another start, or "
            "write logical=True)",
        ],
    ),
    Bad(
        "a logical outside the extended",
        mbr(part("a", "1MiB", logical=True, start="2MiB"), table=Mbr(extended_start="4MiB",
        extended_size="4MiB")),
        [
            "partitions[0] 'a': 0x200000..0x300000 is not inside the extended partition at "
            "0x400000..0x800000, logical partitions must lie inside (give the extended "
            "partition another start or size, or leave both out)",
        ],
    ),
    Bad(
        "more than the extended holds",
        mbr(part("a", "8MiB", logical=True), table=Mbr(extended_start="4MiB",
        extended_size="8MiB")),
        [
            "partitions[0] 'a': 0x500000..0xd00000 is not inside the extended partition at "
            "0x400000..0xc00000, logical partitions must lie inside (give the extended "
            "partition another start or size, or leave both out)",
        ],
    ),
    Bad(
        "no sector for an EBR",
        mbr(part("a", "1MiB", logical=True, start="2MiB"), part("b", "1MiB", logical=True,
        start="3MiB")),
        [
            "partitions[0] 'a': 0x200000..0x300000 overlaps 'EBR of b' (table) at "
            "0x2ffe00..0x300000 by 512 bytes, no byte may belong to two parts ('a' may have "
            "1048064 bytes there)",
        ],
    ),
    Bad(
        "an EBR in a segment",
        mbr(part("a", "1MiB", logical=True, start="2MiB"), segments=[Segment("s", "a.bin", 2 * M
        - 4096)]),
        [
            "segments[0] 's': 0x1ff000..0x200000 overlaps 'EBR of a' (table) at "
            "0x1ffe00..0x200000 by 512 bytes, no byte may belong to two parts ('s' may have "
            "3584 bytes there, or span it with keep=[(3584, 4096)])",
        ],
    ),
    Bad(
        "an extended one behind the end",
        mbr(part("a", "1MiB", logical=True), table=Mbr(extended_start="60MiB",
        extended_size="8MiB")),
        [
            "table.extended_start: the extended partition at 0x3c00000..0x4400000 leaves the "
            "room for partitions at 0x200..0x4000000, every part must lie inside (give it "
            "another start or size, or leave both out)",
        ],
    ),
    Bad(
        "2 TiB and a sector",
        mbr(part("a", "2TiB"), size="3TiB"),
        [
            "partitions[0] 'a': 0x100000..0x20000100000 runs past the end of the room that the "
            "table leaves at 0x20000000000, every part must lie inside (use Gpt(), or place it "
            "lower)",
        ],
    ),
    Bad(
        "an end at 2 TiB and a sector",
        mbr(part("a", "1MiB", start=2 ** 41 - M + 512), size="3TiB"),
        [
            "partitions[0] 'a': 0x1fffff00200..0x20000000200 runs past the end of the room "
            "that the table leaves at 0x20000000000, every part must lie inside (use Gpt(), or "
            "place it lower)",
        ],
    ),
    Bad(
        "a start at 2 TiB",
        mbr(part("a", "1MiB", start=2 ** 41), size="3TiB"),
        [
            "partitions[0] 'a': 0x20000000000..0x20000100000 runs past the end of the room "
            "that the table leaves at 0x20000000000, every part must lie inside (use Gpt(), or "
            "place it lower)",
        ],
    ),
    Bad(
        "a start at 2 TiB on an auto disk",
        mbr(part("a", "1MiB", start=2 ** 41), size="auto"),
        [
            "partitions[0] 'a': 0x20000000000..0x20000100000 runs past the end of the room "
            "that the table leaves at 0x20000000000, every part must lie inside (use Gpt(), or "
            "place it lower)",
        ],
    ),
    Bad(
        "two active",
        mbr(part("a", "1MiB", active=True), part("b", "1MiB", active=True)),
        [
            "partitions[1].active: partitions[0] is active too, must be one partition at most, "
            "since boot code looks for one (leave active out of all but one, or write "
            "Mbr(several_active=True) for boot code of your own)",
        ],
    ),
    Bad(
        "an active one and an active protective entry",
        gpt(part("a", "1MiB", active=True), table=Gpt(hybrid=["a"], pmbr_boot=True)),
        [
            "table.hybrid: the protective entry and 'a' are active, must be one partition at most, "
            "since boot code looks for one (leave active out of all but one, or write "
            "Gpt(several_active=True) for boot code of your own)",
        ],
    ),
    Bad(
        "a protective entry that no MBR has",
        gpt(part("a", "1MiB"), table=Gpt(protective_number=0, pmbr_boot=1, several_active=None)),
        [
            "table.protective_number: 0 is given, must be an entry, 1 to 4 (leave it out for 1)",
            "table.pmbr_boot: 1 is given, must be True or False (leave it out if in doubt)",
            "table.several_active: None is given, must be True or False (leave it out if in doubt)",
        ],
    ),
    Bad(
        "fields of an MBR of the wrong kind",
        mbr(part("a", "1MiB"), table=Mbr(disk_signature=0, several_active="yes")),
        [
            "table.disk_signature: 0 is given, must be True or False (leave it out if in doubt)",
            "table.several_active: 'yes' is given, must be True or False (leave it out if in "
            "doubt)",
        ],
    ),
    Bad(
        "a signature without a place",
        mbr(part("a", "1MiB"), table=Mbr(disk_signature=False), signature=5),
        [
            "signature: 5 is given, must be left out, since disk_signature=False leaves its place "
            "to boot code (leave one of the two out)",
        ],
    ),
    Bad(
        "447 bytes of boot code",
        mbr(table=Mbr(disk_signature=False), segments=[Segment("s", bytes(447), 0)]),
        [
            "segments[0] 's': 0x0..0x1bf overlaps 'MBR' (table) at 0x1be..0x200 by 1 byte, no byte "
            "may belong to two parts ('s' may have 446 bytes there)",
        ],
    ),
    Bad(
        "a signature of a protective MBR",
        gpt(part("a", "1MiB"), signature=5),
        [
            "signature: 5 is given, must be left out, since a GPT has no such field and a "
            "protective MBR has zeros there (write guid=..., or use Mbr(), or name partitions for "
            "a hybrid MBR)",
        ],
    ),
    Bad(
        "a signature of a hybrid MBR that is none",
        gpt(part("a", "1MiB"), table=Gpt(hybrid=["a"]), signature=1 << 32),
        [
            "signature: 0x100000000, must be a number from 1 to 0xffffffff (leave it out to have "
            "one derived)",
        ],
    ),
    Bad(
        "names of a GPT that are none",
        gpt(part("a", 512, partition_name=7), part("b", 512, partition_name="x" * 37),
            part("c", 512, partition_name="nul\0")),
        [
            "partitions[0].partition_name: 7 is not text, must be text of 36 UTF-16 units at most, "
            "without NUL (give another name)",
            f"partitions[1].partition_name: '{'x' * 37}' has 37 UTF-16 units, must be text of 36 "
            "UTF-16 units at most, without NUL (give another name)",
            "partitions[2].partition_name: 'nul\\x00' has a NUL in it, must be text of 36 UTF-16 "
            "units at most, without NUL (give another name)",
        ],
    ),
    Bad(
        "a name of a GPT in an MBR",
        mbr(part("a", "1MiB", partition_name="")),
        [
            "partitions[0].partition_name: '' is given, must be left out, since an MBR has no "
            "place for it (remove partition_name, or use Gpt())",
        ],
    ),
    Bad(
        "a name of a GPT without an entry",
        gpt(part("a", "1MiB", type=None, in_table=False, partition_name="b")),
        [
            "partitions[0].partition_name: 'b' is given, a partition that is not in the table has "
            "no place to store it (leave partition_name out, or in_table)",
        ],
    ),
    Bad(
        "a name of a GPT without a table",
        bare(fat("v", partition_name=""), "2MiB"),
        [
            "partitions[0].partition_name: '' is given, a disk without a table has no place to "
            "store it (leave partition_name out, or write table=Mbr())",
        ],
    ),
    Bad(
        "type out of range",
        mbr(part("a", "1MiB", type=256)),
        [
            "partitions[0].type: 0x100 is no such type, must be a name that an MBR has a type "
            "for, or a byte from 0x00 to 0xff (use a name such as 'esp', 'fat12' or 'fat16')",
        ],
    ),
    Bad(
        "an extended partition as one of ours",
        mbr(part("a", "1MiB", type=0x0F), part("b", "1MiB", logical=True)),
        [
            "partitions[0].type: 0x0f is no such type, must be that of a partition: the table "
            "itself has such entries (write logical=True for what lies in an extended partition, "
            "which comes by itself)",
        ],
    ),
    Bad(
        "a protective entry in a hybrid MBR",
        gpt(part("a", "1MiB"), table=Gpt(hybrid={"a": 0xEE})),
        [
            "table.hybrid: 'a' has no type that an MBR knows, must say with which type byte the "
            "MBR mentions it (write hybrid={'a': 0x0c} for example)",
        ],
    ),
    Bad(
        "a GPT type",
        mbr(part("a", "1MiB", type="linux-home")),
        [
            "partitions[0].type: 'linux-home' is no such type, must be a name that an MBR has "
            "a type for, or a byte from 0x00 to 0xff (use Gpt(), which knows it)",
        ],
    ),
    Bad(
        "no type",
        mbr(root(type=None)),
        [
            "partitions[0].type: no type is given, and the payload has no default type, the "
            "table must say what the partition is (write for example type=\"linux-filesystem\")",
        ],
    ),
    Bad(
        "an attribute",
        mbr(part("a", "1MiB", attributes=["required"])),
        [
            "partitions[0].attributes: ['required'] is given, must be left out, since an MBR "
            "has no place for it (remove attributes, or use Gpt())",
        ],
    ),
    Bad(
        "a signature of 0",
        mbr(signature=0),
        [
            "signature: 0x0, must be a number from 1 to 0xffffffff (leave it out to have one "
            "derived)",
        ],
    ),
    Bad(
        "129 partitions",
        gpt(*[part(f"p{n}", 512) for n in range(129)], align=512),
        [
            "partitions: there are 129, must be 128 at most, the entries of a GPT (leave some "
            "out, or write Gpt(entry_count=132))",
        ],
    ),
    Bad(
        "a name too long",
        gpt(part("x" * 37, "1MiB")),
        [
            "partitions[0].name: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' has 37 UTF-16 units, "
            "must be text of 36 UTF-16 units at most, without NUL (give another name, or a "
            "partition_name, which the table stores instead)",
        ],
    ),
    Bad(
        "one GUID twice",
        gpt(part("a", "1MiB", guid="12345678-1234-1234-1234-123456789abc"), part("b", "1MiB",
        guid="12345678-1234-1234-1234-123456789ABC")),
        [
            "partitions[1].guid: 12345678-1234-1234-1234-123456789abc is that of "
            "partitions[0].guid too, must be the only one of its kind (leave it out to have "
            "one derived)",
        ],
    ),
    Bad(
        "the GUID of the disk",
        gpt(part("a", "1MiB", guid="12345678-1234-1234-1234-123456789abc"),
        guid="12345678-1234-1234-1234-123456789abc"),
        [
            "partitions[0].guid: 12345678-1234-1234-1234-123456789abc is that of the disk too, "
            "must be the only one of its kind (leave it out to have one derived)",
        ],
    ),
    Bad(
        "a logical partition",
        gpt(part("a", "1MiB", logical=True)),
        [
            "partitions[0].logical: True is given, must be left out, since all partitions of a "
            "GPT are alike (leave it out)",
        ],
    ),
    Bad(
        "active without a hybrid MBR",
        gpt(part("a", "1MiB", active=True)),
        [
            "partitions[0].active: is set, must be left out, since a GPT has no such flag "
            "(write attributes=['legacy-bios-bootable'] if a BIOS is to start the partition)",
        ],
    ),
    Bad(
        "sectors of 520",
        gpt(table=Gpt(sector_size=520)),
        [
            "table.sector_size: 520, must be 512 or 4096 (leave it out for 512)",
        ],
    ),
    Bad(
        "hybrid beyond 2 TiB",
        gpt(part("a", "1MiB", start="2TiB"), size="3TiB", table=Gpt(hybrid=["a"])),
        [
            "table.hybrid 'a': 0x20000000000..0x20000100000 ends behind 0x20000000000, an MBR "
            "can't count so far (place it lower, or leave it out of hybrid)",
        ],
    ),
    Bad(
        "hybrid of one that is not in the table",
        gpt(part("a", "1MiB", type=None, in_table=False), table=Gpt(hybrid=["a"])),
        [
            "table.hybrid: 'a' is not a partition in the table, or is there twice, must be the "
            "name of a partition, once (the names are none: no partition is in the table)",
        ],
    ),
    Bad(
        "a type without a table entry",
        gpt(part("a", "1MiB", in_table=False)),
        [
            "partitions[0].type: 'linux-filesystem' is given, a partition that is not in the "
            "table has no place to store it (leave type out, or in_table)",
        ],
    ),
    Bad(
        "two volumes without a table",
        Disk("os.img", size="2MiB", table=None, partitions=[fat("a", "1MiB"), fat("b", "1MiB")]),
        [
            f"partitions[{index}].start: there is none, without a table nothing but its start says "
            "where a volume is (write for example start=0, or table=Mbr())"
            for index in range(2)
        ],
    ),
    Bad(
        "two volumes over each other, without a table",
        Disk("os.img", size="4MiB", table=None, partitions=[
            fat("a", "1MiB", start=0), fat("b", "1MiB", start=512 * K),
        ]),
        [
            "partitions[1] 'b': 0x80000..0x180000 overlaps 'a' (partitions[0]) at 0x0..0x100000 by "
            "524288 bytes, no byte may belong to two parts (give 'b' a start of 1048576 or more, "
            "or shorten 'a')",
        ],
    ),
    Bad(
        "a volume behind the end, without a table",
        Disk("os.img", size="1MiB", table=None, partitions=[fat("a", "1MiB", start=512)]),
        [
            "partitions[0] 'a': 0x200..0x100200 runs past the end of the disk at 0x100000, every "
            "part must lie inside (raise the disk's size from 1 MiB to \"2MiB\" or make the parts "
            "smaller)",
        ],
    ),
    Bad(
        "a segment that outgrew its room",
        mbr(root(), segments=[Segment("stage2", "stage2.bin", 512, size="4KiB")]),
        [
            "segments[0] 'stage2': its source has 5,000 bytes (4.8 KiB), its room is 4 KiB (give "
            "it size=5000 or more, or shrink it)",
        ],
    ),
    Bad(
        "a room over a partition",
        mbr(part("a", "1MiB", start="32KiB", align=512),
            segments=[Segment("stage2", "stage2.bin", 512, size="32KiB")]),
        [
            "partitions[0] 'a': 0x8000..0x108000 overlaps 'stage2' (segments[0]) at 0x200..0x8200 "
            "by 512 bytes, no byte may belong to two parts (give 'a' a start of 33280 or more, or "
            "shorten 'stage2')",
        ],
    ),
    Bad(
        "segments without a start and without room for them",
        flat(Segment("a", "spl.bin"), Segment("b", "spl.bin"), size="32KiB"),
        [
            "segments[1] 'b': 0x7600..0xeb30 runs past the end of the disk at 0x8000, every part "
            "must lie inside (raise the disk's size from 32 KiB to \"1MiB\" or make the parts "
            "smaller)",
        ],
    ),
    Bad(
        "a kernel over its boot sector, without a table",
        flat(Segment("boot", b"b" * 512, 0), Segment("kernel", b"k" * 600, 511), size="1MiB"),
        [
            "segments[1] 'kernel': 0x1ff..0x457 overlaps 'boot' (segments[0]) at 0x0..0x200 by 1 "
            "byte, no byte may belong to two parts (give 'kernel' a start of 512 or more, or "
            "shorten 'boot')",
        ],
    ),
    Bad(
        "a kernel that outgrew its diskette",
        flat(Segment("kernel", b"k" * 600, 368_200), size="360K floppy"),
        [
            "segments[0] 'kernel': 0x59e48..0x5a0a0 runs past the end of the disk at 0x5a000, "
            'every part must lie inside (raise the disk\'s size from 360 KiB to "1MiB" or make '
            "the parts smaller)",
        ],
    ),
    Bad(
        "a type without a table",
        bare(fat("v", type="esp"), "2MiB"),
        [
            "partitions[0].type: 'esp' is given, a disk without a table has no place to store "
            "it (leave type out, or write table=Mbr())",
        ],
    ),
    Bad(
        "a logical one without a table",
        bare(fat("v", logical=True), "2MiB"),
        [
            "partitions[0].logical: True is given, a disk without a table has no place to "
            "store it (leave logical out, or write table=Mbr())",
        ],
    ),
]
