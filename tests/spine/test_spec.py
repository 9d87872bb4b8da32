"""A description finds all that is wrong with it, and knows who it is before the build."""

from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import PurePath
from types import SimpleNamespace
from uuid import UUID

import pytest
from fakes import FakePayload, FakeTable
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.disk.bootcode import BootCode
from doit_diskimg.disk.identity import disk_guid, identity_of, partition_guid
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.segment import Segment
from doit_diskimg.errors import BadLabel, TooManyPartitions
from doit_diskimg.kinds.filesystems.file import File
from doit_diskimg.plan.canonical import canonical
from doit_diskimg.plan.content import Tree

ESP = Partition("esp", FakePayload())
ROOT = Partition("root", FakePayload())
STAGE2 = Segment("stage2", b"code", 512)


def disk(**changes):
    described = {"image": "os.img", "size": "64MiB", "table": FakeTable(), "partitions": [ESP]}
    return Disk(**{**described, **changes})


def bare(*partitions, **changes):
    return disk(table=None, partitions=partitions, **changes)


# What is fine ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "described",
    [
        disk(),
        disk(size=64 << 20, align=512, guid=UUID(int=5), signature=7),
        disk(partitions=[], segments=[STAGE2]),
        disk(partitions=[ESP, ROOT], segments=[STAGE2, Segment("x", PurePath("x"), "1KiB")]),
        disk(partitions=[Partition("Ünïcödé name.1-2_3", FakePayload(), size=0)]),
        disk(segments=[Segment("odd place", "file", 441)]),
        disk(busy="error", guest_writes="error", durable=True),
        bare(ESP),
        bare(Partition("floppy", FakePayload(), size="32MiB")),
    ],
)
def test_a_good_description_has_no_problems(described):
    assert described.problems() == []


# What is not -------------------------------------------------------------------------------------

SIZE_MUST = "must be bytes or a number with KiB, MiB, GiB or TiB (write for example \"33MiB\")"
NAME_MUST = (
    "doit can't select a task of that name "
    "(use letters, digits, spaces inside, '-', '_' and '.')"
)
OWN_NAME = "every partition and segment needs a different name (rename one)"
NO_PLACE = "a disk without a table has no place to store it"
STARTLESS = (
    "there is none, without a table nothing but its start says where a volume is (write for "
    "example start=0, or table=Mbr())"
)


def part(**changes):
    return disk(partitions=[replace(ESP, **changes)])


def segment(**changes):
    return disk(segments=[replace(STAGE2, **changes)])


