"""Symbols of a whole description: who is asked, what can't be answered, and bootloaders."""

from dataclasses import dataclass

import pytest

from doit_diskimg import BootCode, Fat, File, Gpt, Mbr, Partition, Patch, Segment, Tree, at
from doit_diskimg.disk import model
from doit_diskimg.disk.layout import place
from doit_diskimg.disk.links import NOTHING, Located, located, needs
from doit_diskimg.disk.model import Bootloader
from doit_diskimg.disk.sockets import Room
from doit_diskimg.errors import BadValue

CONTENTS = "must be the path of a file with contents in the volume (fix the path, or put the file "


def code(*symbols):
    return BootCode(bytes(512), patches=[
        Patch(16 * index, "16s" if symbol.is_bytes else "<Q", symbol)
        for index, symbol in enumerate(symbols)
    ])  # fmt: skip


def disk(*boot, stage2=(), table=None, files=None, **changes):
    fields = {
        "size": "64MiB",
        "table": table or Mbr(),
        "boot": code(*boot),
        "segments": [
            Segment("stage2", code(*stage2), 1024),
            Segment("split", b"s" * 2000, "8KiB", keep=[(512, 1024)]),
        ],
        "partitions": [
            Partition("boot", Fat(files or {"k/kernel": "kernel", "empty": b""}), size="8MiB"),
            Partition("root", File("root"), type="linux-filesystem"),
        ],
        **changes,
    }
    return model.Disk("os.img", **fields)


GUESTS = [Partition("data", Fat({"k": b"kernel"}), size="8MiB", persist=True)]

GOOD = [
    disk(at.lba("data"), at.sectors("data"), partitions=GUESTS),
    disk(at.lba("stage2"), at.sectors("split"), at.lba("boot"), at.lba("bootcode"),
         at.disk_signature()),
    disk(at.file_lba("boot", "K/KERNEL"), at.crc32("root"), at.crc32("boot", "/k/kernel"),
         at.crc32("stage2")),
    disk(at.disk_guid(), at.partition_guid("root"), table=Gpt(), segments=()),
    disk(at.disk_signature(), table=Gpt(hybrid=["boot"]), signature=7, segments=()),
    disk(at.file_lba("boot", "in/the/tree"), files={"/": Tree("tree")}),
    disk(at.lba("stage2"), stage2=[at.lba("bootcode"), at.lba("stage2")]),
]


@pytest.mark.parametrize("described", GOOD)
def test_what_can_be_answered(described):
    assert described.problems() == []


BAD = [
    (disk(at.lba("stage_2")),
     "at.lba('stage_2'): no partition or segment is called 'stage_2', there is "
     "'boot', 'root', 'bootcode', 'stage2', 'split' (write 'stage2')"),
    (disk(at.lba("")), "at.lba(): no partition or segment is called '', there is 'boot', 'root', "
     "'bootcode', 'stage2', 'split' (write one of these names)"),
    (disk(at.file_lba("boot", "kernel")),
     "at.file_lba('boot', 'kernel'): there is no 'kernel' in the "
     f"volume, {CONTENTS}there)"),
    (disk(at.file_lba("boot", "k")),
     f"at.file_lba('boot', 'k'): 'k' is a directory, {CONTENTS}there)"),
    (disk(at.file_lba("boot", "empty")),
     "at.file_lba('boot', 'empty'): 'empty' is empty and has no "
     f"cluster, {CONTENTS}there)"),
    (disk(at.crc32("boot", "/")), f"at.crc32('boot', '/'): '/' is a directory, {CONTENTS}there)"),
    (disk(at.file_lba("root", "x")),
     "at.file_lba('root', 'x'): File can't tell where its files lie, "
     "must be a volume of Fat(...) (put the file into one, or into a segment)"),
    (disk(at.file_lba("stage2", "x")),
     "at.file_lba('stage2', 'x'): 'stage2' is a segment, must be a "
     "partition (write the name of a partition)"),
    (disk(at.partition_guid("stage2"), table=Gpt(), segments=[Segment("stage2", b"", "64KiB")]),
     "at.partition_guid('stage2'): 'stage2' is a segment, must be a partition (write the name of a "
     "partition)"),
    (disk(at.partition_guid("root")),
     "at.partition_guid('root'): this table has no GUIDs, must be a "
     "number that is on the disk (write table=Gpt())"),
    (disk(at.disk_guid()),
     "at.disk_guid(): this table has no GUIDs, must be a number that is on the "
     "disk (write table=Gpt())"),
    (disk(at.disk_signature(), table=Gpt(), segments=()),
     "at.disk_signature(): this table has no disk "
     "signature, must be a number that is on the disk (write table=Mbr())"),
    *((disk(at.disk_signature(), table=table, segments=()),
      "at.disk_signature(): this table has no disk "
       "signature, must be a number that is on the disk (write table=Mbr())")
      for table in (Gpt(hybrid=["boot"]), Mbr(disk_signature=False))),
    *((disk(symbol, partitions=GUESTS), f"{symbol}: 'data' has persist=True, must be of bytes that "
       "no guest may change (ask for something in another partition)")
      for symbol in (at.file_lba("data", "k"), at.crc32("data", "k"), at.crc32("data"))),
    (disk(at.crc32("split")),
     "at.crc32('split'): 'split' spans bytes of others, a checksum is that of "
     "bytes in one piece (split the segment in two instead of giving it keep)"),
]  # fmt: skip


@pytest.mark.parametrize(("described", "problem"), BAD)
def test_what_can_not_be_answered(described, problem):
    assert list(map(str, described.problems())) == [f"boot.patches[0]: {problem}"]


