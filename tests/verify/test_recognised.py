"""What a first sector means to be: FAT, a table, both or neither; the task agrees."""

import struct
from pathlib import Path

import foreign
import pytest
from foreign import MIB
from layouts.drawing import draw
from layouts.good import BARE, FILES, GPTS, MBRS, SECTORS_OF_4096, SIZES, TYPICAL, Good
from tools import run, tool

from doit_diskimg import verify_image
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.verify import boot_sector, mbr_reader
from doit_diskimg.verify.judge import Known, inspect
from doit_diskimg.verify.source import Source

LAYOUTS = [*TYPICAL, *SIZES, *MBRS, *GPTS, *SECTORS_OF_4096, *BARE]
UNKNOWN = (
    "warning unknown 0x0..0x{:x}: neither a partition table nor a FAT volume is there: "
    "nothing was checked"
)
NONE = "warning part-none: the table has no partitions"


def known(disk, layout):
    """Return the volumes that the description has, as the task passes them."""
    return [
        Known(part.name, *layout.extent(part.name))
        for part in disk.partitions
        if isinstance(part.payload, Fat)
    ]


@pytest.mark.parametrize("case", LAYOUTS, ids=lambda case: case.name)
def test_the_command_and_the_task_find_the_same_in_every_layout(tmp_path: Path, case: Good):
    """What is right is right for both, whether the description is known or not."""
    image = tmp_path / "os.img"
    layout = draw(case.disk, FILES, image)
    by_command = verify_image(image)
    with Source(image) as source:
        report = inspect(source, known=known(case.disk, layout))
    assert list(map(str, report.findings())) == list(map(str, by_command))
    assert [str(one) for one in by_command if one.is_error] == []
    read = {one.start for one in report.volumes if one.volume}
    assert {one.start for one in known(case.disk, layout)} <= read


# Tables ------------------------------------------------------------------------------------------


def entry(disk, number, *, type_=0, first=0, sectors=0, indicator=0):
    """Write an entry of the MBR, its addresses by cylinder left as they are."""
    with open(disk, "r+b") as file:
        file.seek(446 + 16 * (number - 1))
        old = file.read(16)
        file.seek(-16, 1)
        file.write(bytes([indicator]) + old[1:4] + bytes([type_]) + old[5:8])
        file.write(struct.pack("<II", first, sectors))


def two_of_type_0(path):
    """sfdisk writes three partitions; then two of them lose their type and keep their places."""
    foreign.sfdisk(path, "label: dos\n1M 1M 83\n2M 1M 83\n3M 1M 83\n")
    entry(path, 2, first=4096, sectors=2048)
    entry(path, 3, first=6144, sectors=2048)


def type_0_only(path):
    foreign.sfdisk(path, "label: dos\n1M 1M 83\n")
    entry(path, 1, first=2048, sectors=2048)


def unused(number, first):
    at = 446 + 16 * (number - 1)
    return (
        f"warning mbr-unused {at:#x}..{at + 16:#x}: partition {number}: "
        f"its type is 0, it begins in sector {first} and has 2048"
    )