@pytest.mark.parametrize(
    ("described", "problem"),
    [
        # sizes
        (disk(size="64MB"), f"size: '64MB' has the unknown unit 'MB', {SIZE_MUST}"),
        (disk(size=None), f"size: None is not a size, {SIZE_MUST}"),
        (disk(size=-512), f"size: -512 is negative, {SIZE_MUST}"),
        (disk(size=1000),
         "size: 1000 bytes are not whole sectors, must be a multiple of 512 "
         "(the nearest are 512 and 1024)"),
        (disk(size="6KiB", table=FakeTable(sector_size=4096)),
         "size: 6144 bytes are not whole sectors, must be a multiple of 4096 "
         "(the nearest are 4096 and 8192)"),
        (disk(align="1.5MiB"), f"align: '1.5MiB' is not a size, {SIZE_MUST}"),
        (disk(align=100),
         "align: 100 bytes are not whole sectors, must be a multiple of 512 "
         "(the nearest are 0 and 512)"),
        (disk(align=0), 'align: 0 is not a step, must be a sector or more (write "1MiB")'),
        (part(size="lots"), f"partitions[0].size: 'lots' is not a size, {SIZE_MUST}"),
        (part(size=513),
         "partitions[0].size: 513 bytes are not whole sectors, must be a multiple of 512 "
         "(the nearest are 512 and 1024)"),
        (part(start="1 mile"),
         f"partitions[0].start: '1 mile' has the unknown unit 'mile', {SIZE_MUST}"),
        (part(start=63),
         "partitions[0].start: 63 bytes are not whole sectors, must be a multiple of 512 "
         "(the nearest are 0 and 512)"),
        (segment(size=0), "segments[0].size: 0 bytes, must be 1 byte or more "
         "(leave it out for the length of the source)"),
        (segment(size="1MB"), f"segments[0].size: '1MB' has the unknown unit 'MB', {SIZE_MUST}"),
        (segment(source="s", offset=None), f"segments[0].offset: None is not a size, {SIZE_MUST}"),
        (segment(source="s", offset=-1), f"segments[0].offset: -1 is negative, {SIZE_MUST}"),
        (segment(source="s", length=0), "segments[0].length: 0 bytes, must be 1 byte or more "
         "(leave it out for all that follows)"),
        (segment(source="s", length="x"), f"segments[0].length: 'x' is not a size, {SIZE_MUST}"),
        (segment(offset=1), "segments[0].offset: 1 is given, only a range of a file has one "
         "(leave it out: bytes can be sliced, and boot code is whole)"),
        (segment(source=BootCode("s"), length="1KiB"), "segments[0].length: '1KiB' is given, only "
         "a range of a file has one (leave it out: bytes can be sliced, and boot code is whole)"),
        (segment(start=None, keep=[(1, 2)]), "segments[0].keep: [(1, 2)] is given, and no start, "
         "bytes of others are at a place that the segment must span (write its start, or leave "
         "keep out)"),
        (segment(source="set timeout=0\n"), "segments[0].source: 'set timeout=0\\n' has a line "
         "break, text is the path of a file (write b'set timeout=0\\n' for these bytes, or "
         "Path(...) for a file of such a name)"),
        (part(payload=File("s", offset="1.5K")),
         f"partitions[0].payload.offset: '1.5K' is not a size, {SIZE_MUST}"),
        (part(payload=File("s", length=0)), "partitions[0].payload.length: 0 bytes, must be 1 byte "
         "or more (leave it out for all that follows)"),
        (part(payload=File(BootCode("s"), offset=512)), "partitions[0].payload.offset: 512 is "
         "given, only a range of a file has one (leave it out: bytes can be sliced, and boot code "
         "is whole)"),
        (segment(start=-1), f"segments[0].start: -1 is negative, {SIZE_MUST}"),
        # names
        (disk(name="a:b"), f"name: 'a:b' has ':', {NAME_MUST}"),
        (disk(name=5), "name: 5 is not a name, must be text (write for example \"esp\")"),
        (disk(image=""), "image: '' is not a path, must be the path of the image's file (write for "
         "example \"build/os.img\")"),
        (disk(image="out/a=b.img"), f"name: 'a=b.img' has '=', {NAME_MUST}"),
        (part(name=""),
         "partitions[0].name: '' is not a name, must be text (write for example \"esp\")"),
        (part(name=None),
         "partitions[0].name: None is not a name, must be text (write for example \"esp\")"),
        (part(name="a*?b[c]"),
         f"partitions[0].name: 'a*?b[c]' has '*' '?' '[' ']', {NAME_MUST}"),
        (part(name="two\nlines"), rf"partitions[0].name: 'two\nlines' has '\n', {NAME_MUST}"),
        (part(name="-n"), f"partitions[0].name: '-n' begins or ends badly, {NAME_MUST}"),
        (part(name="_private"),
         f"partitions[0].name: '_private' begins or ends badly, {NAME_MUST}"),
        (part(name="esp "), f"partitions[0].name: 'esp ' begins or ends badly, {NAME_MUST}"),
        (segment(name="a:b"), f"segments[0].name: 'a:b' has ':', {NAME_MUST}"),
        (disk(partitions=[ESP, ROOT, ESP]),
         f"partitions[2].name: 'esp' is the name of partitions[0] too, {OWN_NAME}"),
        (disk(partitions=[ESP, replace(ESP, name="Esp")]),
         f"partitions[1].name: 'Esp' is the name of partitions[0] too, {OWN_NAME}"),
        (segment(name="ESP"),
         f"segments[0].name: 'ESP' is the name of partitions[0] too, {OWN_NAME}"),
        (part(name="table"),
         "partitions[0].name: 'table' is the name of the partition table's own tasks too, "
         f"{OWN_NAME}"),
        # the wrong kind of thing
        (part(payload="build/root.ext2"),
         "partitions[0].payload: 'build/root.ext2' is not a payload, must be "
         "Fat(...), File(...) or "
         "an object of your own that fits the Payload port "
         '(write for example File("build/root.ext2"))'),
        (part(payload=File("")),
         "partitions[0].payload: '' is not a path, File(...) takes the path of a file "
         '(write for example File("build/root.ext2"))'),
        (part(payload=File(7)),
         "partitions[0].payload: 7 is not a path, File(...) takes the path of a file "
         '(write for example File("build/root.ext2"))'),
        (segment(source=7),
         "segments[0].source: 7 is not a source, must be the path of a file, bytes, or "
         "BootCode(...) "
         '(write for example "build/stage2.bin")'),
        (disk(table=SimpleNamespace(sector_size=512)),
         "table: namespace(sector_size=512) is not a partition table, must be Gpt(), Mbr() or None "
         "(write table=Gpt())"),
        # choices
        (disk(busy="wait"),
         "busy: 'wait' is not a choice, must be 'swap' or 'error' (leave it out for 'swap')"),
        (disk(guest_writes=None),
         "guest_writes: None is not a choice, must be 'restore' or 'error' "
         "(leave it out for 'restore')"),
        # no table
        (bare(),
         "table: there is none, and neither a partition nor a segment, a disk without a table has "
         "one or the other (describe what is on it, or write table=Mbr())"),
        (bare(replace(ESP, start=0), ROOT), f"partitions[1].start: {STARTLESS}"),
        (bare(ESP, segments=[STAGE2]), f"partitions[0].start: {STARTLESS}"),
        (bare(replace(ESP, align=512)), "partitions[0].align: 512 is given, a volume that is the "
         "whole disk begins with it (leave align out)"),
        (bare(replace(ESP, type="esp")),
         f"partitions[0].type: 'esp' is given, {NO_PLACE} (leave type out, or write table=Mbr())"),
        (bare(replace(ESP, guid="1" * 32)),
         f"partitions[0].guid: '{'1' * 32}' is given, {NO_PLACE} "
         "(leave guid out, or write table=Mbr())"),
        (bare(replace(ESP, attributes=4)),
         f"partitions[0].attributes: 4 is given, {NO_PLACE} "
         "(leave attributes out, or write table=Mbr())"),
        (bare(replace(ESP, active=True)),
         f"partitions[0].active: True is given, {NO_PLACE} "
         "(leave active out, or write table=Mbr())"),
    ],
)  # fmt: skip
def test_a_bad_description_is_told_what_to_change(described, problem):
    assert list(map(str, described.problems())) == [problem]


