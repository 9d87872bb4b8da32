"""Whatever was described before: the image is that of a build from nothing.

Every layout that can be built and every option of a volume are described one after the other, in
an order of chance, for one image in one folder.  What a key of a task forgot shows here, since the
places of many of them are the same.  Now and then files are edited in the same breath, so that they
take as many clusters as before.  The chain builds them, and every tenth time doit does, in the same
history.  ``DESCRIPTIONS=1600`` is a long run.
"""

import contextlib
import hashlib
import io
import os
import random
from dataclasses import fields

import pytest
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from layouts.good import BARE, FILES, GPTS, MBRS, SECTORS_OF_4096, SIZES, TYPICAL

import doit_diskimg
from doit_diskimg import BootCode, Disk, Fat, File, Gpt, Mbr, Partition, Patch, Segment, Tree, at
from doit_diskimg.disk import model
from doit_diskimg.tasks.chain import shortcut

STEPS = int(os.environ.get("DESCRIPTIONS", "200"))
SEED = int(os.environ.get("SEED", "1"))

BOOT_SECTOR = bytes.fromhex("eb3c90") + bytes(59) + b"\xf4" * 100
BOOT_SECTOR_32 = bytes.fromhex("eb5890") + bytes(87) + b"\xf4" * 100
CODE = bytes(range(200)) + bytes(range(200))
SOURCES = {"kernel.elf": "spl.bin", "a lower name": "a.bin", "tree": Tree("tree")}
VOLUMES = {
    "plain": {},
    "FAT12": {"fat": 12},
    "FAT32": {"fat": 32},
    "preferred": {"prefer": 32},
    "large clusters": {"cluster_size": "8KiB"},
    "root entries": {"root_entries": 1024},
    "reserved sectors": {"reserved_sectors": 9},
    "stage 2 as bytes": {"reserved": {1: b"stage 2" * 100}},
    "stage 2 as a file": {"reserved": {1: "stage2.bin"}},
    "the same elsewhere": {"reserved": {3: "stage2.bin"}},
    "one table": {"number_of_fats": 1},
    "media": {"media": 0xF0},
    "hidden sectors": {"hidden_sectors": 7},
    "drive number": {"drive_number": 1},
    "OEM name": {"oem_name": "OWN"},
    "label": {"label": "LABEL"},
    "volume id": {"volume_id": "1234-ABCD"},
    "boot sector": {"boot_sector": BOOT_SECTOR},
    "boot sector of FAT32": {"boot_sector": BOOT_SECTOR_32, "fat": 32},
    "first": {"first": ["kernel.elf"]},
    "attributes": {"attributes": {"kernel.elf": "rhs"}},
    "times of the sources": {"times": "source"},
    "times that are clamped": {"times": "clamped"},
    "label in lower case": {"label": "label", "lower_case_label": True},
    "boot sector with a BPB": {"boot_sector": BOOT_SECTOR, "bpb": "replace"},
    "case bits": {"case_bits": True},
    "other files": {"files": {"kernel.elf": "spl.bin"}},
    "another source": {"files": {**SOURCES, "kernel.elf": "stage2.bin"}},
    "bytes": {"files": {**SOURCES, "kernel.elf": FILES["spl.bin"]}},
    "8.3": {"files": {"KERNEL.ELF": "spl.bin"}, "long_names": False},
    "two sources of one place": {"files": {**SOURCES, "tree": [
        Tree("tree", include="*.o"), Tree("tree", include="*.ko"),
    ]}},
    "another of the two": {"files": {**SOURCES, "tree": [
        Tree("tree", include="sub/*.o"), Tree("tree", include="*.ko"),
    ]}},
    "excluded": {"files": {**SOURCES, "tree": Tree("tree", exclude=["*.o"])}},
    "included": {"files": {**SOURCES, "tree": Tree("tree", include=["*.o"])}},
}
DISKS = {
    "": {},
    ", another disk GUID": {"guid": "01234567-89ab-cdef-0123-456789abcdef"},
    ", MBR": {"table": Mbr()},
    ", MBR with a signature": {"table": Mbr(), "signature": 0x12345678},
    ", sectors of 4096": {"table": Gpt(sector_size=4096)},
    ", hybrid": {"table": Gpt(hybrid=["v"])},
    ", hybrid, protective entry last": {"table": Gpt(hybrid=["v"], protective_number=4)},
    ", hybrid with a signature": {"table": Gpt(hybrid=["v"]), "signature": 7},
    ", active protective entry": {"table": Gpt(pmbr_boot=True)},
    ", MBR without a signature": {"table": Mbr(disk_signature=False)},
    ", without a backup": {"table": Gpt(backup=False)},
    ", a segment": {"segments": [Segment("s", "stage2.bin", "40KiB")]},
    ", another segment": {"segments": [Segment("s", "a.bin", "40KiB")]},
    ", a segment that keeps": {"segments": [Segment("s", "a.bin", "40KiB", keep=[(5, 9)])]},
    ", a segment without a start": {"segments": [Segment("s", "stage2.bin")]},
    ", two of them": {"segments": [Segment("s", "stage2.bin"), Segment("t", "a.bin")]},
    ", the other way round": {"segments": [Segment("t", "a.bin"), Segment("s", "stage2.bin")]},
    ", a segment with room": {
        "segments": [Segment("s", "stage2.bin", size="16KiB"), Segment("t", "a.bin")],
    },
    ", a range": {"segments": [Segment("s", "spl.bin", "40KiB", offset=1000, length=3000)]},
    ", another range": {"segments": [Segment("s", "spl.bin", "40KiB", offset=1024)]},
    ", a shorter range": {"segments": [Segment("s", "spl.bin", "40KiB", offset=1000, length=9)]},
    ", the place of a segment without a start": {
        "segments": [Segment("s", "stage2.bin"), Segment("t", "a.bin", size="6KiB")],
        "boot": BootCode(CODE, patches=[
            Patch(16, "<Q", at.start("t")), Patch(24, "<I", at.sectors("t")), Patch(28, "<I",
            at.crc32("t")),
        ]),
    },
    ", larger": {"size": "72MiB"},
    ", boot code": {"boot": BootCode(CODE)},
    ", other boot code": {"boot": BootCode(CODE[:200])},
    ", places": {"boot": BootCode(CODE, patches=[
        Patch(16, "<Q", at.lba("v")), Patch(24, "<I", at.file_sectors("v", "kernel.elf") + 1),
    ])},
    ", other places": {"boot": BootCode(CODE, patches=[
        Patch(16, "<Q", at.start("v")), Patch(24, "<I", at.file_lba("v", "tree/sub/b.ko")),
    ])},
    ", a checksum": {"boot": BootCode(CODE, patches=[Patch(16, "<I", at.crc32("v"))])},
    ", a checksum of a file": {
        "boot": BootCode(CODE, patches=[Patch(16, "<I", at.crc32("v", "kernel.elf"))]),
    },
    ", identities": {"boot": BootCode(CODE, patches=[
        Patch(16, "16s", at.partition_guid("v")), Patch(32, "16s", at.disk_guid()),
    ])},
    ", identities of another": {
        "guid": "01234567-89ab-cdef-0123-456789abcdef", "boot": BootCode(CODE, patches=[
            Patch(16, "16s", at.partition_guid("v")), Patch(32, "16s", at.disk_guid()),
        ]),
    },
    ", signature": {
        "table": Mbr(), "boot": BootCode(CODE, patches=[Patch(16, "<I", at.disk_signature())]),
    },
    ", another signature": {
        "table": Mbr(), "signature": 7,
        "boot": BootCode(CODE, patches=[Patch(16, "<I", at.disk_signature())]),
    },
    ", a patched segment": {
        "segments": [Segment("s", BootCode("stage2.bin", patches=[Patch(8, "<Q", at.lba("v"))]),
                             "40KiB")],
    },
    ", a checksum of a patched segment": {
        "segments": [Segment("s", BootCode("stage2.bin", patches=[Patch(8, "<Q", at.lba("v"))]),
                             "40KiB")],
        "boot": BootCode(CODE, patches=[Patch(16, "<I", at.crc32("s"))]),
    },
}


