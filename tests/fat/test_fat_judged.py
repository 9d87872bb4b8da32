"""Whole volumes, judged by other people's programs."""

import os
import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from doit_diskimg.kinds.filesystems.fat import names
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.plan.content import Tree
from doit_diskimg.units import GIB, KIB, MIB

VOLUMES = [
    (64 * KIB, 12, {}),
    (360 * KIB, 12, {}),
    (720 * KIB, 12, {}),
    (1200 * KIB, 12, {}),
    (1440 * KIB, 12, {}),
    (2880 * KIB, 12, {}),
    (4 * MIB, 12, {}),
    (5 * MIB, 16, {}),
    (16 * MIB, 16, {}),
    (32 * MIB - 512, 16, {}),  # 65,535 sectors, the most that BPB_TotSec16 counts
    (32 * MIB, 16, {}),
    (33 * MIB, 32, {"fat": 32}),
    (127 * MIB, 12, {"fat": 12}),
    (300 * MIB, 16, {}),
    (511 * MIB, 16, {}),
    (512 * MIB, 32, {}),
    (2 * GIB, 16, {"fat": 16}),
    (4 * GIB, 32, {}),
]
"""Size, the type that comes of it, and what the description says beside the size."""

HOST = {
    "build/boot.efi": random.Random(1).randbytes(20000),
    "build/kernel.elf": random.Random(2).randbytes(9999),
    "sysroot/modules/ext2.ko": b"ext2" * 700,
    "sysroot/modules/net/virtio-network-device.ko": b"net",
    "sysroot/readme": b"",
}
FILES = {
    "/EFI/BOOT/BOOTX64.EFI": "build/boot.efi",
    "kernel.elf": "build/kernel.elf",
    "boot.cfg": b"timeout=0\n",
    "Grüße aus Köln, 文書.txt": b"text",
    "sys": Tree("sysroot"),
    "EFI/": Tree("sysroot/modules"),
    "empty": b"",
}
EXPECTED = {
    "EFI/": b"",
    "EFI/BOOT/": b"",
    "EFI/BOOT/BOOTX64.EFI": HOST["build/boot.efi"],
    "EFI/ext2.ko": HOST["sysroot/modules/ext2.ko"],
    "EFI/net/": b"",
    "EFI/net/virtio-network-device.ko": b"net",
    "Grüße aus Köln, 文書.txt": b"text",
    "boot.cfg": b"timeout=0\n",
    "empty": b"",
    "kernel.elf": HOST["build/kernel.elf"],
    "sys/": b"",
    "sys/bare/": b"",
    "sys/modules/": b"",
    "sys/modules/ext2.ko": HOST["sysroot/modules/ext2.ko"],
    "sys/modules/net/": b"",
    "sys/modules/net/virtio-network-device.ko": b"net",
    "sys/readme": b"",
}


@pytest.mark.parametrize(("size", "fat", "options"), VOLUMES)
def test_volume(bench, fake, size, fat, options):
    files = fake(HOST, empty=["sysroot/bare"])
    description = Fat(FILES, label="EFI SYSTEM", volume_id="1234-ABCD", **options)
    path = bench.make(description, size, files)
    expected = EXPECTED if size > 64 * KIB else None
    summary = bench.judge(path, EXPECTED)
    assert expected is None or summary.startswith("18 files, ")
    assert f'disk type="FAT{fat}   "' in bench.mtools("minfo", "-i", path, "::")
    assert "Volume label is EFI SYSTEM" in bench.mtools("mlabel", "-s", "-i", path, "::")
    listing = bench.mtools("mdir", "-i", path, "::")
    assert "Volume Serial Number is 1234-ABCD" in listing
    assert "2023-11-14  22:13" in listing


@pytest.mark.parametrize("fat", [12, 16, 32])
def test_inside_a_disk(bench, fake, fat):
    size, start = 64 * MIB, 1 * MIB
    files = fake(HOST, empty=["sysroot/bare"])
    picture = bench.fill(Fat(FILES, fat=fat), size, files, start=start, bare=False)
    assert picture.pieces[0].start == start
    path = bench.image(picture, start + size, files)
    with open(path, "rb") as disk:
        disk.seek(start + 28)
        assert int.from_bytes(disk.read(4), "little") == start // 512  # BPB_HiddSec
    assert bench.mtools_read(path, start) == EXPECTED


def test_empty_volume(bench):
    for size in (64 * KIB, 1440 * KIB, 16 * MIB, 512 * MIB):
        assert bench.judge(bench.make(Fat(), size), {}).startswith(("0 files", "1 files"))


def test_volume_shorter_than_its_place(bench):
    path = bench.make(Fat({"a": b"b"}, size="4MiB"), 16 * MIB)
    with open(path, "r+b") as file:
        file.truncate(4 * MIB)
    bench.judge(path, {"a": b"b"})


