"""`Ext` without a program: what is refused, and what is asked of the programs."""

import pytest
from fakes import FakeFiles

from doit_diskimg import DescriptionError, Ext, Tree
from doit_diskimg.disk.sockets import Payload, Place
from doit_diskimg.extent import Extent

MIB = 1 << 20
BAD = [
    ({"version": 5}, "p.version: 5 is given, "
     "must be 2, 3 or 4 (write one of these, or leave it out)"),
    ({"version": True}, "p.version: True is given, "
     "must be 2, 3 or 4 (write one of these, or leave it out)"),
    ({"inode_size": 64}, "p.inode_size: 64 is given, "
     "must be 128 or 256 (write one of these, or leave it "
     "out)"),
    ({"block_size": 512},
     "p.block_size: 512 is given, "
     "must be 1024, 2048 or 4096 (write one of these, or leave it out)"),
    ({"block_size": "1KB"}, "p: '1KB' has the unknown unit 'KB', size and block_size are bytes, or "
     'numbers with a unit (write for example size="64MiB")'),
    ({"label": "seventeen letters"},
     "p.label: 'seventeen letters' has 17 bytes, at most 16 fit (make it shorter)"),
    ({"label": "ünïcödé läbel"},
     "p.label: 'ünïcödé läbel' has 18 bytes, at most 16 fit (make it shorter)"),
    ({"label": "a\nb"}, r"p.label: 'a\nb', must be printable text (write another)"),
    ({"inodes": 3}, "p.inodes: 3 is given, "
     "must be a number from 16 on (leave it out to have it chosen)"),
    ({"features": "dir_index"}, "p.features: 'dir_index' is given, must be a list of names "
     'as mke2fs\'s -O takes them (write for example ["^dir_index"])'),
    ({"features": ["a,b -E x"]}, "p.features: ['a,b -E x'] is given, must be a list of names "
     'as mke2fs\'s -O takes them (write for example ["^dir_index"])'),
    ({"modes": {"x": 0o077}}, "p.modes['x']: 0o77, must be permission bits up to 0o7777, with "
     "0o400: "
     "mke2fs reads the file as its owner (write for example 0o600)"),
    ({"modes": {"x": "rwx"}}, "p.modes['x']: 'rwx', must be permission bits up to 0o7777, with "
     "0o400: "
     "mke2fs reads the file as its owner (write for example 0o600)"),
    ({"modes": [0o777]}, "p.modes: [511] is given, "
     "must be paths and permission bits (write for example "
     '{"tmp": 0o1777})'),
    ({"uuid": "1234"}, "p.uuid: '1234' is given, must be 32 hexadecimal digits (leave it out to "
     "have the partition's GUID)"),
    ({"size": "9MiB"}, "p.payload.size: 9 MiB, its partition has 8 MiB (leave one of the two out)"),
    ({"size": "1MiB"}, "p.size: 1,024 blocks of 1 KiB, ext4 needs 2,048 at least (make it 2 MiB or "
     "more, or ext2)"),
    ({"size": "16KiB", "version": 2}, "p.size: 16 blocks of 1 KiB, ext2 needs 64 at least (make it "
     "64 KiB or more)"),
    ({"files": 5}, "p.files: 5 is given, must be paths and their sources, or a Tree (write "
     "for "
     'example Tree("sysroot"))'),
    ({"files": {"": b""}}, "p.files['']: the path names no file, only a Tree can be merged "
     "into the root (give the file a name)"),
    ({"files": {"a/../b": b""}}, "p.files['a/../b']: 'a/..' has the part '..', an ext volume has "
     "names of 1 to 255 bytes (write the path without it)"),
    ({"files": {"ü" * 128: b""}}, f"p.files['{'ü' * 128}']: '{'ü' * 128}' has a name of more "
     f"than 255 "
     "bytes, an ext volume has names of 1 to 255 bytes (shorten it)"),
    ({"files": {"lost+found": b""}}, "p.files['lost+found']: 'lost+found' is mke2fs's own, an ext "
     "volume has names of 1 to 255 bytes (rename it or leave it out)"),
    ({"files": {"a": b"", "/a": "a"}}, "p.files['a']: 'a' is inline bytes here, and the file "
     "'a' in "
     "p.files['/a'], a path has one source (remove one of the two)"),
    ({"files": {"a": b"", "a/b": b""}}, "p.files['a/b']: 'a' is a directory here, and inline "
     "bytes in p.files['a'], a path is one or the other (rename one of the two)"),
    ({"files": {"a": 5}}, "p.files['a']: 5 is not a source, a source is a path of the host, bytes, "
     "or a "
     "Tree (change it)"),
    ({"files": {"a": []}}, "p.files['a']: [] is not a source, a list has one source or more (leave "
     "the key out)"),
    ({"files": {"a": [b"", "b"]}}, "p.files['a'][1]: 'a' is the file 'b' here, and inline bytes in "
     "p.files['a'][0], a path has one source (remove one of the two)"),
    ({"files": [Tree("x"), "b"]}, "p.files[1]: the path names no file, only a Tree can be merged "
     "into the root (give the file a name, or write Tree('b') for what is in a directory)"),
    ({"files": {"etc/": "build/fstab"}}, "p.files['etc/']: 'etc/' is a directory, a file needs a "
     "name in it (write 'etc/fstab', or leave the slash out)"),
    ({"files": {"fstab": "/dev/sda1 /\n"}}, "p.files['fstab']: '/dev/sda1 /\\n' has a line break, "
     "text is the path of a file (write b'/dev/sda1 /\\n' for these bytes, or Path(...) for a file "
     "of such a name)"),
    ({"files": {5: b""}}, "p.files[5]: 5 is not text, a key is the path in the volume, as "
     'text (write for example "a/b.bin")'),
    ({"files": {"a": Tree("x", exclude="!")}}, "p.files['a'].exclude: '!' names nothing, must be a "
     "pattern of gitignore that matches something (write for example \"*.o\" or \"build/\"; a "
     "backslash takes a special meaning away)"),
    *[
        ({"files": {"a": Tree(wrong)}}, f"p.files['a'].dir: {wrong!r} is not a path, Tree(...) "
         'takes a directory (write for example Tree("sysroot"))')
        for wrong in ("", 5, None)
    ],
    *[
        ({"files": {"a": Tree("x", include=wrong)}}, f"p.files['a'].include: {wrong!r} has "
         'something else in it, must be patterns, one text or several (write for example ["a", '
         '"b"])')
        for wrong in (("a", 5), 5, None)
    ],
]


