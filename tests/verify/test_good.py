"""Images that are right, whoever made them: no errors, and no warnings but those that are named."""

import subprocess
import sys

import foreign
import pytest
from foreign import MIB
from tools import run, tool

from doit_diskimg import verify_image


def codes(path, **options):
    return sorted({f"{one.severity[0]} {one.code}" for one in verify_image(path, **options)})


@pytest.mark.parametrize("fat", [12, 16, 32])
def test_mkfs_and_mtools(tmp_path, fat):
    assert verify_image(foreign.filled(tmp_path / "v.img", fat)) == []


MKFS = {
    "1 FAT": ("16", 8192, "-f", "1", "-s", "1"),
    "clusters of 32 KiB": ("16", 200 << 10, "-s", "64"),
    "sectors of 4096": ("16", 64 << 10, "-S", "4096"),
    "sectors of 2048, FAT32": ("32", 300 << 10, "-S", "2048", "-s", "1"),
    "sectors of 1024": ("12", 2880, "-S", "1024"),
    "as many clusters as FAT12 has": ("12", 8 << 10, "-s", "4"),
    "512 reserved sectors": ("32", 40 << 10, "-R", "512", "-s", "1"),
    "aligned": ("32", 70 << 10, "-a", "-s", "1"),
    "no label": ("12", 720,),
}


@pytest.mark.parametrize("options", MKFS.values(), ids=MKFS)
def test_every_geometry_of_mkfs(tmp_path, options):
    fat, kib, *more = options
    path = tmp_path / "v.img"
    run("mkfs.fat", "-C", "-F", fat, *more, path, str(kib), **foreign.MADE)
    found = codes(path)
    assert [one for one in found if one[0] == "e"] == []


@pytest.mark.parametrize("kib", [160, 180, 320, 360, 720, 1200, 1440, 2880])
def test_every_floppy_of_mformat(tmp_path, kib):
    path = tmp_path / "floppy.img"
    run("mformat", "-C", "-i", path, "-f", str(kib), "-N", "12345678", "::", **foreign.MADE)
    assert codes(foreign.mcopy(path) if kib > 300 else path) == []


@pytest.mark.parametrize("sectors", [40960, 131072, 262144])
def test_mformat_of_hard_disks(tmp_path, sectors):
    path = tmp_path / "disk.img"
    heads = ("-h", "16", "-s", "32")
    run("mformat", "-C", "-i", path, "-T", str(sectors), *heads, "-v", "VOLUME", "::",
        **foreign.MADE)
    assert codes(foreign.mcopy(path)) == []


TABLES = {
    "sfdisk, logical": lambda path: foreign.sfdisk(path, foreign.LOGICAL),
    "sfdisk, four": lambda path: foreign.sfdisk(
        path, "label: dos\n1M 1M 83\n2M 1M 83\n3M 1M 82\n4M 1M da\n"
    ),
    "sfdisk, gpt": lambda path: foreign.sfdisk(path, "label: gpt\n1M 1M L\n2M 1M S\n"),
    "sgdisk": lambda path: foreign.sgdisk(path, *foreign.GPT),
    "sgdisk, 56 entries": lambda path: foreign.sgdisk(path, "-S", "56", *foreign.GPT),
    "sgdisk, moved array": lambda path: foreign.sgdisk(path, "-j", "34", *foreign.GPT),
    "sgdisk, hybrid": lambda path: foreign.sgdisk(path, *foreign.GPT, "-h", "2"),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_tables(tmp_path, make):
    found = codes(make(tmp_path / "disk.img"))
    assert set(found) <= {"w part-not-fat"}, "the ESP is empty"


@pytest.mark.parametrize("label", ["msdos", "gpt"])
def test_parted(tmp_path, label):
    path = tmp_path / "disk.img"
    with open(path, "wb") as file:
        file.truncate(64 * MIB)
    run("parted", "-s", path, "mklabel", label, "mkpart", "primary", "fat16", "1MiB", "20MiB",
        "mkpart", "primary", "ext2", "20MiB", "100%")
    assert set(codes(path)) <= {"w part-not-fat"}


def test_a_filled_partition_of_each_table(tmp_path):
    disk = foreign.sfdisk(
        tmp_path / "disk.img", "label: dos\nstart=2048, size=34M, type=c\n", 40 * MIB
    )
    volume = foreign.filled(tmp_path / "v.img", 32, "-h", "2048")
    with open(disk, "r+b") as file:
        file.seek(MIB)
        file.write(volume.read_bytes())
    assert verify_image(disk) == []
    assert verify_image(disk, offset=MIB) == []


def test_genimage(tmp_path):
    """As Buildroot's boards have it: FAT16 in type 0x0C is a warning, hidden sectors are 0."""
    tool("genimage")
    root = tmp_path / "root"
    root.mkdir()
    (root / "kernel.img").write_bytes(b"k" * 100_000)
    config = tmp_path / "genimage.cfg"
    config.write_text(
        'image boot.vfat { vfat { files = { "kernel.img" } } size = 16M }\n'
        "image sdcard.img { hdimage { }\n"
        ' partition boot { partition-type = 0xC bootable = "true" image = "boot.vfat" } }\n'
    )
    subprocess.run(
        ["genimage", "--rootpath", root, "--inputpath", root, "--outputpath", tmp_path / "out",
         "--tmppath", tmp_path / "tmp", "--config", config],
        check=True, capture_output=True,
    )
    assert codes(tmp_path / "out/sdcard.img") == ["w fat-hidden", "w part-type-fat"]


def test_pyfatfs(tmp_path):
    """Its volumes have no geometry, and mtools refuses them for it: a warning, rightly."""
    path = tmp_path / "v.img"
    path.touch()
    code = (
        "import sys; from pyfatfs.PyFat import PyFat; "
        "PyFat().mkfs(sys.argv[1], 16, size=16 << 20, label='BOOTDISK', volume_id=1)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert codes(path) == ["w fat-geometry"]


def test_a_table_behind_a_form_of_a_boot_sector_is_a_table(tmp_path):
    """BIOSes that boot USB sticks want to see a BPB in sector 0; it is no volume."""
    disk = foreign.sfdisk(tmp_path / "disk.img", "label: dos\n1M 1M 83 *\n")
    form = foreign.mkfs(tmp_path / "v.img", 16, 16 << 10).read_bytes()[:90]
    with open(disk, "r+b") as file:
        file.write(form)
    assert verify_image(disk) == []


def test_a_volume_with_a_table_in_it_is_both(tmp_path):
    volume = foreign.filled(tmp_path / "v.img", 16)
    with open(volume, "r+b") as file:
        file.seek(446)
        # Entry 1: type 0xDA, sectors 1 to 15,999: it overlaps the volume, and nobody minds.
        file.write(bytes([0, 0, 0, 0, 0xDA, 0, 0, 0]) + (1).to_bytes(4, "little")
                   + (15_999).to_bytes(4, "little"))
    assert verify_image(volume) == []
