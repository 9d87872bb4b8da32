"""`Esp` takes every option of `Fat` and of `Partition`."""

import inspect
from dataclasses import fields

import pytest

from doit_diskimg import Disk, Esp, Fat, Gpt, Partition
from doit_diskimg.disk import check
from doit_diskimg.kinds.filesystems.esp import EspOptions

OWN = {"files", "name"}
"""Parameters of its own that are fields as well."""

OTHERWISE = {"payload", "type"}
"""What makes it an `Esp`."""


def names(cls):
    return {field.name for field in fields(cls)}


def test_no_field_is_forgotten():
    both = names(Fat) & names(Partition)
    assert both == {"size", "attributes"}, "size is the partition's"
    expected = (names(Fat) | names(Partition) | {"partition_attributes"}) - OWN - OTHERWISE
    assert set(EspOptions.__annotations__) == expected
    assert set(inspect.signature(Esp).parameters) == {*OWN, "firmware", "options"}


def test_the_options_are_of_the_same_types():
    types = {**Fat.__annotations__, **Partition.__annotations__}
    types["partition_attributes"] = types["attributes"]
    types["attributes"] = Fat.__annotations__["attributes"]

    def plain(annotation):
        return str(getattr(annotation, "__forward_arg__", annotation)).strip("'\"")

    assert {name: plain(one) for name, one in EspOptions.__annotations__.items()} == {
        name: plain(types[name]) for name in EspOptions.__annotations__
    }


@pytest.mark.parametrize("size", [None, "auto", "64MiB"])
def test_each_option_arrives(size):
    given = {
        "start": "2MiB", "align": "2MiB", "guid": "g", "partition_name": "EFI", "active": True,
        "partition_attributes": ["required"], "logical": False, "in_table": True, "persist": True,
        "attributes": {"a": "h"}, "label": "BOOT", "times": "source", "first": ["a"],
        "minimum": "200MiB", "free": 0, "engine": "mtools", "prefer": 16, "size": size,
    }
    made = Esp({"a": b""}, name="boot", **given)
    assert made == Partition(
        "boot",
        Fat({"a": b""}, attributes={"a": "h"}, label="BOOT", times="source", first=["a"],
            minimum="200MiB", free=0, engine="mtools", prefer=16),
        type="esp", start="2MiB", size=size, align="2MiB", guid="g", partition_name="EFI",
        attributes=["required"], active=True, logical=False, in_table=True, persist=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "fat", "prefer"),
    [
        ({}, 32, None), ({"size": "auto"}, 32, None), ({"size": "5MiB"}, None, 32),
        ({"cluster_size": 4096}, None, 32), ({"fat": 16}, 16, None), ({"prefer": 12}, None, 12),
    ],
)
def test_fat32_wherever_it_fits(options, fat, prefer):
    payload = Esp({}, **options).payload
    assert (payload.fat, payload.prefer) == (fat, prefer)


def test_what_is_no_field_is_one_line():
    disk = Disk("os.img", size="64MiB", table=Gpt(), partitions=[Esp({}, labl="BOOT")])
    (problem,) = check.problems(disk)
    assert str(problem).startswith("partitions[0].labl: no such field, Fat has files, fat, ")
    assert problem.change == "did you mean label"
