"""Long directories: in the order of names, with room between them, so that a new name moves few."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from doit_diskimg.kinds.filesystems.fat.entry_gaps import LEAST, with_gaps
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.plan.content import Tree
from doit_diskimg.units import MIB

SECTOR = 16


def lengths(names):
    return {name: 2 + len(name) % 3 for name in sorted(names)}


NAMES = st.sets(st.text("abcxyz012", min_size=1, max_size=8), max_size=120)


@given(st.integers(0, 70), NAMES)
def test_in_order_and_apart(before, names):
    """Names keep their order; what they take is at most half as much again, and two leaves."""
    taken = lengths(names)
    starts, length = with_gaps(before, taken)
    assert list(starts) == list(taken)
    end = before
    for name, start in starts.items():
        assert start >= end
        end = start + taken[name]
    assert end <= length
    assert length % SECTOR == 0
    assert length <= 1.6 * (before + sum(taken.values())) + 8 * SECTOR


def sectors(names):
    """Return what each sector holds."""
    taken, found = lengths(names), {}
    for name, start in with_gaps(2, taken).starts.items():
        for entry in range(taken[name]):
            where = (start + entry) // SECTOR, (start + entry) % SECTOR
            found.setdefault(where[0], set()).add((name, entry, where[1]))
    return found


@pytest.mark.parametrize(("count", "mean"), [(100, 12), (1000, 60), (5000, 120)])
def test_a_new_name_changes_few_sectors(count, mean):
    """Half of all names change four sectors at most; of sorted entries it were half of all."""
    rnd = random.Random(count)
    names = {f"{rnd.randrange(10**6)}.dat" for _ in range(count)}
    before, found = sectors(names), []
    for _ in range(60):
        after = sectors(names | {f"{rnd.randrange(10**6)}.dat"})
        found.append(sum(before.get(n) != after.get(n) for n in {*before, *after}))
    assert sorted(found)[30] <= 4
    assert sum(found) / 60 <= mean


@pytest.mark.parametrize(
    ("fat", "root_entries", "count", "gaps"),
    [
        (16, 512, 20, False),   # no longer than a page
        (16, 512, 110, True),
        (16, 512, 370, False),  # no room for gaps in the root
        (32, None, 370, True),
    ],
)
def test_a_root(bench, fake, fat, root_entries, count, gaps):
    """Other people's tools read it; a deleted entry is what they take a gap for."""
    # Names of one entry and of two, which are stored in another order.
    contents = {f"t/{n:04}.{'TXT' if n % 3 else 'txt'}": b"%d" % n for n in range(count)}
    description = Fat({"/": Tree("t")}, fat=fat, root_entries=root_entries, label="X",
                      first=["0007.TXT"])  # fmt: skip
    path = bench.make(description, 34 * MIB if fat == 32 else 16 * MIB, fake(contents))
    bench.judge(path, {name[2:]: data for name, data in contents.items()})
    listed = bench.mtools("mdir", "-b", "-i", path, "::").split()
    expected = [f"::/{name[2:]}" for name in contents]
    assert listed == [expected[7], *expected[:7], *expected[8:]]
    assert (b"\xe5" + bytes(31) in path.read_bytes()) == gaps


def test_names_that_were_chosen_to_be_cut_one_by_one():
    """Each digest is greater than the one before it."""
    names, least = [], 0
    for number in range(400):
        tries = (f"{number:05}-{tail}" for tail in range(10**6))
        name = next(it for it in tries if least < xxh3_64_intdigest(it.encode())
                    < least + (1 << 64) // 400 + (1 << 40))  # fmt: skip
        least = xxh3_64_intdigest(name.encode())
        names.append(name)
    starts, _ = with_gaps(2, dict.fromkeys(names, 2))
    assert list(starts.values()) == sorted(starts.values())


def test_least():
    assert LEAST * 32 == 4096
