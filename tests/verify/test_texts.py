"""Whole messages: names as people write them, first the defect, then the rule."""

import foreign
import pytest
from damage import EMPTY, KERNEL, SPACES, Volume

from doit_diskimg import verify_image


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    return foreign.filled(tmp_path_factory.mktemp("volume") / "v.img", 16).read_bytes()


CASES = {}


def case(name, *texts):
    def keep(damage):
        CASES[name] = damage, list(texts)
        return damage

    return keep


@case("a second label", "error fat-label-twice: /: the label 'SECONDVOL/X' follows 'LABEL', one at "
      "most must be", "warning fat-label-char: /SECONDVOL/X: 'SECONDVOL/X' has '/', which no label "
      "may have")
def second(v):
    """Eleven characters without a dot, as `mlabel` would not write them."""
    v.put(v.short(EMPTY), b"SECONDVOL/X\x08")


@case("names that differ in case", "error fat-name-twice: /kernel.bin: 'KERNEL.BIN' and "
      "'kernel.bin' are both 'KERNEL.BIN' to a reader")
def lower(v):
    """The name of three pieces becomes one of one piece; the checksum stays."""
    at = v.short(SPACES) - 32
    v.put(at - 64, b"\xe5")
    v.put(at - 32, b"\xe5")
    units = "kernel.bin\0".encode("utf-16-le").ljust(26, b"\xff")
    v.put(at, b"\x41" + units[:10])
    v.put(at + 14, units[10:22])
    v.put(at + 28, units[22:])


@case("one short name twice", "error fat-short-twice: /KERNEL.BIN: 'KERNEL.BIN' and 'KERNEL.BIN' "
      "have one short name, 'KERNEL.BIN'")
def twice(v):
    v.put(v.short(EMPTY), KERNEL)


@case("a first cluster that does not exist", "error fat-chain-range: /KERNEL.BIN: its chain begins "
      "with 0xffff, the clusters are 2 to 0x3f60", "error fat-lost")
def first(v):
    v.put16(v.short(KERNEL) + 26, 0xFFFF)


@case("a first cluster that is free", "error fat-chain-free: /KERNEL.BIN: its chain begins with "
      "cluster 700, which is free", "error fat-lost")
def free(v):
    v.put16(v.short(KERNEL) + 26, 700)


@case("a chain that goes on in a free cluster", "error fat-chain-free: /KERNEL.BIN: its chain goes "
      "on with cluster 700, which is free", "error fat-lost")
def goes_on(v):
    v.link(v.cluster(KERNEL), 700)


@case("a character", "error fat-short-char: /KER:EL.BIN: 'KER:EL.BIN' has ':', which no short name "
      "may have")
def colon(v):
    v.put(v.short(KERNEL), b"KER:EL")


@case("fields of a piece", "error fat-long-fill: /: type 0x00, cluster 5, attributes 0x0f in a "
      "piece of a long name, 0x00, 0 and 0x0f must be")
def piece(v):
    v.put16(v.short(SPACES) - 32 + 26, 5)


@case("a jump", "warning fat-jump: it begins with 90 90 90, eb xx 90 or e9 xx xx must be")
def jump(v):
    v.put(0, b"\x90\x90\x90")


@case("bytes per sector", "error fat-sector-size: 500 bytes per sector, 512, 1024, 2048 or 4096 "
      "must be", "warning fat-hidden")
def sectors(v):
    v.put16(11, 500)
    v.put16(28, 1)


@pytest.mark.parametrize("name", CASES)
def test_what_a_finding_says(volume, tmp_path, name):
    damage, texts = CASES[name]
    damaged = Volume(volume, 16)
    damage(damaged)
    found = verify_image(damaged.write(tmp_path / "v.img"), witnesses=False)
    said = [
        f"{one.severity} {one.code}: " + (f"{one.where}: " if one.where else "") + one.text
        for one in found
    ]
    expected = [
        next((line for line in said if ":" not in text and line.startswith(text)), text)
        for text in texts
    ]
    assert sorted(said) == sorted(expected)