TABLES = {
    "two entries of type 0 beside a used one": (
        two_of_type_0, [unused(2, 4096), unused(3, 6144)]
    ),
    "entries of type 0 only": (type_0_only, [unused(1, 2048), NONE]),
    "an MBR without partitions": (lambda path: foreign.sfdisk(path, "label: dos\n"), [NONE]),
    "a GPT without partitions": (lambda path: foreign.sfdisk(path, "label: gpt\n"), [NONE]),
    "zeros": (lambda path: path.write_bytes(bytes(MIB)), [UNKNOWN.format(512)]),
    "nothing": (lambda path: path.write_bytes(b""), [UNKNOWN.format(0)]),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_a_table(tmp_path, name):
    make, expected = TABLES[name]
    disk = tmp_path / "disk.img"
    make(disk)
    assert list(map(str, verify_image(disk))) == expected


@pytest.mark.parametrize(("sectors", "size"), [(2047, 4096), (2048, 4096), (2049, 512)])
def test_sectors_of_4096_are_told_by_a_chain_that_is_on_the_disk(tmp_path, sectors, size):
    """To its last sector and no further."""
    disk = bytearray(4096 * 4096)
    for at, type_ in ((0, 0x05), (2048 * 4096, 0x83)):
        disk[at + 446 : at + 462] = struct.pack("<B3xB3xII", 0, type_, 2048, sectors)
        disk[at + 510 : at + 512] = b"\x55\xaa"
    (tmp_path / "disk.img").write_bytes(disk)
    with Source(tmp_path / "disk.img") as source:
        assert mbr_reader.sector_size(source) == size


# FAT or not --------------------------------------------------------------------------------------


def marked(count):
    """Return a sector of mkfs.fat's with ``count`` of the nine marks left, by taking some away."""

    def make(folder):
        data = bytearray(foreign.mkfs(folder / "v.img", 12, 1 << 10, "-s", "1").read_bytes())
        for at, bad in ((11, 1), (13, 3), (16, 9), (21, 0), (54, 0))[: 9 - count]:
            data[at] = bad
        assert boot_sector.marks(bytes(data[:512])) == count
        return bytes(data)

    return make


def test_a_fat32_has_every_mark(tmp_path):
    """The length of its FAT lies in a field of its own, which holds less than 2**24."""
    data = bytearray(foreign.mkfs(tmp_path / "v.img", 32, 64 << 10).read_bytes()[:512])
    assert boot_sector.marks(bytes(data)) == 9
    for length, count in (((1 << 24) - 1, 9), (1 << 24, 8), (1, 9), (0, 8)):
        data[36:40] = length.to_bytes(4, "little")
        assert boot_sector.marks(bytes(data)) == count


@pytest.mark.parametrize(("fat", "kib"), [(12, 1 << 10), (16, 16 << 10), (32, 64 << 10)])
def test_the_last_fields_are_those_of_mkfs(tmp_path, fat, kib):
    """BS_BootSig says which there are: 0x28 that the id is the last."""
    options = ["-i", "89ABCDEF", "-n", "SOME LABEL", "-h", "77"]
    data = bytearray(foreign.mkfs(tmp_path / "v.img", fat, kib, *options).read_bytes()[:512])
    last = boot_sector.decode(bytes(data))
    assert (last.volume_id, last.label, last.hidden) == (0x89ABCDEF, b"SOME LABEL ", 77)
    assert last.type_text == b"FAT%d   " % fat
    assert last.extended
    data[66 if fat == 32 else 38] = 0x28
    short = boot_sector.decode(bytes(data))
    assert (short.volume_id, short.label, short.type_text) == (0x89ABCDEF, None, b"")
    assert short.extended
    data[66 if fat == 32 else 38] = 0x27
    assert boot_sector.decode(bytes(data)).extended == (fat == 32)


def iso(folder):
    """xorriso's ISO with GRUB's code for hybrid disks in its first sectors, and a table."""
    tool("xorriso")
    (folder / "tree").mkdir()
    (folder / "tree/file").write_bytes(b"x" * 3000)
    code = Path("/usr/lib/grub/i386-pc/boot_hybrid.img")
    options = ["-G", code] if code.exists() else []
    run("xorriso", "-as", "mkisofs", "-quiet", "-r", *options, "-o", folder / "v.iso",
        folder / "tree")
    return (folder / "v.iso").read_bytes()


def ordinary(folder):
    """A text with four of the marks: what two to thirteen of a hundred files have."""
    data = b"#" + b" " * 4000  # sectors per cluster, reserved, sectors, length of the FAT
    assert boot_sector.marks(data[:512]) == 4
    return data


NOT_FAT = "warning part-not-fat 0x100000..0x100200: partition 1 'p': no FAT volume is there, " \
    "its type is {}"
ESP, BASIC, LINUX = "ef00", "0700", "8300"
GUID = {ESP: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"}
CONTENTS = {
    # contents of the partition, its type, the codes that must be found
    "an ISO": (iso, BASIC, []),
    "a file with 4 marks": (ordinary, BASIC, []),
    "a file with 4 marks in an ESP": (ordinary, ESP, ["part-not-fat"]),
    "nothing": (lambda folder: b"", BASIC, []),
    "nothing in an ESP": (lambda folder: b"", ESP, ["part-not-fat"]),
    "a boot sector with 8 marks": (marked(8), BASIC, ["fat-sector-size"]),
    "a boot sector with 6 marks": (
        marked(6), BASIC, ["fat-sector-size", "fat-cluster-size", "fat-copies"]),
    "a boot sector with 6 marks, of Linux' type": (
        marked(6), LINUX, ["fat-sector-size", "fat-cluster-size", "fat-copies"]),
    "a boot sector with 5 marks": (marked(5), BASIC, []),
    "a boot sector with 5 marks in an ESP": (
        marked(5), ESP, ["fat-media", "fat-sector-size", "fat-cluster-size", "fat-copies"]),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_sector_is_fat_if_it_means_to_be(tmp_path, name):
    make, type_, codes = CONTENTS[name]
    contents = make(tmp_path)
    disk = foreign.sgdisk(
        tmp_path / "disk.img", "-n1:2048:8191", f"-t1:{type_}", "-c1:p"
    )
    with open(disk, "r+b") as file:
        file.seek(MIB)
        file.write(contents)
    found = [one for one in verify_image(disk) if one.code not in ("fat-hidden", "part-type-fat")]
    assert [one.code for one in found] == codes
    if codes == ["part-not-fat"]:
        assert str(found[0]) == NOT_FAT.format(GUID[type_])


@pytest.mark.parametrize("type_", ["esp", "basic-data", "linux-filesystem"])
def test_what_the_description_calls_fat_is_held_to_it(tmp_path, type_):
    """Whatever is left of its boot sector."""
    disk = Disk("os.img", size="8MiB", table=Gpt(), partitions=[
        Partition("a", Fat({"A.TXT": b"a"}), size="4MiB", type=type_)])
    image = tmp_path / "os.img"
    layout = draw(disk, {}, image)
    with open(image, "r+b") as file:
        file.seek(MIB)
        file.write(bytes(512))
    with Source(image) as source:
        report = inspect(source, known=known(disk, layout))
    assert "fat-signature" in {one.code for one in report.findings()}


def test_ordinary_files_do_not_mean_to_be_fat():
    """Every file below 1 MiB that this Python came with; /usr of a Debian had none of 118,499."""
    top = Path(struct.__file__).parent
    files = [path for path in top.rglob("*") if path.is_file() and path.stat().st_size < MIB]
    assert len(files) > 1000
    means = []
    for path in files:
        with open(path, "rb") as file:
            if boot_sector.means_fat(file.read(512)):
                means.append(path)
    assert means == []
