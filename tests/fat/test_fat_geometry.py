"""The numbers of a volume: exact, of the type they say, and the ones that other programs expect."""

import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools import tool

from doit_diskimg.errors import DescriptionError
from doit_diskimg.kinds.filesystems.fat import geometry
from doit_diskimg.kinds.filesystems.fat.fat_type import LEAST, MOST, choose
from doit_diskimg.kinds.filesystems.fat.geometry import Options, least_length
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.units import GIB, KIB, MIB, TIB

CLUSTER_SIZES = [512 << n for n in range(7)]


def plan(length, fat=None, cluster_size=None, sector_size=512):
    options = Options(fat=fat, cluster_size=cluster_size)
    return choose(length, options, where="p", sector_size=sector_size)


def type_of(clusters):
    return 12 if clusters < 4085 else 16 if clusters < 65525 else 32


def check(found, length):
    """The rules that every volume obeys, each from the standard and not from our formulas."""
    sector, fat = found.sector_size, found.fat
    root = -(-found.root_entries * 32 // sector)
    start = found.reserved_sectors + found.number_of_fats * found.sectors_per_fat + root
    clusters = (found.total_sectors - start) // found.sectors_per_cluster
    assert (found.data_start, found.clusters) == (start * sector, clusters)
    assert clusters >= 1
    assert type_of(clusters) == fat
    assert found.total_sectors <= length // sector
    assert found.floppy or found.data_start % 4096 == 0
    assert 1 <= found.sectors_per_cluster <= 128
    assert found.sectors_per_fat < 0x10000 or fat == 32
    # Long enough; and a table of one sector less would not do for the clusters it would leave.
    assert (clusters + 2) * fat <= found.sectors_per_fat * sector * 8
    fewer = found.sectors_per_fat - 1
    room = found.total_sectors - found.reserved_sectors - root - found.number_of_fats * fewer
    assert (room // found.sectors_per_cluster + 2) * fat > fewer * sector * 8


# The type ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "fat", "cluster_size"),
    [
        (21 * KIB, 12, 512),
        (1 * MIB, 12, 512),
        (2 * MIB, 12, 512),
        (3 * MIB, 12, 1 * KIB),
        (4 * MIB, 12, 1 * KIB),
        (8400 * 512, 12, 2 * KIB),
        (8401 * 512, 16, 1 * KIB),
        (8 * MIB, 16, 1 * KIB),
        (9 * MIB, 16, 2 * KIB),
        (33 * MIB, 16, 2 * KIB),
        (128 * MIB, 16, 2 * KIB),
        (129 * MIB, 16, 4 * KIB),
        (257 * MIB, 16, 8 * KIB),
        (512 * MIB - 512, 16, 8 * KIB),
        (512 * MIB, 32, 4 * KIB),
        (8 * GIB, 32, 4 * KIB),
        (9 * GIB, 32, 8 * KIB),
        (16 * GIB, 32, 8 * KIB),
        (32 * GIB, 32, 16 * KIB),
        (33 * GIB, 32, 32 * KIB),
        (2 * TIB - 512, 32, 32 * KIB),
    ],
)
def test_chosen_by_size(size, fat, cluster_size):
    found = plan(size)
    assert (found.fat, found.cluster_size) == (fat, cluster_size)
    check(found, size)


@pytest.mark.parametrize(
    ("size", "fat", "cluster_size"),
    [
        (1440 * KIB, 12, 512),
        (127 * MIB, 12, 32 * KIB),
        (2880 * KIB, 16, 512),
        (64 * MIB, 16, 2 * KIB),
        (1 * GIB, 16, 32 * KIB),
        (33 * MIB, 32, 512),
        (100 * MIB, 32, 1 * KIB),
        (250 * MIB, 32, 2 * KIB),
        (300 * MIB, 32, 4 * KIB),
    ],
)
def test_cluster_size_follows_the_type(size, fat, cluster_size):
    found = plan(size, fat)
    assert (found.fat, found.cluster_size) == (fat, cluster_size)
    check(found, size)


def steps():
    """Every limit of the cluster-count rule for every cluster size, and a step to either side."""
    for cluster_size in CLUSTER_SIZES:
        for fat in (12, 16, 32):
            sample = plan_of(fat, cluster_size)
            for limit in {LEAST[fat], MOST[fat]} - {MOST[32]}:
                yield fat, cluster_size, limit, least_length(sample, limit)


def plan_of(fat, cluster_size):
    """Return some volume of the type."""
    clusters = {12: 100, 16: 10000, 32: 100000}[fat]
    return plan(clusters * cluster_size + 4 * MIB * (fat == 32) + 64 * KIB, fat, cluster_size)


@pytest.mark.parametrize(("fat", "cluster_size", "limit", "length"), list(steps()))
def test_limits_of_the_rule(fat, cluster_size, limit, length):
    exact = plan(length, fat, cluster_size)
    assert (exact.fat, exact.clusters) == (fat, limit)
    check(exact, length)
    if limit == LEAST[fat]:
        with pytest.raises(DescriptionError):  # one sector less is one cluster less
            plan(length - 512, fat, cluster_size)
        return
    longer = plan(length + cluster_size, fat, cluster_size)  # too short for the next type still
    assert longer.clusters == limit
    # Without a type asked for there is one for every length, on both sides of the limit.
    for sectors in (*range(-20, 20), 200, 500, 600, 1000, 2000):
        found = plan(length + sectors * 512, None, cluster_size)
        check(found, length + sectors * 512)


@pytest.mark.parametrize(("fat", "cluster_size", "limit", "length"), list(steps()))
def test_limits_of_the_rule_judged(bench, fake, fat, cluster_size, limit, length):
    """A volume filled to its last cluster, by a file of zeros that takes no room on the host."""
    for size in (length, length + 512, length + cluster_size):
        if size > 4 * GIB:
            continue
        found = plan(size, fat, cluster_size)
        clusters = found.clusters - (fat == 32)
        files = fake({"zeros": clusters * cluster_size})
        description = Fat({"ZEROS": "zeros"}, fat=fat, cluster_size=cluster_size)
        path = bench.make(description, size, files)
        assert bench.fsck(path) == f"1 files, {found.clusters}/{found.clusters} clusters"
        # Not minfo: at some of these sizes it fails an assertion, on mkfs.fat's volumes too.
        assert bench.mtools("mdir", "-b", "-i", path, "::").strip() == "::/ZEROS"


@pytest.mark.parametrize("fat", [12, 16, 32])
def test_sector_by_sector_around_the_limits(fat):
    """With 512-byte clusters each sector counts."""
    for limit in {LEAST[fat], MOST[fat]} - {MOST[32], LEAST[12]}:
        centre = least_length(plan_of(fat, 512), limit) // 512
        counts = []
        for sectors in range(centre - 80, centre + 80):
            found = plan(sectors * 512, None, 512)
            check(found, sectors * 512)
            counts.append(found.clusters)
        # A longer volume may have to take a sector more of tables, but never loses its type.
        assert [type_of(count) for count in counts] == sorted(map(type_of, counts))


@pytest.mark.parametrize("fat", [12, 16, 32])
@pytest.mark.parametrize("per_cluster", [1, 2, 8, 64])
def test_tables_are_as_short_as_a_search_finds(fat, per_cluster):
    """One size in about 3,000 needs the formula's second step, so no size is left out."""
    for sectors in range(3000, 3000 + 4200):
        blank = geometry._blank(fat, per_cluster, sectors, 512, Options())
        room = sectors - blank.reserved_sectors - blank.root_entries * 32 // 512
        length = 1
        while ((room - 2 * length) // per_cluster + 2) * fat > length * 512 * 8:
            length += 1
        assert geometry._sectors_per_fat(blank) == length


@settings(max_examples=400, deadline=None)
@given(
    sectors=st.one_of(
        st.integers(41, 20000), st.integers(41, 1 << 22), st.integers(41, (1 << 31) - (1 << 20))
    ),
    sector_size=st.sampled_from([512, 1024, 2048, 4096]),
)
def test_any_size_has_a_volume(sectors, sector_size):
    check(plan(sectors * sector_size, sector_size=sector_size), sectors * sector_size)


@settings(max_examples=300, deadline=None)
@given(
    clusters=st.integers(1, 70000),
    fat=st.sampled_from([12, 16, 32]),
    cluster_size=st.sampled_from(CLUSTER_SIZES),
)
def test_least_length_is_the_least(clusters, fat, cluster_size):
    """One sector less leaves one cluster less."""
    clusters = min(max(clusters, LEAST[fat]), MOST[fat])
    length = least_length(plan_of(fat, cluster_size), clusters)
    if length // 512 in geometry._FLOPPIES or (length - 512) // 512 in geometry._FLOPPIES:
        return
    assert plan(length, fat, cluster_size).clusters == clusters
    if clusters > LEAST[fat]:
        assert plan(length - 512, fat, cluster_size).clusters == clusters - 1


@pytest.mark.parametrize("sector_size", [1024, 2048, 4096])
def test_longer_sectors(sector_size):
    for size in (1 * MIB, 20 * MIB, 100 * MIB, 600 * MIB, 4 * GIB):
        found = plan(size, sector_size=sector_size)
        assert found.cluster_size >= sector_size
        assert geometry._step(found) == 4096 // sector_size
        check(found, size)


# Diskettes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maker", "kib"),
    [
        *[("mformat -f {kib} -i {path} ::", kib) for kib in (360, 720, 1200, 1440, 2880)],
        # It gives the largest 224 root entries, where DOS and mtools have 240.
        *[("mkfs.fat --invariant {path}", kib) for kib in (360, 720, 1200, 1440)],
    ],
)
def test_diskettes_are_those_of_others(bench, tmp_path, maker, kib):
    theirs = tmp_path / "theirs"
    with open(theirs, "xb") as file:
        file.truncate(kib * KIB)
    program, *arguments = maker.format(kib=kib, path=theirs).split()
    subprocess.run([tool(program), *arguments], check=True, capture_output=True)
    ours = bench.make(Fat(), kib * KIB)
    layout = "<HBHBHHBHHHIIB"  # BPB_BytsPerSec to BPB_TotSec32, BS_DrvNum
    expected = struct.unpack_from(layout, theirs.read_bytes(), 11)
    assert struct.unpack_from(layout, ours.read_bytes(), 11) == expected
    found = plan(kib * KIB)
    assert (found.reserved_sectors, found.floppy) == (1, True)


def test_a_diskette_in_a_partition_is_no_diskette_drive(bench):
    for bare, number in ((True, 0x00), (False, 0x80)):
        path = bench.image(bench.fill(Fat(), 1440 * KIB, bare=bare), 1440 * KIB)
        assert path.read_bytes()[36] == number  # BS_DrvNum


# Refusals ----------------------------------------------------------------------------------------

REFUSALS = [
    (
        (16 * MIB, 32, None),
        "p.fat: 16 MiB has 32,232 clusters of 512 B, FAT32 has at least 65,525 "
        "(drop fat=32, or make it at least 33MiB)",
    ),
    (
        (33 * MIB, 32, 4 * KIB),
        "p.fat: 33 MiB has 8,427 clusters of 4 KiB, FAT32 has at least 65,525 "
        "(drop fat=32, or make it at least 257MiB, or change cluster_size)",
    ),
    (
        (2 * MIB, 16, None),
        "p.fat: 2 MiB has 4,024 clusters of 512 B, FAT16 has at least 4,085 "
        "(drop fat=16, or make it at least 2079KiB)",
    ),
    (
        (200 * MIB, 12, None),
        "p.fat: 200 MiB has 6,398 clusters of 32 KiB, FAT12 has at most 4,084 "
        "(drop fat=12, or make it at most 127MiB)",
    ),
    (
        (4 * GIB, 16, None),
        "p.fat: 4 GiB has 131,055 clusters of 32 KiB, FAT16 has at most 65,524 "
        "(drop fat=16, or make it at most 2047MiB)",
    ),
    (
        (8 * KIB, None, None),
        "p.size: 8 KiB has no room for a cluster, it must be at least 21KiB "
        "(make the volume larger)",
    ),
    (
        (8 * KIB, 16, None),
        "p.fat: 8 KiB has 0 clusters of 512 B, FAT16 has at least 4,085 "
        "(drop fat=16, or make it at least 2079KiB)",
    ),
    (
        (2 * TIB, None, None),
        "p.size: 2 TiB is 4,294,967,296 sectors, FAT counts at most 4,294,967,295 "
        "(make the volume smaller than 2TiB)",
    ),
    (
        (1 * TIB, None, 512),
        "p.cluster_size: 1 TiB has 2,114,445,400 clusters of 512 B, FAT32 has at most 268,435,444 "
        "(make cluster_size larger, or leave it out)",
    ),
    (
        (9 * TIB, None, None, 4096),
        "p.size: 9 TiB has 301,916,173 clusters of 32 KiB, FAT32 has at most 268,435,444 "
        "(make the volume smaller)",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSALS)
def test_refusals(arguments, message):
    with pytest.raises(DescriptionError) as caught:
        plan(*arguments)
    assert str(caught.value) == message


def test_the_longest_volume():
    """Of as many sectors as the boot sector can count; one more is refused above."""
    check(plan(2 * TIB - 512), 2 * TIB - 512)
    assert plan(2 * TIB - 512).total_sectors == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("text", "fat", "cluster_size"),
    [("33MiB", 32, None), ("257MiB", 32, 4 * KIB), ("2079KiB", 16, None), ("127MiB", 12, None),
     ("2047MiB", 16, None), ("21KiB", None, None)],
)
def test_remedies_work(text, fat, cluster_size):
    from doit_diskimg.units import parse_size

    check(plan(parse_size(text), fat, cluster_size), parse_size(text))
