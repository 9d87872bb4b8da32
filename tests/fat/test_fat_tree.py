"""The tree that the sources make, and what can be wrong with it."""

from pathlib import Path

import pytest

from doit_diskimg.disk.bootcode import BootCode
from doit_diskimg.kinds.filesystems.ext.ext_volume import Ext
from doit_diskimg.kinds.filesystems.fat.contents import FatContents
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.filesystems.tree import Directory
from doit_diskimg.plan.content import Tree

HOST = {
    "build/a": b"a",
    "build/b": b"bb",
    "sys/readme": b"",
    "sys/drivers/net.ko": b"net",
    "more/Drivers/disk.ko": b"disk",
    "more/README2": b"2",
    "odd/a:b": b"",
    "odd/good": b"",
    "twins/Name": b"1",
    "twins/name": b"2",
}


def paths(root):
    return [
        node.path + "/" * isinstance(node, Directory) for node in root.everything() if node.path
    ]


def gather(fake, sources, **more):
    return FatContents(Fat(sources), fake(HOST, **more), "p")


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({}, []),
        ({"a": b""}, ["a"]),
        ({"/x//y": b""}, ["x/", "x/y"]),
        # One slash more or less: the same places.
        ({"x/": Tree("sys/drivers"), "//x//y": b""}, ["x/", "x/net.ko", "x/y"]),
        ({"": Tree("sys"), "/": Tree("more")}, ["drivers/", "drivers/disk.ko", "drivers/net.ko",
                                                "readme", "README2"]),
        # Several sources of one place: directories merge.
        ({"/": [Tree("sys"), Tree("more")]}, ["drivers/", "drivers/disk.ko", "drivers/net.ko",
                                              "readme", "README2"]),
        ({"d": (Tree("sys/drivers"), Tree("more/Drivers"))}, ["d/", "d/disk.ko", "d/net.ko"]),
        ({"one": ["build/a"]}, ["one"]),
        ({"EFI/BOOT/X": "build/a", "efi/boot/Y": b""}, ["EFI/", "EFI/BOOT/", "EFI/BOOT/X",
                                                        "EFI/BOOT/Y"]),
        ({"/": Tree("sys")}, ["drivers/", "drivers/net.ko", "readme"]),
        ({"": Tree("sys"), "x": Tree("sys")}, ["drivers/", "drivers/net.ko", "readme", "x/",
                                               "x/drivers/", "x/drivers/net.ko", "x/readme"]),
        ({"/": Tree("sys"), "//": Tree("more")}, ["drivers/", "drivers/disk.ko",
                                                  "drivers/net.ko", "readme", "README2"]),
        ({"s": Tree("sys"), "S/extra": b""}, ["S/", "S/drivers/", "S/drivers/net.ko", "S/extra",
                                              "S/readme"]),
        ({"b": b"", "A": b"", "c": b"", "B2": b""}, ["A", "b", "B2", "c"]),
        # Directories and files among each other, a directory's contents after it.
        ({"b": b"", "a/z": b"", "c/a": b""}, ["a/", "a/z", "b", "c/", "c/a"]),
    ],
)
def test_paths(fake, sources, expected):
    gathered = gather(fake, sources)
    assert (gathered.wrong, gathered.failed) == ([], [])
    assert paths(gathered.root) == expected


def test_empty_directories_are_kept(fake):
    gathered = gather(fake, {"/": Tree("sys")}, empty=["sys/none", "sys/a/b"])
    assert paths(gathered.root) == ["a/", "a/b/", "drivers/", "drivers/net.ko", "none/", "readme"]


def test_order_of_the_description_does_not_matter(fake):
    sources = {"B/x": b"", "b/y": b"", "A": "build/a", "t": Tree("sys")}
    there = gather(fake, sources).root
    back = gather(fake, dict(reversed(sources.items()))).root
    assert there == back


def test_asks_for_sizes_once(fake):
    files = fake(HOST)
    FatContents(Fat({"a": "build/a", "t": Tree("sys")}), files, "p")
    assert sorted(files.asked) == [
        ("size", "build/a"),
        ("size", "sys/drivers/net.ko"),
        ("size", "sys/readme"),
        ("walk", "sys"),
    ]


