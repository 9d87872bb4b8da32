"""The tree that the sources make, and what can be wrong with it."""

import pytest

from doit_diskimg.content import Tree
from doit_diskimg.filesystems.fat import tree
from doit_diskimg.filesystems.fat.tree import Directory

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
    return tree.gather(sources, fake(HOST, **more), "p")


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({}, []),
        ({"a": b""}, ["a"]),
        ({"/x//y/": b""}, ["x/", "x/y"]),
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
    tree.gather({"a": "build/a", "t": Tree("sys")}, files, "p")
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
        {"../a": b""},
        "BadPath: p.files['../a']: '..' has the part '..', a path in a volume goes down only "
        "(rename it or leave it out)",
    ),
    (
        {"x": Tree("odd")},
        "BadPath: p.files['x']: 'x/a:b' has ':', FAT names have no control characters and none "
        'of "*/:<>?\\| (rename it or leave it out)',
    ),
    (
        {"/": b""},
        "BadPath: p.files['/']: the path names no file, only a Tree can be merged into the root "
        "(give the file a name)",
    ),
    (
        {7: b""},
        "BadPath: p.files[7]: 7 is no path, a key is text (write a path)",
    ),
    (
        {"a": 7},
        "BadValue: p.files['a']: 7 is no source, a source is a path of the host, bytes, or a "
        "Tree (change it)",
    ),
    (
        {"a": None},
        "BadValue: p.files['a']: None is no source, a source is a path of the host, bytes, or a "
        "Tree (change it)",
    ),
]


@pytest.mark.parametrize(("sources", "expected"), PROBLEMS)
def test_problems(fake, sources, expected):
    gathered = gather(fake, sources)
    assert [f"{type(problem).__name__}: {problem}" for problem in gathered.wrong] == [expected]


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
    [problem] = tree.gather(sources, files, "p").wrong
    assert str(problem) == (
        "p.files['large']: 'large' has 4,294,967,296 bytes, a file on FAT has at most "
        "4,294,967,295 (split it, or leave it out)"
    )


def test_a_bad_directory_is_reported_once(fake):
    gathered = gather(fake, {"a?/x": b"", "a?/y": b"", "a?/z/w": b""})
    assert len(gathered.wrong) == 1


def test_without_the_world():
    gathered = tree.gather({"a": "none", "b": Tree("nowhere"), "B/c": b"xx"}, None, "p")
    assert (gathered.wrong, gathered.failed) == ([], [])
    assert paths(gathered.root) == ["a", "B/", "B/c"]