@pytest.mark.parametrize("fat", [16, 32])
def test_directories_of_several_spellings(bench, fake, fat):
    """Their children are found below the first spelling, also by "..", which was wrong once."""
    files = {"EFI/a/1": b"1", "efi/A/b/2": b"2", "Efi/A/B/c/3": b"3", "EFI/X": Tree("t")}
    path = bench.make(Fat(files, fat=fat), 64 * MIB, fake({"t/y/z": b"z"}))
    expected = {"EFI/a/1": b"1", "EFI/a/B/2": b"2", "EFI/a/B/c/3": b"3", "EFI/X/y/z": b"z"}
    folders = dict.fromkeys(["EFI/", "EFI/a/", "EFI/a/B/", "EFI/a/B/c/", "EFI/X/", "EFI/X/y/"], b"")
    bench.judge(path, {**expected, **folders})


def test_cluster_numbers_of_more_than_16_bits(bench, fake):
    zeros = 36 * MIB
    files = fake({"large": zeros, "small": b"small"})
    path = bench.make(Fat({"L": "large", "d/S": "small", "T": b"t"}, fat=32), 64 * MIB, files)
    expected = {"L": bytes(zeros), "d/": b"", "d/S": b"small", "T": b"t"}
    bench.judge(path, expected)


def test_the_smallest_volume(bench):
    path = bench.make(Fat({"a": bytes(1024)}), 21 * KIB)
    assert bench.judge(path, {"a": bytes(1024)}) == "1 files, 2/2 clusters"


def test_many_entries_in_one_directory(bench, fake):
    contents = {f"t/a long file name {n:04}.bin": b"%d" % n for n in range(1000)}
    expected = {**contents, "t/": b""}
    path = bench.make(Fat({"t": Tree("t")}), 64 * MIB, fake(contents))
    bench.judge(path, expected)


def test_root_directory_of_many_clusters(bench, fake):
    contents = {f"t/{n:04}": b"" for n in range(2000)}
    path = bench.make(Fat({"/": Tree("t")}, fat=32, label="X"), 64 * MIB, fake(contents))
    bench.judge(path, {f"{n:04}": b"" for n in range(2000)})


def test_inline_bytes_and_files_lie_where_their_pieces_say(bench, fake):
    files = fake({"h": b"host" * 3000})
    picture = bench.fill(Fat({"a": "h", "b": b"inline" * 1000}), 16 * MIB, files)
    [host] = [piece for piece in picture.pieces if piece.file == "h"]
    assert (host.offset, host.length) == (0, 12000)
    inline = [piece for piece in picture.pieces if piece.file == "" and piece.digest]
    assert [piece.length for piece in inline] == [6000]


# Trees by chance ---------------------------------------------------------------------------------

CLUSTER = 512
SIZES = st.sampled_from([0, 1, CLUSTER - 1, CLUSTER, CLUSTER + 1, 3 * CLUSTER, 40 * CLUSTER + 7])
LETTERS = st.one_of(
    st.sampled_from("aAbB~1._ -+[];=,'éÉßſıǅ文💾𐐨𐐀"),
    st.characters(exclude_categories=["Cs", "Cc"]),
)
NAMES = st.one_of(
    st.text(LETTERS, min_size=1, max_size=30),
    st.text("ab", min_size=1, max_size=3),
    st.from_regex(r"\A[A-Za-z]{1,8}(\.[A-Za-z]{1,3})?\Z"),
    st.builds("longfilename{}.bin".format, st.integers(0, 30)),
    st.integers(240, 255).map(lambda n: "x" * n),
).filter(lambda name: names.fault(name) is None)
TREES = st.recursive(
    SIZES, lambda children: st.dictionaries(NAMES, children, max_size=12), max_leaves=40
).filter(lambda tree: isinstance(tree, dict))


def _flat(tree, path=""):
    """Return the tree's files and directories, without those that FAT takes for another's."""
    flat, seen = {}, set()
    for name, child in tree.items():
        # Stricter than fold(): mtools compares by the host's tables.
        if {name.lower(), name.upper(), name.casefold()} & seen:
            continue
        seen |= {name.lower(), name.upper(), name.casefold()}
        if isinstance(child, dict):
            flat |= {f"{path}{name}/": b"", **_flat(child, f"{path}{name}/")}
        else:
            flat[f"{path}{name}"] = (name.encode() + bytes(range(256)) * 99)[:child]
    return flat


@settings(
    max_examples=int(os.environ.get("TREES", "40")), deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(tree=TREES, fat=st.sampled_from([12, 16, 32]))
def test_trees(bench, fake, tree, fat):
    expected = _flat(tree)
    contents = {f"t/{path}": data for path, data in expected.items() if not path.endswith("/")}
    empty = [f"t/{path[:-1]}" for path in expected if path.endswith("/")]
    assume(contents or empty)
    description = Fat({"/": Tree("t")}, fat=fat, cluster_size=CLUSTER)
    size = {12: 2 * MIB, 16: 8 * MIB, 32: 34 * MIB}[fat]
    path = bench.make(description, size, fake(contents, empty=empty))
    # mcopy takes a name for a pattern, and characters that the host can't show for others.
    plain = all(path.isascii() and not set(path) & set("[]~") for path in expected)
    bench.judge(path, expected, mtools=plain)
