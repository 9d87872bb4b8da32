"""Anything may stand in any field: each mistake is one line, and nothing else suffers."""

import pytest
from layouts.good import bare, fat, gpt, mbr, part

from doit_diskimg import (
    BootCode,
    Compressed,
    Disk,
    Fat,
    File,
    Gpt,
    Iso,
    Mbr,
    Partition,
    Patch,
    Qcow2,
    Segment,
    Sha256,
    Symbol,
    Tree,
    Zero,
)
from doit_diskimg.disk.model import Disk as Described

FITS = (
    "must be Fat(...), File(...) or an object of your own that fits the Payload port "
    '(write for example File("build/root.ext2"))'
)
YES_OR_NO = "must be True or False (leave it out if in doubt)"
SIZE = "must be bytes or a number with KiB, MiB, GiB or TiB (write for example \"33MiB\")"


def with_output(output):
    return Disk("os.img", size="1MiB", table=Mbr(), outputs=[output])


MISTAKES = [
    (gpt(Partition("a", Fat, size="1MiB", type="esp")),
     "partitions[0].payload: the class Fat is not a payload, "
     + FITS.replace('for example File("build/root.ext2")', "Fat(...)")),
    (gpt(Partition("a", [Fat({})], size="1MiB", type="esp")),
     "partitions[0].payload: [Fat(files={}, fat=None, prefer=None, size=None, free=Non... is "
     "not a payload, " + FITS),
    *[
        (gpt(table=Gpt(sector_size=size)),
         f"table.sector_size: {size!r}, must be 512 or 4096 (leave it out for 512)")
        for size in ("512", None, 0, 3.5, 512.0, 1024)
    ],
    *[
        (gpt(table=Gpt(hybrid=hybrid)),
         f"table.hybrid: {hybrid!r} is not a list of names, must name the partitions that the MBR "
         'mentions too (write for example ["esp"])')
        for hybrid in (None, 5, True, "esp", b"esp", [5])
    ],
    *[
        (table(part("a", "1MiB", **{field: value})),
         f"partitions[0].{field}: {value!r} is given, {YES_OR_NO}")
        for table in (gpt, mbr)
        for field, value in (("in_table", None), ("in_table", "no"))
    ],
    (mbr(part("a", "1MiB", active="no")), f"partitions[0].active: 'no' is given, {YES_OR_NO}"),
    (mbr(part("a", "1MiB", logical="no")),
     "partitions[0].logical: 'no' is given, must be True, False or None (leave it out to have it "
     "decided)"),
    (mbr(power_of_two="no"), f"power_of_two: 'no' is given, {YES_OR_NO}"),
    (mbr(durable=1), f"durable: 1 is given, {YES_OR_NO}"),
    (bare(fat("v"), "2MiB", guid="x"),
     "guid: 'x' is given, a disk without a table has no place to store it (leave guid out, or "
     "write table=Mbr())"),
    (bare(fat("v"), "2MiB", signature=5),
     "signature: 5 is given, a disk without a table has no place to store it (leave signature "
     "out, or write table=Mbr())"),
    (mbr(name=5), 'name: 5 is not a name, must be text (write for example "esp")'),
    (gpt(part([], "1MiB")), 'partitions[0].name: [] is not a name, must be text (write for example '
     '"esp")'),
    (gpt(part("a\udcff", "1MiB")),
     "partitions[0].name: 'a\\udcff' has '\\udcff', doit can't select a task of that name (use "
     "letters, digits, spaces inside, '-', '_' and '.')"),
    (mbr(table=Mbr(extended_number=4.0)),
     "table.extended_number: 4.0, must be an entry, 1 to 4 (leave it out for 4)"),
    (mbr(size=2**70), f"size: {2**70} is more than a file can have, {SIZE}"),
    (mbr(size="9000000TiB"), f"size: {9000000 * 2**40} is more than a file can have, {SIZE}"),
    (mbr(segments="boot.bin"),
     "segments: 'boot.bin' is not a list, must be a list of Segments (put it in brackets)"),
    (mbr(part("a", "1MiB", payload=Fat({}, fat=16.0))),
     "partitions[0].fat: 16.0 is given, the types of FAT are 12, 16 and 32 (write one of them, "
     "or leave it out)"),
    (mbr(part("a", "1MiB", payload=Fat({}, number_of_fats=None))),
     "partitions[0].number_of_fats: None is given, a volume has one table or two (write 2, or "
     "leave it out)"),
    *[
        (mbr(part("a", "1MiB", type=type_)),
         f"partitions[0].type: {found} is no such type, must be a name that an MBR has a type "
         f"for, or a byte from 0x00 to 0xff (write {change})")
        for type_, found, change in [
            ("83", "'83'", "0x83"), ("c", "'c'", "0x0c"), ("EF", "'EF'", "0xef"),
            (0xEF00, "0xef00", "0xef"), ("0x8300", "'0x8300'", "0x83"),
        ]
    ],
    *[
        (gpt(part("a", "1MiB", type=type_)),
         f"partitions[0].type: {found} is no such type, must be a name that a GPT has a type for, "
         f"or a type GUID (use {change})")
        for type_, found, change in [
            ("ef00", "'ef00'", "'esp'"), (0x8200, "0x8200", "'linux-swap'"),
            ("83", "'83'", "'linux-filesystem'"), (0x83, "0x83", "'linux-filesystem'"),
        ]
    ],
    (mbr(part("a", "1MiB", payload=Fat(Tree("sysroot")))),
     "partitions[0].files: Tree(dir='sysroot', include=(), exclude=(), after=()) is not a mapping, "
     "files maps paths in the volume to sources (write {\"/\": Tree('sysroot')} for its root)"),
    (mbr(part("a", 100)),
     "partitions[0].size: 100 bytes are not whole sectors, must be a multiple of 512 (the nearest "
     "are 0 and 512)"),
    (with_output(Compressed(None)),
     "outputs[0].path: None is not a path, must be that of a file (write for example "
     '"build/os.qcow2")'),
    (with_output(Compressed("x.gz", level=6.5)),
     "outputs[0].level: it is 6.5, must be 1 to 9 for .gz (leave it out for the usual one)"),
    (with_output(Qcow2("x", name=5)),
     "outputs[0].name: 5 is not a name, must be text (leave it out for that of its kind)"),
    (with_output(Sha256("x", of=5)),
     "outputs[0].of: 5 is not a list of files, must have one or more (leave it out for "
     "the image and "
     "all outputs)"),
    (with_output(Iso("x", files=[1])),
     "outputs[0].files: [1] is given, must map paths in the ISO to sources (write "
     '{"boot/kernel.elf": "build/kernel.elf"})'),
    (with_output(Iso("x", load_size="2048")),
     "outputs[0].load_size: '2048' is given, must be a number of bytes, or \"full\" "
     "(leave it out for 2048)"),
    (with_output(Iso("x", label=5)),
     'outputs[0].label: 5 is given, must be text (write for example "MYOS")'),
    (with_output(Iso("x", bios=5)),
     "outputs[0].bios: 5 is given, must be the path of one of the files (write the key that it "
     "has in files)"),
    (with_output(Iso("x", boot_code=5)),
     "outputs[0].boot_code: 5 is given, must be the path of a file, or bytes (change it)"),
]