@pytest.mark.parametrize(("fields", "message"), BAD, ids=lambda x: repr(x)[:40])
def test_what_is_refused(fields, message):
    assert [str(problem) for problem in Ext(**fields).problems("p", 8 * MIB)] == [message]


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"version": 2, "size": "64KiB"}, {"files": {"A": b"", "a": b"", "ü" * 127: b""}},
        {"files": Tree("x")}, {"files": [Tree("x"), Tree("y")]}, {"files": {"a//b/": [Tree("x")]}},
        {"files": {"/": Tree("x"), "a/b": b"", "a/c": "c"}},
        {"modes": {"/": 0o700}, "features": ["^resize_inode", "quota"], "inode_size": 128},
        {"files": {"dir/lost+found": b""}, "label": "sixteen letters!"},
    ],
)
def test_what_is_accepted(fields):
    assert list(Ext(**fields).problems("p", 8 * MIB)) == []
    assert isinstance(Ext(**fields), Payload)


def test_a_size_has_to_be_given():
    assert list(Ext().problems("p", None)) == [], "it may have the rest of the disk"
    with pytest.raises(DescriptionError) as caught:
        Ext().room(None, FakeFiles(), "p")
    assert str(caught.value) == (
        "p.size: there is none, an ext volume is as large as you say: mke2fs knows how much room "
        "its own tables take, we don't (write for example size=\"64MiB\", or size=\"rest\" on a "
        "disk with a size)"
    )
    assert Ext().room(5 * MIB, FakeFiles(), "p").length == 5 * MIB


PLACE = {"sector_size": 512, "epoch": 315532800}


def place(**changes):
    from uuid import UUID

    fields = {**PLACE, "extent": Extent(MIB, 8 * MIB), "identity": UUID(int=7), **changes}
    return Place(**fields)


FILES = {"tree/b c": b"1", "tree/run.sh": b"22", "kernel": b"333"}
EXT = Ext(
    {"/": Tree("tree"), "boot/-rf": "kernel", "etc/motd": b"hello"},
    modes={"etc/motd": 0o600, "/": 0o750}, label="ROOT", features=["^dir_index"],
)