def test_everything_that_can_not_be_answered_is_said_at_once():
    described = disk(at.lba("a"), at.lba("b"), stage2=[at.lba("c")])
    assert [str(problem).split(":")[0] for problem in described.problems()] == [
        "boot.patches[0]", "boot.patches[1]", "segments[0].source.patches[0]",
    ]  # fmt: skip


def three(first, second, third):
    return disk(segments=[
        Segment("a", code(*first), 1024), Segment("b", code(*second), 2048),
        Segment("c", code(*third), 4096),
    ])  # fmt: skip


CIRCLES = [
    (three([at.crc32("a")], [], []), "a", "'a' needs the bytes of 'a'"),
    (three([at.crc32("b")], [at.crc32("a")], []), "b",
     "'a' needs the bytes of 'b', which needs 'a'"),
    (three([at.crc32("b")], [at.crc32("c")], [at.crc32("a")]), "c",
     "'a' needs the bytes of 'b', which needs 'c', which needs 'a'"),
    (three([], [at.crc32("c")], [at.crc32("b")]), "c",
     "'b' needs the bytes of 'c', which needs 'b'"),
]  # fmt: skip


@pytest.mark.parametrize(("described", "asker", "text"), CIRCLES)
def test_a_circle_is_one_line(described, asker, text):
    (problem,) = described.problems()
    where = f"segments[{'abc'.index(asker)}].source.patches[0]"
    assert str(problem).startswith(f"{where}: at.crc32(")
    assert text in str(problem)


def test_places_go_round_and_nobody_minds():
    assert not three([at.lba("b")], [at.lba("a"), at.crc32("a")], [at.crc32("b")]).problems()


def test_what_a_part_needs():
    described = disk(
        at.crc32("stage2"), at.lba("root"), stage2=[at.file_lba("boot", "k/kernel"),
        at.crc32("root")]
    )
    found = needs(described, "bootcode")
    assert [str(symbol) for _, symbol in found.asks] == [
        "at.crc32('stage2')", "at.lba('root')", "at.file_lba('boot', 'k/kernel')",
        "at.crc32('root')",
    ]  # fmt: skip
    assert found.parts == ("stage2", "root")
    assert found.volumes == ("boot",)
    assert needs(described, "split") == NOTHING


def test_what_is_asked_of_a_volume():
    described = disk(at.file_lba("boot", "k/kernel"), stage2=[at.crc32("boot", "x"),
                     at.crc32("boot")])
    assert located(described, "boot") == Located({"k/kernel": False, "x": True}, True)
    assert located(described, "root") is None


# Bootloaders of anybody --------------------------------------------------------------------------


@dataclass(frozen=True)
class Chainloader:
    """Two segments: one in sector 0 that loads the other, which is told where the kernel is."""

    complaint: str = ""

    def problems(self, where, disk):
        if self.complaint:
            yield BadValue(where, self.complaint, "must be otherwise", "change it")

    def segments(self, disk):
        first = BootCode(bytes(440), patches=[Patch(8, "<Q", at.lba("second") + 1)])
        second = BootCode("second.bin", patches=[Patch(0, "<Q", at.file_lba("boot", "k/kernel"))])
        return [Segment("first", first, 0), Segment("second", second, 512)]


def test_a_bootloader_becomes_segments_like_any_others():
    described = disk(boot=Chainloader())
    assert isinstance(Chainloader(), Bootloader)
    assert described.problems() == []
    assert [(where, segment.name) for where, segment in described.outside] == [
        ("boot.segments[0]", "first"), ("boot.segments[1]", "second"),
        ("segments[0]", "stage2"), ("segments[1]", "split"),
    ]  # fmt: skip
    assert needs(described, "second").volumes == ("boot",)


def test_its_segments_are_placed_by_the_one_rule():
    described = disk(boot=Chainloader())
    lengths = {"first": 440, "second": 600, "stage2": 512, "split": 2000}
    with pytest.raises(ValueError, match="overlaps") as caught:
        place(described, [Room(length=8 << 20, type="fat16"), Room(length=512)], lengths)
    assert str(caught.value) == (
        "segments[0] 'stage2': 0x400..0x600 overlaps 'second' (boot.segments[1]) at 0x200..0x458 "
        "by 88 bytes, no byte may belong to two parts (give 'stage2' a start of 1112 or more, or "
        "shorten 'second')"
    )


def test_a_bootloader_that_complains_is_not_asked_for_segments():
    assert [str(problem) for problem in disk(boot=Chainloader("it is Tuesday")).problems()] == [
        "boot: it is Tuesday, must be otherwise (change it)"
    ]


@pytest.mark.parametrize("boot", ["stage1.bin", BootCode, 7])
def test_what_is_no_boot_code(boot):
    (problem,) = disk(boot=boot).problems()
    assert str(problem).startswith(f"boot: {boot!r} is not boot code, must be BootCode(...) or an")


def test_a_name_that_a_bootloader_takes_is_taken():
    described = disk(segments=[Segment("bootcode", b"", 1024)])
    assert [str(problem) for problem in described.problems()] == [
        "segments[0].name: 'bootcode' is the name of boot too, every partition and segment needs a "
        "different name (rename one)"
    ]


def test_a_bare_volume_has_its_own_boot_sector():
    described = model.Disk(
        "a.img", size="1MiB", table=None, boot=code(), partitions=[Partition("a", Fat({}))]
    )
    assert [str(problem) for problem in described.problems()] == [
        "boot: BootCode(...) is given, a disk without a table has none beside its volume and its "
        'segments (write Fat(boot_sector=...) and Fat(reserved={...}), or Segment("boot", ..., 0), '
        "or table=Mbr())"
    ]