@pytest.mark.parametrize(("disk", "message"), MISTAKES)
def test_one_line_for_each_mistake(disk, message):
    described = disk if isinstance(disk, Described) else Described(disk)
    assert list(map(str, described.problems())) == [message]


@pytest.mark.parametrize(
    ("disk", "where", "near"),
    [
        (lambda: mbr(durabel=True), "durabel", "durable"),
        (lambda: mbr(Partition("a", Zero(), size="1MiB", tpye="esp", type=0x83)),
         "partitions[0].tpye", "type"),
        (lambda: mbr(part("a", "1MiB", payload=Fat({}, lable="X"))),
         "partitions[0].lable", "label"),
        (lambda: mbr(segments=[Segment("s", b"x", 512, sise=5)]), "segments[0].sise", "size"),
        (lambda: mbr(segments=[Segment("s", BootCode(b"x", pathces=()), 512)]),
         "segments[0].source.pathces", "patches"),
        (lambda: mbr(table=Mbr(disk_signatur=False)), "table.disk_signatur", "disk_signature"),
        (lambda: mbr(boot=BootCode(b"x", elv="x")), "boot.elv", "elf"),
        (lambda: with_output(Qcow2("x", compres="zstd")), "outputs[0].compres", "compress"),
        (lambda: mbr(part("a", "1MiB", payload=Fat({"d": Tree("d", exlude="*.o")}))),
         "partitions[0].files['d'].exlude", "exclude"),
    ],
)  # fmt: skip
def test_a_misspelt_field_is_one_line_like_every_other_mistake(disk, where, near):
    (line,) = map(str, disk().problems())
    assert line.startswith(f"{where}: no such field, ")
    assert line.endswith(f" (did you mean {near})")