def test_the_recipe():
    files = FakeFiles(FILES)
    picture = EXT.fill(place(), files, "p")
    (recipe,) = files.recipes
    assert [piece[:4] for piece in picture.pieces] == [
        (MIB, 512, "the payload", 0), (2 * MIB, 512, "the payload", MIB),
    ]
    assert [(item.path, item.source, item.mode) for item in recipe.staged[2:]] == [
        ("tree", None, 0o750),
        ("tree/b c", "tree/b c", 0o644),
        ("tree/boot", None, 0o755),
        ("tree/boot/-rf", "kernel", 0o644),
        ("tree/etc", None, 0o755),
        ("tree/etc/motd", b"hello", 0o600),
        ("tree/run.sh", "tree/run.sh", 0o755),
    ]
    assert [item.digest != "" for item in recipe.staged] == [
        isinstance(item.source, str) for item in recipe.staged
    ]
    mke2fs, debugfs = recipe.commands
    words = " ".join(mke2fs.arguments)
    assert "-U 00000000-0000-0000-0000-000000000007 -L ROOT" in words
    assert words.endswith("-d tree payload 8192")
    assert ",dir_nlink,extra_isize,^dir_index -b 1024 -I 256 -N 2048" in words
    assert debugfs.arguments == ("-w", "-f", "corrections", "payload")
    assert dict(recipe.environment)["E2FSPROGS_FAKE_TIME"] == "315532800"
    said = words + str(recipe.environment) + str(recipe.staged[1].source)
    assert not any(name in said for name in ("b c", "-rf", "motd", "kernel"))
    assert [wanted for question, wanted, _ in files.asked if question == "digest"] == [
        "tree/b c", "kernel", "tree/run.sh",
    ]


@pytest.mark.parametrize(("epoch", "seconds"), [(0, "1"), (1, "1"), (2, "2")])
def test_a_faked_time_of_zero_would_be_ignored(epoch, seconds):
    files = FakeFiles(FILES)
    EXT.fill(place(epoch=epoch), files, "p")
    assert dict(files.recipes[0].environment)["E2FSPROGS_FAKE_TIME"] == seconds


def test_the_place_on_the_disk_is_no_part_of_the_recipe():
    first, second = FakeFiles(FILES), FakeFiles(FILES)
    EXT.fill(place(), first, "p")
    EXT.fill(place(extent=Extent(5 * MIB, 8 * MIB)), second, "p")
    assert first.recipes == second.recipes


@pytest.mark.parametrize(
    ("entries", "length", "inodes", "expected"),
    [
        (0, 8 * MIB, None, 2048), (2037, 8 * MIB, None, 2048), (2038, 8 * MIB, None, 4096),
        (9000, 8 * MIB, None, 16384), (0, 64 << 10, None, 16), (0, 512 * MIB, None, 32768),
        (5, 8 * MIB, 100, 100),
    ],
)
def test_the_number_of_inodes(entries, length, inodes, expected):
    from doit_diskimg.kinds.filesystems.ext import ext_check

    geometry = ext_check.geometry(Ext(size=length), None, 512)
    assert ext_check.inodes(Ext(inodes=inodes), geometry, entries) == expected


@pytest.mark.parametrize(
    ("ext", "size", "sector_size", "block_size"),
    [
        (Ext(), 8 * MIB, 512, 1024), (Ext(), 512 * MIB, 512, 4096), (Ext(), 8 * MIB, 4096, 4096),
        (Ext(block_size=4096), 8 * MIB, 4096, 4096), (Ext(block_size="2KiB"), 8 * MIB, 512, 2048),
    ],
)
def test_a_block_is_a_sector_or_more(ext, size, sector_size, block_size):
    assert not [*ext.problems("p", size, sector_size)]
    facts = dict(ext.room(size, FakeFiles(), "p", sector_size).facts)
    assert facts["blocks"] == f"{size // block_size:,}"


def test_a_block_smaller_than_a_sector_is_refused():
    (problem,) = Ext(block_size=1024).problems("p", 64 * MIB, 4096)
    must = "must be 4096 (write one of these, or leave it out)"
    assert str(problem) == f"p.block_size: 1024 is given, {must}"


def test_all_problems_at_once_and_modes_of_nothing():
    with pytest.raises(DescriptionError) as caught:
        Ext({"a": b""}, modes={"b": 0o644}, label="x" * 17).fill(place(), FakeFiles(), "p")
    assert [problem.where for problem in caught.value.problems] == ["p.label", "p.modes['b']"]


def test_missing_files_are_listed_at_once():
    from doit_diskimg import WorldError

    with pytest.raises(WorldError) as caught:
        Ext({"a": "no-a", "b": "no-b", "c": b""}).fill(place(), FakeFiles(), "p")
    assert [problem.where for problem in caught.value.problems] == ["p.files['a']", "p.files['b']"]