LABEL = BadLabel("partitions[0].payload", "it is long", "must be short", "shorten it")
COUNT = TooManyPartitions("partitions", "there are 2", "must be 1 at most", "leave one out")


def test_all_problems_are_found_at_once_in_the_order_of_the_description():
    described = disk(
        name="-",
        size="big",
        align=0,
        table=FakeTable(complaints=[COUNT]),
        partitions=[
            Partition("", FakePayload(complaints=[LABEL]), size="1MB", start=1),
            Partition("twice", None),
        ],
        segments=[Segment("Twice", None, "x")],
    )
    assert [f"{type(found).__name__} {found.where}" for found in described.problems()] == [
        "BadName name",
        "BadSize size",
        "BadSize align",
        "TooManyPartitions partitions",
        "BadName partitions[0].name",
        "Unaligned partitions[0].start",
        "BadSize partitions[0].size",
        "BadValue partitions[1].payload",
        "BadSize segments[0].start",
        "BadValue segments[0].source",
        "DuplicateName segments[0].name",
    ]  # a payload can't judge a size that is none: no complaint about the label


def test_the_payload_and_the_table_are_asked_what_they_think():
    labelled = replace(ESP, payload=FakePayload(complaints=[LABEL]))
    described = disk(table=FakeTable(complaints=[COUNT]), partitions=[labelled])
    assert described.problems() == [COUNT, LABEL]


@pytest.mark.parametrize(
    "mistake",
    [
        {"partitions": [FakePayload()]},  # a payload without its Partition
        {"partitions": [File("root.ext2")]},
        {"partitions": [{"name": "esp"}]},
        {"partitions": ESP},  # one, not in a list
        {"segments": [b"boot code"]},
        {"segments": STAGE2},
        {"table": FakeTable},  # the class, not an object
        {"table": "gpt"},
        {"image": 5},
        {"image": None},
    ],
    ids=lambda mistake: " ".join(f"{key}={type(value).__name__}" for key, value in mistake.items()),
)
def test_a_field_of_the_wrong_kind_is_a_problem_and_no_traceback(mistake):
    assert len(disk(**mistake).problems()) >= 1


@given(st.text())
def test_any_text_is_a_good_name_or_a_problem(name):
    lines = list(map(str, disk(partitions=[Partition(name, FakePayload())]).problems()))
    assert len(lines) <= 1
    assert all(line.startswith("partitions[0].name: ") for line in lines)


# Who it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("os.img", "os.img"),
        ("build/os.img", "os.img"),
        (PurePath("/tmp/build/os.img"), "os.img"),
        ("build/os.img/", "os.img"),
    ],
)
def test_a_disk_is_named_after_its_file(image, name):
    assert disk(image=image).name == name
    assert disk(image=image, name="mine").name == "mine"


DISK_GUID = UUID("7d3967f2-6b02-523c-9f41-20b0448158bb")
"""As sha1sum has it: RFC 9562, section 5.5, of the namespace and ``os.img``."""
ONES = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("described", "of_disk", "of_esp"),
    [
        ({}, str(DISK_GUID), "45df66b6-efc3-531d-acef-02607513a20b"),
        ({"name": "名.img"}, "857284bc-d399-5c2a-83e6-98da69b35c19",
         "196cd113-90aa-5596-b046-581fa413f660"),
        ({"guid": ONES}, ONES, "5dd35e2e-cf76-52a7-a93d-ff5989496598"),
        ({"guid": UUID(ONES)}, ONES, "5dd35e2e-cf76-52a7-a93d-ff5989496598"),
    ],
)  # fmt: skip
def test_guids_are_derived_from_names_for_ever(described, of_disk, of_esp):
    """A change here changes the images of every user."""
    named = disk(**described)
    assert str(disk_guid(named)) == of_disk
    assert str(partition_guid(named, ESP)) == of_esp