def test_misspelt_fields_are_told_with_all_other_mistakes():
    disk = Disk("os.img", size="1MB", table=Mbr(), alling="1MiB", partitions=[
        Partition("a", Zero(), size="1MiB", type=0x83, tpye="esp"),
    ])  # fmt: skip
    found = [problem.where for problem in disk.problems()]
    assert found == ["alling", "partitions[0].tpye", "size"]


def test_what_is_missing_is_one_line():
    disk = Disk("os.img", partitions=[Partition("a"), Partition("b", Zero(), 5)])
    assert list(map(str, disk.problems())) == [
        "size: it is missing, Disk needs it (write size=...)",
        "table: it is missing, Disk needs it (write table=...)",
        "partitions[0].payload: it is missing, Partition needs it (write payload=...)",
        "partitions[1]: 3 values without a name, Partition takes only name, payload without a "
        "name (write the names of the fields)",
    ]


ODD = [
    None, True, 5, -5, 2**70, 3.5, "", "x", "\udcff", b"", b"x", [], [5], {}, {5: 5}, {"a": None},
    object(), Fat, Fat({}), Partition("p", Zero()), Segment("s", b"x", 0), Mbr(), Gpt, set(),
]


@pytest.mark.parametrize("kind", [Disk, Partition, Segment, Fat, Gpt, Mbr, BootCode, Patch, Symbol])
def test_nothing_in_any_field_raises(kind):
    """And whatever is refused is refused in words."""
    given = [name for name, field in kind.__dataclass_fields__.items() if field.init]
    for field in given:
        for value in ODD:
            if field == "_" or (field == "name" and kind is Disk):
                continue
            for problem in described_with(kind, field, value).problems():
                assert "\n" not in str(problem)
                assert problem.where
                assert problem.change


def described_with(kind, field, value):
    """Return a disk in which one field of one object of that kind has that value."""
    fields = {
        Disk: {"image": "os.img", "size": "4MiB", "table": Mbr()},
        Partition: {"name": "p", "payload": Zero(), "type": "linux-filesystem", "size": "1MiB"},
        Segment: {"name": "s", "source": b"x", "start": 512},
        Fat: {"files": {"a": b"x"}},
        Gpt: {},
        Mbr: {},
        BootCode: {"source": b"x" * 9},
        Patch: {"offset": 1, "format": "<H", "value": 5},
        Symbol: {"kind": "lba", "name": "s"},
    }[kind]
    odd = kind(**{**fields, field: value})
    if kind is Disk:
        return odd
    whole = {"image": "os.img", "size": "4MiB", "table": Mbr()}
    if kind is Partition:
        return Disk(**whole, partitions=[odd])
    if kind is Segment:
        return Disk(**whole, segments=[odd])
    if kind is Symbol:
        odd = Patch(0, "<Q", odd)
    if kind in (Patch, Symbol):
        odd = BootCode(b"x" * 9, patches=[odd])
    if isinstance(odd, BootCode):
        return Disk(
            **whole, boot=odd, segments=[Segment("s", odd, 512, keep=[(3, 4)])],
            partitions=[
                Partition("p", Fat({}, boot_sector=odd, reserved={1: odd}), size="2MiB"),
                Partition("q", File(odd), type="linux-filesystem"),
            ],
        )  # fmt: skip
    if kind is Fat:
        return Disk(**whole, partitions=[Partition("p", odd, size="2MiB")])
    parts = [Partition("p", Zero(), type="linux-filesystem", size="1MiB")]
    return Disk(**{**whole, "table": odd}, partitions=parts)
