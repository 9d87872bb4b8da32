"""What a right disk may hold and few have: judged by programs that know it, noted for people."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from layouts import judges
from layouts.drawing import draw, lay_out
from layouts.good import FILES, GPTS, MBRS, Good, fat, gpt, mbr, part
from tools import run, tool

from doit_diskimg import verify_image
from doit_diskimg.disk.model import Disk, Noting
from doit_diskimg.disk.segment import Segment
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.kinds.tables.mbr import Mbr

CODE = Segment("code", b"\xf4" * 440, 0)
ENTRIES = slice(446, 512)
PROTECTIVE_END = slice(446 + 5, 446 + 8)
"""parted writes FF FF FF there on every disk; see tests/tables/test_table_gpt.py."""


def sector_0(image: Path) -> bytes:
    with image.open("rb") as file:
        return file.read(512)


@pytest.mark.parametrize(
    ("numbers", "names", "number"),
    [("1", ["esp"], 1), ("1:EE", ["esp"], 2), ("2:1:EE", ["b", "esp"], 3)],
)
def test_the_protective_entry_lies_where_sgdisk_puts_it(
    tmp_path: Path, numbers: str, names: list[str], number: int
) -> None:
    partitions = fat("esp", "40MiB", type="esp"), part("b", "1MiB")
    draw(gpt(*partitions), FILES, tmp_path / "theirs.img")
    run("sgdisk", f"--hybrid={numbers}", tmp_path / "theirs.img")
    table = Gpt(hybrid=names, protective_number=number)
    draw(gpt(*partitions, table=table), FILES, tmp_path / "ours.img")
    assert (tmp_path / "ours.img").read_bytes() == (tmp_path / "theirs.img").read_bytes()


def test_the_flag_of_the_protective_entry_is_that_of_parted(tmp_path: Path) -> None:
    draw(gpt(part("a", "1MiB")), FILES, tmp_path / "theirs.img")
    run("parted", "-s", tmp_path / "theirs.img", "disk_set", "pmbr_boot", "on")
    draw(gpt(part("a", "1MiB"), table=Gpt(pmbr_boot=True)), FILES, tmp_path / "ours.img")
    ours = bytearray((tmp_path / "ours.img").read_bytes())
    ours[PROTECTIVE_END] = b"\xff\xff\xff"
    assert bytes(ours) == (tmp_path / "theirs.img").read_bytes()
    assert "pmbr_boot" in run("parted", "-s", "-m", tmp_path / "ours.img", "print")


@pytest.mark.parametrize(
    ("fields", "shown"), [({"signature": 0x12345678}, "0x12345678"), ({}, "0x00000000")]
)
def test_sgdisk_reads_the_signature_of_a_hybrid_mbr(
    tmp_path: Path, fields: dict[str, Any], shown: str
) -> None:
    draw(gpt(part("a", "1MiB"), table=Gpt(hybrid=["a"]), **fields), FILES, tmp_path / "os.img")
    said = run("sgdisk", "--print-mbr", tmp_path / "os.img")
    assert f"MBR disk identifier: {shown}" in said


def test_boot_code_has_the_bytes_of_the_signature(tmp_path: Path) -> None:
    """Everything but those six bytes is as with a signature."""
    code = bytes(range(1, 224)) * 2
    long = Segment("code", code, 0)
    disk = mbr(part("a", "1MiB"), table=Mbr(disk_signature=False), segments=[long])
    draw(disk, FILES, tmp_path / "446.img")
    draw(mbr(part("a", "1MiB"), segments=[CODE]), FILES, tmp_path / "440.img")
    assert sector_0(tmp_path / "446.img")[:446] == code
    assert sector_0(tmp_path / "446.img")[ENTRIES] == sector_0(tmp_path / "440.img")[ENTRIES]
    short = mbr(part("a", "1MiB"), table=Mbr(disk_signature=False), segments=[CODE])
    draw(short, FILES, tmp_path / "short.img")
    assert sector_0(tmp_path / "short.img")[440:446] == bytes(6)


def test_an_mbr_with_the_type_of_a_gpt(tmp_path: Path) -> None:
    """sfdisk reads it; parted does not, as the note says, nor does Linux."""
    image = tmp_path / "os.img"
    draw(mbr(part("a", "1MiB", type=0xEE), part("b", "1MiB")), FILES, image)
    assert judges.sfdisk(image) == ["1 2048 2048 ee", "2 4096 2048 83"]
    assert judges.sfdisk_verdict(image) == []
    done = subprocess.run(
        [tool("parted"), "-s", image, "print"], capture_output=True, text=True, check=False
    )
    assert "unrecognised disk label" in done.stderr
    assert verify_image(image) == []


UNUSUAL = {
    "446 bytes of boot code": [],
    "code that spans a table without a signature": [],
    "two active": ["warning mbr-active"],
    "names of their own, equal and empty": [],
    "an active protective entry": ["warning pmbr-active"],
    "hybrid, protective entry last": [],
    "hybrid, all active": ["warning mbr-active", "warning pmbr-active"],
}


@pytest.mark.parametrize(("name", "found"), UNUSUAL.items(), ids=UNUSUAL)
def test_verify_accepts_what_may_be_said(tmp_path: Path, name: str, found: list[str]) -> None:
    case: Good = next(case for case in (*MBRS, *GPTS) if case.name == name)
    draw(case.disk, FILES, tmp_path / "os.img")
    seen = verify_image(tmp_path / "os.img", witnesses=False)
    assert sorted({f"{one.severity} {one.code}" for one in seen}) == found


NO_CODE = (
    "partitions[{0}].active: it is active, and there is no boot code in sector 0 to start it, a "
    "BIOS finds nothing to run"
)
TOO = (
    "partitions[{1}].active: partitions[{0}] is active too, boot code of the usual kind refuses "
    "such a disk"
)
ACTIVE = [part("a", "1MiB"), *[part(name, "1MiB", active=True) for name in "bc"]]


@pytest.mark.parametrize(
    ("disk", "notes"),
    [
        (mbr(part("a", "1MiB"), segments=[CODE]), []),
        (mbr(part("a", "1MiB")), []),
        (mbr(part("a", "1MiB", active=True), segments=[CODE]), []),
        (mbr(part("a", "1MiB", active=True)), [NO_CODE.format(0)]),
        (mbr(part("a", "1MiB", active=True), segments=[Segment("s", b"x", 512)]),
         [NO_CODE.format(0)]),
        (mbr(part("a", "1MiB", active=True), segments=[Segment("s", b"", 0)]),
         [NO_CODE.format(0)]),
        (mbr(*ACTIVE, table=Mbr(several_active=True), segments=[CODE]), [TOO.format(1, 2)]),
        (mbr(*ACTIVE, table=Mbr(several_active=True)), [TOO.format(1, 2), NO_CODE.format(1)]),
        (mbr(part("a", "1MiB"), part("b", "1MiB", type="0xee")),
         ["partitions[1].type: 0xee stands for a whole GPT, Linux and parted find no partitions "
          "beside it"]),
        (gpt(part("a", "1MiB")), []),
        (gpt(part("a", "1MiB"), table=Gpt(pmbr_boot=True)), []),
        (gpt(part("a", "1MiB", active=True), table=Gpt(hybrid=["a"]), segments=[CODE]), []),
        (gpt(part("a", "1MiB", active=True), table=Gpt(hybrid=["a"])), [NO_CODE.format(0)]),
        (gpt(part("a", "1MiB", active=True), segments=[CODE],
             table=Gpt(hybrid=["a"], pmbr_boot=True, several_active=True)),
         ["table.pmbr_boot: partitions[0] is active too, boot code of the usual kind refuses such "
          "a disk"]),
    ],
)  # fmt: skip
def test_what_is_noted(disk: Disk, notes: list[str]) -> None:
    layout = lay_out(disk, FILES)
    assert isinstance(disk.table, Noting)
    assert list(disk.table.notes(disk, layout.regions)) == notes
