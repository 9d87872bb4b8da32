"""The record of a guest's bytes: it is that of the image at every moment, and safe on the disk."""

import json
import os
from pathlib import Path

import pytest

from doit_diskimg.extent import Extent
from doit_diskimg.host import kept
from doit_diskimg.host.state import StateFolder

GENERATION = "ab" * 16
PLACES = {"data": Extent(1 << 20, 2 << 20), "log": Extent(3 << 20, 1 << 20)}
MOVED = {"data": Extent(4 << 20, 2 << 20), "log": Extent(3 << 20, 1 << 20)}


@pytest.fixture
def state(here):
    """The state of an image that is there."""
    Path("os.img").write_bytes(b"old")
    state = StateFolder("os.img")
    state.make()
    return state


@pytest.fixture
def synced(monkeypatch):
    """The names of what reached the disk, in order."""
    names, real = [], os.fsync

    def fsync(handle):
        names.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return names


@pytest.mark.parametrize("places", [PLACES, {}, {**PLACES, "data": None}], ids=str)
def test_what_is_stored_comes_back(state, places):
    assert kept.recorded(state) is None
    kept.store(state, places)
    assert kept.recorded(state) == places


def test_what_is_stored_is_on_the_disk(state, synced):
    """The file, and the name that it was given; a record that stays was there before."""
    kept.store(state, PLACES)
    assert synced == ["kept.json", ".os.img"]
    kept.store(state, PLACES)
    assert synced == ["kept.json", ".os.img"]
    kept.store(state, MOVED)
    assert synced == ["kept.json", ".os.img"] * 2


@pytest.mark.parametrize("change", [
    {"format": 2}, {"parts": {"data": [1]}}, {"parts": ["data"]}, {"parts": None},
    {"next": {}}, {"next": 1},
], ids=str)
def test_what_is_no_record(state, change):
    kept.store(state, PLACES)
    path = Path(kept.path_of(state))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert kept.recorded(state) is None


def test_until_the_new_image_has_its_name_the_record_is_of_the_old(state):
    building = state.building(GENERATION)
    Path(building).write_bytes(b"new")
    kept.store(state, PLACES, kept.coming(state, GENERATION, MOVED))
    assert kept.recorded(state) == PLACES
    os.replace(building, "os.img")
    assert kept.recorded(state) == MOVED


def test_a_new_image_that_was_removed_leaves_nothing_known(state):
    """Neither of both is the image's then; unless both say the same."""
    building = state.building(GENERATION)
    Path(building).write_bytes(b"new")
    coming = kept.coming(state, GENERATION, MOVED)
    kept.store(state, MOVED, coming)
    os.unlink(building)
    assert kept.recorded(state) == MOVED
    kept.store(state, PLACES, coming)
    assert kept.recorded(state) is None
