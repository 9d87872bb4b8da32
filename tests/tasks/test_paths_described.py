"""Every path of a description is one that a system has, and no folder is ever called ``~``.

And the other values that look right and are none: GUIDs that mean "none", a `Path` as a key.
"""

import os
from pathlib import Path

import pytest
from doit.exceptions import InvalidTask

from doit_diskimg import (
    BootCode,
    Compressed,
    Disk,
    DiskImage,
    Ext,
    Fat,
    FatImage,
    File,
    Gpt,
    Iso,
    Partition,
    Segment,
    Sha256,
    Tree,
    Zero,
)

NIL = "00000000-0000-0000-0000-000000000000"


def disk(payload=None, image="os.img", *, part=(), **more):
    part = {"type": "linux-filesystem", "size": "1MiB", **dict(part)}
    parts = [Partition("p", payload or Zero(), **part)]
    return Disk(image, size="4MiB", table=Gpt(), partitions=parts, **more)


FIELDS = {
    "image": (lambda path: disk(image=path), "must be the path of the image's file"),
    "outputs[0].path": (
        lambda path: disk(outputs=[Iso(path)]), "must be that of a file"),
    "linked": (lambda path: disk().linked_task(path), "must be the path of the descriptor"),
    "base": (lambda path: DiskImage(base=path, image="os.img", partitions={1: Zero()}),
             "must be an existing disk image"),
    "partitions[0].payload": (lambda path: disk(File(path)), ""),
    "partitions[0].files['a']": (lambda path: disk(Fat({"a": path})), ""),
    "partitions[0].files['b']": (lambda path: disk(Ext({"b": path}), part={"size": "2MiB"}), ""),
    "partitions[0].files['']": (lambda path: disk(Fat({"": Tree(path)})), ""),
    "partitions[0].path": (lambda path: disk(FatImage(path, {})), ""),
    "segments[0].source": (lambda path: disk(segments=[Segment("s", path, "3MiB")]), ""),
    "boot.source": (lambda path: disk(boot=BootCode(path)), ""),
    "outputs[0].of": (lambda path: disk(outputs=[Sha256("sums", of=[path])]), ""),
    "outputs[0].files['f']": (lambda path: disk(outputs=[Iso("a.iso", files={"f": path})]), ""),
}  # fmt: skip
"""Each place of a path, with what must be there."""

PATHS = {
    "NUL": ("a\0b", r"'a\x00b' is not a path"),
    "NUL behind ..": ("x/../a\0b", r"'x/../a\x00b' is not a path"),
    "half of a character": ("a\ud800", r"'a\ud800' is not a path"),
    "a home": ("~/a", "'~/a' begins with a home directory, a path is taken as it is "
               "(write os.path.expanduser('~/a'), or './~/a' for such a folder)"),
    "somebody's home": ("~root/a", "'~root/a' begins with a home directory, a path is taken as"),
    "a Path": (Path("~/a"), "'~/a' begins with a home directory, a path is taken as it is"),
}  # fmt: skip


def told(describe):
    """Return what doit is told; nothing was made."""
    with pytest.raises(InvalidTask) as caught:
        [*describe().tasks()]
    assert os.listdir() == []
    return str(caught.value)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("field", FIELDS)
def test_paths(field, path):
    describe, must = FIELDS[field]
    value, message = PATHS[path]
    said = told(lambda: describe(value))
    assert "\n" not in said
    if "home" in message or (field != "outputs[0].of" and not field.startswith("outputs[0].f")):
        assert f"{field}: {message}" in said
    assert must in said or "home" in message


WRONG = {
    "no image": (lambda: disk(image=""),
                 "image: '' is not a path, must be the path of the image's file (write for example "
                 '"build/os.img")'),
    "bytes": (lambda: disk(image=b"a"), "image: b'a' is not a path, must be the path "
                                        "of the image's"),
    "a folder": (lambda: disk(image="build/"), "build: image: 'build/' names a folder, must be"),
    "this folder": (lambda: disk(image="."), "image: '.' names a folder, must be the path of"),
    "the folder above": (lambda: disk(image="a/.."), "image: 'a/..' names a folder, must be the"),
    "an output that is none": (lambda: disk(outputs=[Compressed("")]),
                               "os.img: outputs[0].path: '' is not a path, must be that of a file"),
    "no disk GUID": (lambda: disk(guid=NIL),
                     f"os.img: guid: {NIL} is the GUID that means 'none', must be 8-4-4-4-12 "
                     "hexadecimal digits, not all zero (leave it out to have one derived)"),
    "no partition GUID": (lambda: disk(part={"guid": NIL}),
                          f"os.img: partitions[0].guid: {NIL} is the GUID that means 'none', must "
                          "be 8-4-4-4-12 hexadecimal digits, not all zero"),
    "no type": (lambda: disk(part={"type": NIL}),
                f"os.img: partitions[0].type: '{NIL}' marks an entry that is not used, must be a"),
    "a Path as a key": (lambda: disk(Fat({Path("a/b"): b"x"})),
                        "os.img: partitions[0].files[PosixPath('a/b')]: PosixPath('a/b') is not "
                        "text, a key is the path in the volume, as text (write 'a/b')"),
    "of Ext": (lambda: disk(Ext({Path("a/b"): b"x"}), part={"size": "2MiB"}), "(write 'a/b')"),
    "bytes as a key": (lambda: disk(Fat({b"a": b"x"})),
                       "b'a' is not text, a key is the path in the volume, as text (write for "
                       'example "a/b.bin")'),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_values_that_are_none(case):
    describe, message = WRONG[case]
    said = told(describe)
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize("image", ["~a", "a~/b.img", "./~/a.img", "x/~/a.img", "\xe4\u6f22.img"])
def test_paths_that_are_right(image):
    assert len([*disk(image=image).tasks()]) > 3
