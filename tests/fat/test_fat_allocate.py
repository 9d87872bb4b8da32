"""Clusters: reproducible, and still when a file changes its size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.kinds.filesystems.fat.geometry import ClusterNeeds, Need, assign_clusters, slot
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.ondisk.fat_entries import ClusterRun
from doit_diskimg.units import MIB


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [(0, 0), (1, 1), (2, 2), (15, 15), (16, 16), (17, 18), (18, 18), (31, 32), (32, 32),
     (33, 36), (36, 36), (37, 40), (1000, 1024), (1024, 1024), (1025, 1152)],
)
def test_slot(clusters, expected):
    assert slot(clusters) == expected


@given(st.integers(1, 1 << 28))
def test_slot_is_small_and_steady(clusters):
    assert clusters <= slot(clusters) <= clusters + clusters // 8
    assert slot(slot(clusters)) == slot(clusters)


def needs(text):
    """Read ``a:5 b:17``."""
    pairs = [pair.split(":") for pair in text.split()]
    return [Need(path, int(clusters)) for path, clusters in pairs]


@pytest.mark.parametrize(
    ("directories", "files", "clusters", "expected"),
    [
        # Directories in path order, then the largest slot first, equal slots by path.
        ("d:1 e:1", "a:1 b:9 c:9", 99, {"d": (2, 1), "e": (3, 1), "b": (4, 9), "c": (13, 9),
                                        "a": (22, 1)}),
        # 17 and 18 have one slot, of 18: by path, and no slack for the second.
        ("", "a:17 b:18", 99, {"a": (2, 17), "b": (20, 18)}),
        # The same, exactly packed, when the slots do not fit.
        ("", "a:17 b:18", 35, {"a": (2, 17), "b": (19, 18)}),
        # An empty file takes none.
        ("", "a:0 b:1", 1, {"b": (2, 1)}),
        # Directories have slots too.
        ("d:17", "a:1", 99, {"d": (2, 17), "a": (20, 1)}),
    ],
)
def test_assign(directories, files, clusters, expected):
    runs = assign_clusters(ClusterNeeds([], needs(directories), needs(files)), clusters)
    assert runs == {path: ClusterRun(*run) for path, run in expected.items()}


def test_too_much():
    with pytest.raises(OverflowError):
        assign_clusters(ClusterNeeds([], [], needs("a:17 b:18")), 34)


@given(
    st.lists(st.integers(0, 300), max_size=20),
    st.lists(st.integers(0, 300), max_size=20),
    st.integers(0, 400),
)
def test_no_two_share_a_cluster(directories, files, spare):
    first = [Need(f"d{n}", count) for n, count in enumerate(directories)]
    second = [Need(f"f{n}", count) for n, count in enumerate(files)]
    clusters = sum(directories) + sum(files) + spare
    runs = assign_clusters(ClusterNeeds([], first, second), clusters)
    assert {path: run.length for path, run in runs.items()} == {
        path: count for path, count in first + second if count
    }
    taken = [n for run in runs.values() for n in range(run.first, run.end)]
    assert len(set(taken)) == len(taken)
    assert all(2 <= n < clusters + 2 for n in taken)


# What moves when a file changes ------------------------------------------------------------------

CLUSTER = 2048
HOST = {
    "kernel": 100 * CLUSTER - 5,
    "initrd": 300 * CLUSTER,
    "sys/a.ko": 3 * CLUSTER,
    "sys/b.ko": 40 * CLUSTER,
    "sys/c.ko": 1,
}
FILES = {"EFI/BOOT/BOOTX64.EFI": "kernel", "initrd": "initrd", "zero": b""}


def places(bench, fake, contents):
    """Return where each file of the host lies, and the picture."""
    from doit_diskimg.plan.content import Tree

    files = fake(contents)
    picture = bench.fill(Fat({**FILES, "sys": Tree("sys")}), 64 * MIB, files)
    return {piece.file: piece.start for piece in picture.pieces if piece.file}, picture


@pytest.mark.parametrize("size", [99 * CLUSTER + 1, 100 * CLUSTER, 100 * CLUSTER + 1,
                                  104 * CLUSTER, 96 * CLUSTER + 1])
def test_a_kernel_that_stays_in_its_slot_moves_nothing(bench, fake, size):
    before, picture = places(bench, fake, HOST)
    after, edited = places(bench, fake, {**HOST, "kernel": size})
    assert after == before
    # And of the metadata only the tables and the kernel's own directory differ.
    blob = [piece for piece in picture.pieces if not piece.file]
    assert [piece[:2] for piece in blob] == [piece[:2] for piece in edited.pieces if not piece.file]


def test_a_kernel_that_outgrows_its_slot_moves_only_smaller_ones(bench, fake):
    before, _ = places(bench, fake, HOST)
    after, _ = places(bench, fake, {**HOST, "kernel": 105 * CLUSTER})
    assert after["initrd"] == before["initrd"]
    assert after["kernel"] == before["kernel"]
    assert after["sys/b.ko"] == before["sys/b.ko"] + 8 * CLUSTER


def test_a_new_small_file_moves_no_larger_one(bench, fake):
    before, _ = places(bench, fake, HOST)
    after, _ = places(bench, fake, {**HOST, "sys/d.ko": 2})
    assert {name: after[name] for name in before} == before