def test_a_path_deeper_than_python(fake):
    gathered = gather(fake, {"/".join("d" * 3000): b""})
    assert len(paths(gathered.root)) == 3000


PROBLEMS = [
    (
        {"A/x": b"", "a/X": "build/a"},
        "DuplicatePath: p.files['a/X']: 'a/X' is the file 'build/a' here, and inline bytes in "
        "p.files['A/x'], a path has one source whatever its case (remove one of the two)",
    ),
    (
        {"/": Tree("sys"), "README": "build/a"},
        "DuplicatePath: p.files['README']: 'README' is the file 'build/a' here, and the file "
        "'sys/readme' in p.files['/'], a path has one source whatever its case "
        "(remove one of the two)",
    ),
    (
        {"/": Tree("twins")},
        "DuplicatePath: p.files['/']: 'name' is the file 'twins/name' here, and the file "
        "'twins/Name' in p.files['/'], a path has one source whatever its case "
        "(remove one of the two)",
    ),
    (
        {"a": b"", "a/b": b"", "A/c": b""},
        "DuplicatePath: p.files['a']: 'a' is inline bytes here, and a directory in "
        "p.files['A/c'], a path is one or the other (rename one of the two)",
    ),
    (
        {"X": b"", "x/b": b""},
        "DuplicatePath: p.files['x/b']: 'x' is a directory here, and inline bytes in "
        "p.files['X'], a path is one or the other (rename one of the two)",
    ),
    (
        {"/": [Tree("sys"), Tree("sys")]},
        "DuplicatePath: p.files['/'][1]: 'drivers/net.ko' is the file 'sys/drivers/net.ko' here, "
        "and the file 'sys/drivers/net.ko' in p.files['/'][0], a path has one source whatever its "
        "case (remove one of the two)",
        "DuplicatePath: p.files['/'][1]: 'readme' is the file 'sys/readme' here, and the file "
        "'sys/readme' in p.files['/'][0], a path has one source whatever its case (remove one of "
        "the two)",
    ),
    (
        {"a": ["build/a", b"b"]},
        "DuplicatePath: p.files['a'][1]: 'a' is inline bytes here, and the file 'build/a' in "
        "p.files['a'][0], a path has one source whatever its case (remove one of the two)",
    ),
    (
        {"a": [Tree("sys"), 5]},
        "BadValue: p.files['a'][1]: 5 is not a source, a source is a path of the host, bytes, or a "
        "Tree (change it)",
    ),
    (
        {"a": [[Tree("sys")]]},
        "BadValue: p.files['a'][0]: [Tree(dir='sys', include=(), exclude=(), after=())] is not "
        "a source, a source is a path of the host, bytes, or a Tree (change it)",
    ),
    (
        {"a": []},
        "BadValue: p.files['a']: [] is not a source, a list has one source or more (leave the key "
        "out)",
    ),
    (
        {"EFI/": "build/a"},
        "BadPath: p.files['EFI/']: 'EFI/' is a directory, a file needs a name in it (write "
        "'EFI/a', or leave the slash out)",
    ),
    (
        {"x//y/": b""},
        "BadPath: p.files['x//y/']: 'x//y/' is a directory, a file needs a name in it (write "
        "'x//y/NAME', or leave the slash out)",
    ),
    (
        {"/": "build/a"},
        "BadPath: p.files['/']: the path names no file, only a Tree can be merged into the root "
        "(give the file a name, or write Tree('build/a') for what is in a directory)",
    ),
    # Text where bytes were meant.
    (
        {"boot.cfg": "timeout=0\n"},
        "BadValue: p.files['boot.cfg']: 'timeout=0\\n' has a line break, text is the path of a "
        "file (write b'timeout=0\\n' for these bytes, or Path(...) for a file of such a name)",
    ),
    (
        {"boot.cfg": ["größe=1\r"]},
        "BadValue: p.files['boot.cfg'][0]: 'größe=1\\r' has a line break, text is the path of a "
        "file (write 'größe=1\\r'.encode() for these bytes, or Path(...) for a file of such a "
        "name)",
    ),
    (
        {"../a": b""},
        "BadPath: p.files['../a']: '..' has the part '..', a path in a volume goes down only "
        "(rename it or leave it out)",
    ),
    (
        {"x": Tree("odd")},
        "BadPath: p.files['x']: 'x/a:b' has ':', FAT names have no control characters and no "
        '"*/:<>?\\| (rename it or leave it out)',
    ),
    (
        {"/": b""},
        "BadPath: p.files['/']: the path names no file, only a Tree can be merged into the root "
        "(give the file a name)",
    ),
    (
        {7: b""},
        "BadPath: p.files[7]: 7 is not text, a key is the path in the volume, as text (write for "
        "example \"a/b.bin\")",
    ),
    (
        {"a": 7},
        "BadValue: p.files['a']: 7 is not a source, a source is a path of the host, bytes, or a "
        "Tree (change it)",
    ),
    (
        {"a": None},
        "BadValue: p.files['a']: None is not a source, a source is a path of the host, bytes, or a "
        "Tree (change it)",
    ),
]