def volume(options, changes):
    values = {"size": "64MiB", "table": Gpt(), **changes}
    payload = Fat(**{"files": SOURCES, **options})
    return model.Disk("os.img", partitions=[Partition("v", payload, size="40MiB")], **values)


DESCRIPTIONS = {
    case.name: case.disk
    for case in [*TYPICAL, *SIZES, *MBRS, *GPTS, *SECTORS_OF_4096, *BARE]
    if "128 of them" not in case.name and "132 of them" not in case.name  # they take a second
}
DESCRIPTIONS |= {name: volume(options, {}) for name, options in VOLUMES.items()}
DESCRIPTIONS |= {f"volume{name}": volume({}, changes) for name, changes in DISKS.items()}


RANGES = {
    "": {}, " from an offset on": {"offset": 1000}, " of a length": {"offset": 1000, "length": 512},
    " in whole sectors": {"offset": 1024, "length": 20_000},
}
DESCRIPTIONS |= {
    f"a file{name}": model.Disk("os.img", size="8MiB", table=Mbr(), partitions=[
        Partition("v", File("spl.bin", **fields), size="64KiB", type=0xDA),
    ]) for name, fields in RANGES.items()
}


def build(folder, disk, step=0):
    if step % 10:
        with contextlib.chdir(folder):
            doit_diskimg.build(disk, shortcut=shortcut)
    else:
        build_by_doit(folder, disk)