def test_guids_depend_on_names_and_on_nothing_else():
    other = Disk(
        "/elsewhere/os.img", size="1GiB", table=None, partitions=[ROOT, ESP], align=512, signature=1
    )
    assert disk_guid(other) == DISK_GUID
    filled = replace(ESP, payload=File("x"), size=512)
    assert partition_guid(other, filled) == partition_guid(disk(), ESP)
    assert str(partition_guid(other, ROOT)) == "9eff6669-93a6-5b90-b3a1-1d0a74f4805c"


def test_a_partitions_own_guid_wins():
    assert partition_guid(disk(), replace(ESP, guid=ONES)) == UUID(ONES)


@pytest.mark.parametrize(
    ("described", "signature"),
    [
        ({}, 0x448158BB),  # the end of the derived GUID
        ({"guid": ONES}, 0x55555555),
        ({"guid": "11111111-2222-3333-4444-555500000000"}, 1),  # 0 would mean that there is none
        ({"signature": 0xDEADBEEF}, 0xDEADBEEF),
        ({"signature": 7, "guid": ONES}, 7),
    ],
)
def test_the_signature_is_the_end_of_the_guid_unless_given(described, signature):
    identities = identity_of(disk(**described))
    assert identities.signature == signature
    assert identities.guid == disk_guid(disk(**described))


# The digest of a description ---------------------------------------------------------------------


@dataclass(frozen=True)
class Volume:
    """A payload as somebody else may write it."""

    files: object = None
    label: str = "A"
    number: int = 1


class Mode(Enum):
    FAST = 1
    SAFE = 2


class Plain:
    def __init__(self, shown, hidden):
        self.shown, self._hidden = shown, hidden


def named(value):
    """Return a test's name for a value, the same in each process."""
    return type(value).__name__ if isinstance(value, Plain | set) else repr(value)


def text(value):
    """Return what goes into the digest."""
    return repr(canonical(value))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Volume({"x": b"1", "y": Volume({"p": "1", "q": "2"})}),
         Volume({"y": Volume({"q": "2", "p": "1"}), "x": b"1"})),
        ({"b", "a", "c"}, {"c", "b", "a"}),
        ([1, 2], (1, 2)),
        (Tree("a", exclude=["*.o"]), Tree(PurePath("a"), exclude=("*.o",))),
        (PurePath("a/b"), "a/b"),
        (b"x", bytearray(b"x")),
        (Plain(1, hidden=2), Plain(1, hidden=3)),
        (UUID(ONES), UUID(ONES)),
    ],
    ids=named,
)  # fmt: skip
def test_what_is_meant_alike_is_equal(one, other):
    assert text(one) == text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, True),
        (0, None),
        (1, "1"),
        ("a", b"a"),
        (b"a", b"b"),
        ("ab", ["a", "b"]),
        ([1, 2], [2, 1]),
        ([], {}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        (Volume(), Plain(1, 1)),
        (Tree("a"), type("Tree", (Tree,), {})("a")),
        (Volume("x"), Volume(b"x")),
        (Volume({"a": Tree("t")}), Volume({"a": "t"})),
        (Plain(1, 1), Plain(2, 1)),
        (1.5, 2.5),
        (UUID(ONES), UUID(int=1)),
        (Tree("a"), Tree("a", include=["*"])),
        (Tree("a", include=["*"]), Tree("a", exclude=["*"])),
    ],
    ids=named,
)
def test_what_is_meant_differently_is_not(one, other):
    assert text(one) != text(other)


CHANGED = {
    "image": "other.img", "size": "65MiB", "table": None, "partitions": [ROOT],
    "segments": [STAGE2], "align": 512, "guid": ONES, "signature": 1, "name": "other",
    "payload": FakePayload(513), "type": 1, "start": 1, "attributes": 1, "active": True,
    "source": b"CODE", "busy": "error", "guest_writes": "error", "durable": True,
    "outputs": ["another"], "power_of_two": True, "logical": True, "in_table": False,
    "offset": 1, "length": 5, "keep": [(0, 1)], "boot": BootCode(b"code"), "persist": True,
    "partition_name": "", "replace": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("described", "field"),
    [
        (described, field.name)
        for described in (disk(), ESP, STAGE2)
        for field in fields(described)
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_field_counts(described, field):
    assert text(replace(described, **{field: CHANGED[field]})) != text(described)


def test_members_of_an_enumeration_are_told_apart():
    assert text(Mode.FAST) != text(Mode.SAFE)
