"""Clusters: reproducible, and still when a file changes its size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.kinds.filesystems.fat.allocate import ClusterNeeds, allocate, slot
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.ondisk.fat_entries import ClusterRun
from doit_diskimg.units import MIB, ceil_div


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


def needs(low, directories, files):
    """Read ``a:5 b:17``; ``d:2:3`` is a directory's, with gaps."""
    parts = [[word.split(":") for word in text.split()] for text in (low, directories, files)]
    tight, roomy = ({path: int(lengths[end]) for path, *lengths in parts[1]} for end in (0, -1))
    files = {path: int(length) for path, length in (*parts[0], *parts[2])}
    return ClusterNeeds([path for path, _ in parts[0]], tight, roomy, files)


@pytest.mark.parametrize(
    ("low", "directories", "files", "clusters", "expected"),
    [
        # What the user wants low lies at the beginning, in slots, 17 in one of 18.
        ("r:1 a:17 b:3", "", "", 99, {"r": (2, 1), "a": (3, 17), "b": (21, 3)}),
        # Exactly packed when the slots do not fit.
        ("r:1 a:17 b:3", "", "", 21, {"r": (2, 1), "a": (3, 17), "b": (20, 3)}),
        # An empty file takes none.
        ("", "", "a:0 b:1", 1, {"b": (2, 1)}),
    ],
)
def test_assign(low, directories, files, clusters, expected):
    assert allocate(needs(low, directories, files), clusters).runs == {
        path: ClusterRun(*run) for path, run in expected.items()
    }


@pytest.mark.parametrize(
    ("clusters", "roomy", "packed", "length"),
    [(1000, True, False, 30), (44, True, False, 30), (35, False, False, 20), (30, False, True, 20)],
)
def test_from_roomy_to_packed(clusters, roomy, packed, length):
    """A directory has gaps while there is room for them; in a full volume files lie packed."""
    found = allocate(needs("", "d:20:30", "f:7 g:3"), clusters)
    assert (found.roomy, found.packed, found.runs["d"].length) == (roomy, packed, length)


def test_too_much():
    with pytest.raises(OverflowError, match="do not fit into 34 clusters"):
        allocate(needs("", "", "a:17 b:18"), 34)


@given(
    st.lists(st.integers(0, 300), max_size=20),
    st.lists(st.integers(0, 300), max_size=20),
    st.lists(st.integers(0, 300), max_size=3),
    st.integers(0, 400),
)
def test_no_two_share_a_cluster(directories, files, low, spare):
    first = {f"d{n}": count for n, count in enumerate(directories)}
    second = {f"f{n}": count for n, count in enumerate(files)}
    third = {f"l{n}": count for n, count in enumerate(low)}
    clusters = sum(directories) + sum(files) + sum(low) + spare
    runs = allocate(ClusterNeeds(list(third), first, first, second | third), clusters).runs
    assert {path: run.length for path, run in runs.items()} == {
        path: count for path, count in (first | second | third).items() if count
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
    "sys/h.ko": 1,
}
FILES = {"EFI/BOOT/BOOTX64.EFI": "kernel", "initrd": "initrd", "zero": b""}


def places(bench, fake, contents):
    """Return where each file of the host lies, and the picture."""
    from doit_diskimg.plan.content import Tree

    files = fake(contents)
    picture = bench.fill(Fat({**FILES, "sys": Tree("sys")}), 64 * MIB, files)
    return {piece.file: piece.start for piece in picture.pieces if piece.file}, picture


@pytest.mark.parametrize("size", [99 * CLUSTER + 1, 100 * CLUSTER, 100 * CLUSTER + 1,
                                  112 * CLUSTER, 96 * CLUSTER + 1])
def test_a_kernel_that_stays_in_its_slot_moves_nothing(bench, fake, size):
    before, picture = places(bench, fake, HOST)
    after, edited = places(bench, fake, {**HOST, "kernel": size})
    assert after == before
    # And of the metadata only the tables and the kernel's own directory differ.
    assert sectors(picture) == sectors(edited)


def sectors(picture):
    """Return the sectors with metadata; a table ends with its last entry in use."""
    return {
        number
        for piece in picture.pieces
        if not piece.file
        for number in range(piece.start // 512, ceil_div(piece.end, 512))
    }


def test_a_kernel_that_outgrows_its_slot_moves_no_other(bench, fake):
    before, _ = places(bench, fake, HOST)
    after, _ = places(bench, fake, {**HOST, "kernel": 145 * CLUSTER})
    assert {**after, "kernel": 0} == {**before, "kernel": 0}


@pytest.mark.parametrize("new", ["sys/f.ko", "sys/aa.ko"])
@pytest.mark.parametrize("size", [2, 100 * CLUSTER])
def test_a_new_file_moves_no_other(bench, fake, new, size):
    before, _ = places(bench, fake, HOST)
    after, _ = places(bench, fake, {**HOST, new: size})
    assert {name: after[name] for name in before} == before