def build_by_doit(folder, disk):
    out, err = io.StringIO(), io.StringIO()
    described = Disk(**{field.name: getattr(disk, field.name) for field in fields(disk)})
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        namespace = {"task_image": described.tasks}
        code = DoitMain(ModuleTaskLoader(namespace)).run([])
    assert code == 0, out.getvalue() + err.getvalue()


def digest(image):
    """Return a digest of the image; holes of terabytes are passed over, and so are zeros."""
    state = hashlib.sha256(str(image.stat().st_size).encode())
    with image.open("rb") as file, contextlib.suppress(OSError):
        end = 0
        while True:
            start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            for at in range(start - start % 4096, end, 4096):
                if any(block := os.pread(file.fileno(), 4096, at)):
                    state.update(b"%d:" % at + block)
    return state.hexdigest()


TREE = {"tree/a.o": b"o" * 700, "tree/sub/b.ko": b"k" * 3000, "tree/sub/c.o": b""}
EDITIONS = [
    {},
    {"spl.bin": FILES["spl.bin"][::-1], "a.bin": FILES["a.bin"][::-1]},
    {"tree/sub/b.ko": b"K" * 2900, "tree/a.o": b"O" * 701},
]


def fill(folder, edition):
    """Write the files of an edition; their time stamps tell nothing."""
    for name, data in {**FILES, **TREE, **EDITIONS[edition]}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
            os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


@pytest.mark.slow
def test_any_description_after_any(tmp_path):
    order = random.Random(SEED)
    project, clean = tmp_path / "project", {}
    before = "nothing"
    for step in range(STEPS):
        case = order.choice(sorted(DESCRIPTIONS)), order.choice([0, 0, *range(len(EDITIONS))])
        if case not in clean:
            folder = fill(tmp_path / f"clean-{step}", case[1])
            build(folder, DESCRIPTIONS[case[0]], step + 1)
            clean[case] = digest(folder / "os.img")
        build(fill(project, case[1]), DESCRIPTIONS[case[0]], step)
        assert digest(project / "os.img") == clean[case], f"{case!r} after {before!r}"
        before = case