@pytest.mark.parametrize(("sources", "expected"), [(case[0], [*case[1:]]) for case in PROBLEMS])
def test_problems(fake, sources, expected):
    gathered = gather(fake, sources)
    assert [f"{type(problem).__name__}: {problem}" for problem in gathered.wrong] == expected


def test_a_file_whose_name_has_a_line_break_is_a_path(fake):
    gathered = FatContents(Fat({"a": Path("two\nlines")}), fake({"two\nlines": b"2"}), "p")
    assert (gathered.wrong, gathered.failed) == ([], [])
    assert [node.size for node in gathered.root.children.values()] == [1]


def test_problems_of_the_world_are_apart(fake):
    sources = {"a": "none", "b": Tree("nowhere"), "c:": b"", "d": "neither"}
    gathered = gather(fake, sources)
    assert [problem.where for problem in gathered.wrong] == ["p.files['c:']"]
    assert [problem.where for problem in gathered.failed] == [
        "p.files['a']", "p.files['b']", "p.files['d']",
    ]


def test_a_file_of_4_gib(fake):
    sources = {"fits": "fits", "large": "large"}
    files = fake({"fits": (4 << 30) - 1, "large": 4 << 30})
    [problem] = FatContents(Fat(sources), files, "p").wrong
    assert str(problem) == (
        "p.files['large']: 'large' has 4,294,967,296 bytes, a file on FAT has at most "
        "4,294,967,295 (split it, or leave it out)"
    )


def test_a_bad_directory_is_reported_once(fake):
    gathered = gather(fake, {"a?/x": b"", "a?/y": b"", "a?/z/w": b""})
    assert len(gathered.wrong) == 1


def test_without_the_world():
    gathered = FatContents(Fat({"a": "none", "b": Tree("nowhere"), "B/c": b"xx"}), None, "p")
    assert (gathered.wrong, gathered.failed) == ([], [])
    assert paths(gathered.root) == ["a", "B/", "B/c"]


def test_a_description_keeps_the_lists_that_it_was_given():
    """Half of a build would have been decided when a list of the user's changes."""
    trees = [Tree("sys")]
    for described in (Fat({"/": trees}), Ext({"/": trees}), Ext(trees)):
        trees.append(Tree("more"))
        wanted = [want.source for want in described.sources("p")]
        trees.pop()
        assert wanted == [Tree("sys")]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"files": {"a": "bits 16\n"}}, "p.files['a']"),
        ({"boot_sector": "bits 16\n"}, "p.boot_sector"),
        ({"boot_sector": BootCode("bits 16\n")}, "p.boot_sector.source"),
        ({"reserved": {1: "bits 16\n"}}, "p.reserved[1]"),
        ({"reserved": {1: BootCode("bits 16\n")}}, "p.reserved[1].source"),
    ],
)
def test_text_where_bytes_were_meant(fields, where):
    """Wherever a source stands."""
    assert [str(problem) for problem in Fat(**fields).problems("p", 1 << 20)] == [
        f"{where}: 'bits 16\\n' has a line break, text is the path of a file (write b'bits 16\\n' "
        "for these bytes, or Path(...) for a file of such a name)"
    ]
