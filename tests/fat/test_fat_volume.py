"""`Fat` as users and the spine see it."""

import pathlib
import subprocess
import sys
import time

import pytest

from doit_diskimg.disk.sockets import Payload, Room
from doit_diskimg.errors import DescriptionError, SourceMissing, WorldError
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.plan.content import Tree, Wanted
from doit_diskimg.units import GIB, KIB, MIB


def test_fits_the_port():
    assert isinstance(Fat(), Payload)
    assert Fat().populated


def test_is_cheap_to_import():
    """A dodo.py is read on every doit; of the kind it needs one module."""
    code = (
        "import sys, doit_diskimg.kinds.filesystems.fat.volume as v;"
        "v.Fat({'a': b''});"
        "print(*sorted(m for m in sys.modules if m.startswith('doit_diskimg.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if name.startswith("doit_diskimg.kinds.")] == [
        "doit_diskimg.kinds.filesystems",
        "doit_diskimg.kinds.filesystems.fat",
        "doit_diskimg.kinds.filesystems.fat.volume",
    ]


def test_sources():
    files = {"b": "./build/../x", "a": pathlib.PurePosixPath("build/y"), "t": Tree("z"), "i": b""}
    assert list(Fat(files).sources("p")) == [
        Wanted("p.files['a']", "build/y"),
        Wanted("p.files['b']", "./build/../x"),
        Wanted("p.files['t']", Tree("z")),
    ]


def test_blank_is_what_decides_the_geometry():
    assert Fat({"a": b""}, size="33MiB", label="A").blank() == Fat(size=33 * MIB).blank()
    different = [Fat(), Fat(fat=16), Fat(size=MIB), Fat(cluster_size="4KiB")]
    assert len({repr(fat.blank()) for fat in different}) == 4


@pytest.mark.parametrize(
    ("fat", "size", "length", "kind", "facts"),
    [
        (Fat(), 32 * MIB, 32 * MIB, "fat16", ("FAT16", "2 KiB", "16,342")),
        (Fat(size="1440KiB"), 4 * MIB, 1440 * KIB, "fat12", ("FAT12", "512 B", "2,847")),
        (Fat(size="512MiB"), None, 512 * MIB, "fat32", ("FAT32", "4 KiB", "130,812")),
        (Fat(cluster_size=512), 16 * MIB, 16 * MIB, "fat16", ("FAT16", "512 B", "32,480")),
    ],
)
def test_room(fake, fat, size, length, kind, facts):
    files = fake()
    room = fat.room(size, files, "p")
    terms = ("file system", "cluster", "clusters")
    assert room == Room(length=length, type=kind, facts=tuple(zip(terms, facts, strict=True)))
    assert files.asked == []


PROBLEMS = [
    (Fat(), MIB, []),
    (Fat(), None, []),
    (Fat(size="auto", free="4MiB", minimum="100MiB"), None, []),
    (
        Fat(size="33 MB"),
        None,
        ["BadSize: p.size: '33 MB' has the unknown unit 'MB', must be bytes, or a number with "
         'KiB, MiB, GiB or TiB (write for example "33MiB", or "auto")'],
    ),
    (
        Fat(size=MIB + 1),
        2 * MIB,
        ["Unaligned: p.size: 1048577 bytes, a volume is a multiple of 512 (write 1048576)"],
    ),
    (
        Fat(size="3MiB"),
        2 * MIB,
        ["ContentTooLarge: p.size: the volume has 3 MiB, its partition has 2 MiB "
         "(make the volume smaller or the partition larger)"],
    ),
    *(
        (
            Fat(fat=value),
            MIB,
            [f"BadValue: p.fat: {value!r} is given, the types of FAT are 12, 16 and 32 "
             "(write one of them, or leave it out)"],
        )
        for value in (0, 31, "FAT32", True)
    ),
    *(
        (
            Fat(cluster_size=value),
            MIB,
            [f"BadSize: p.cluster_size: {text}, a cluster is a power of two from 512 to 32768 "
             'bytes (write for example "4KiB", or leave it out)'],
        )
        for value, text in [
            (256, "256 bytes"), ("3KiB", "3072 bytes"), ("64KiB", "65536 bytes"),
            (0, "0 bytes"), ("big", "'big' is not a size"),
        ]
    ),
    *(
        (
            Fat(volume_id=value),
            MIB,
            [f"BadValue: p.volume_id: {text}, a volume id is 0 to 0xFFFFFFFF, or eight "
             'hexadecimal digits (write for example "1234-ABCD", or leave it out)'],
        )
        for value, text in [
            (-1, "-1 is not a number of 32 bits"),
            (1 << 32, "4294967296 is not a number of 32 bits"),
            (True, "True is not a number of 32 bits"),
            ("1234ABCD", "'1234ABCD' is not a volume id"),
            ("1234-ABCG", "'1234-ABCG' is not a volume id"),
        ]
    ),
    (
        Fat(label="esp"),
        MIB,
        ["BadLabel: p.label: 'esp' has lower-case letters, volume labels are upper case "
         "(write 'ESP', or lower_case_label=True if a system mounts by it)"],
    ),
    (Fat(label=7), MIB, ["BadLabel: p.label: 7 is not text, a volume label is text (write text)"]),
    (
        Fat(fat=32),
        MIB,
        ["FatTypeImpossible: p.fat: 1 MiB has 1,984 clusters of 512 B, FAT32 has at least 65,525 "
         "(drop fat=32, or make it at least 33MiB)"],
    ),
    (
        Fat(["a"]),
        MIB,
        ["BadValue: p.files: ['a'] is not a mapping, files maps paths in the volume to sources "
         '(write {"kernel.elf": "build/kernel.elf"})'],
    ),
    (
        Fat({"a": "x", "A": "y", "b/..": b"", "c": Tree("t")}, fat=31, label="x"),
        MIB,
        ["BadLabel: p.label: 'x' has lower-case letters, volume labels are upper case "
         "(write 'X', or "
         "lower_case_label=True if a system mounts by it)",
         "BadValue: p.fat: 31 is given, the types of FAT are 12, 16 and 32 (write one of them, "
         "or leave it out)",
         "DuplicatePath: p.files['a']: 'a' is the file 'x' here, and the file 'y' in p.files['A'],"
         " a path has one source whatever its case (remove one of the two)",
         "BadPath: p.files['b/..']: 'b/..' has the part '..', a path in a volume goes down only "
         "(rename it or leave it out)"],
    ),
]


@pytest.mark.parametrize(("fat", "size", "expected"), PROBLEMS)
def test_problems(fat, size, expected):
    assert [f"{type(found).__name__}: {found}" for found in fat.problems("p", size)] == expected


@pytest.mark.parametrize(("fat", "size"), [(f, s) for f, s, expected in PROBLEMS if expected])
def test_fill_refuses_what_problems_finds(bench, fat, size):
    if size is not None:
        with pytest.raises(DescriptionError) as caught:
            bench.fill(fat, size)
        expected = [str(found) for found in fat.problems("partitions[0]", size)]
        found = [f for f in caught.value.problems if not isinstance(f, SourceMissing)]
        assert list(map(str, found)) == expected


def test_room_refuses_a_size_that_cannot_work(fake):
    with pytest.raises(DescriptionError):
        Fat(fat=32).room(MIB, fake(), "p")


# What fill finds ---------------------------------------------------------------------------------


def test_everything_missing_is_said_at_once(bench):
    fat = Fat({"a": "no/a", "b": "no/b", "t": Tree("no/t")})
    with pytest.raises(WorldError) as caught:
        bench.fill(fat, MIB)
    assert [found.where for found in caught.value.problems] == [
        f"partitions[0].files[{key!r}]" for key in "abt"
    ]


def test_a_wrong_description_and_a_missing_file(bench):
    with pytest.raises(DescriptionError) as caught:
        bench.fill(Fat({"a": "no/a", "b:": b""}, label="x"), MIB)
    assert [type(found).__name__ for found in caught.value.problems] == [
        "BadLabel", "BadPath", "SourceMissing",
    ]


FULL = [
    (
        Fat({"kernel.elf": 20 * MIB, "initrd": 9 * MIB, "a": 1 * KIB, "b": 2 * KIB}),
        16 * MIB,
        "the files need 14,850 clusters of 2 KiB, 6,684 too many (the largest: kernel.elf "
        '20 MiB, initrd 9 MiB, b 2 KiB), the volume has 8,166 (make its size "30MiB" or more, '
        "or leave files out)",
    ),
    (
        Fat({"kernel.elf": 2 * MIB}, fat=12),
        1440 * KIB,
        "the files need 4,096 clusters of 512 B, 1,249 too many (the largest: kernel.elf "
        '2 MiB), the volume has 2,847 (make its size "2072KiB" or more, or leave files out)',
    ),
    (
        Fat({"disk": 3 * GIB}, fat=16),
        1 * GIB,
        "the files need 98,304 clusters of 32 KiB, 65,541 too many (the largest: disk 3 GiB), "
        "the volume has 32,763 (drop fat and cluster_size and make it larger, or leave files out)",
    ),
    (
        # Across the limit where FAT32 begins, whose tables take more.
        Fat({"disk": 511 * MIB}),
        511 * MIB,
        "the files need 65,408 clusters of 8 KiB, 35 too many (the largest: disk 511 MiB), "
        'the volume has 65,373 (make its size "513MiB" or more, or leave files out)',
    ),
]


@pytest.mark.parametrize(("fat", "size", "message"), FULL)
def test_full(bench, fake, fat, size, message):
    files = fake(dict(fat.files))
    fat = Fat({name: name for name in fat.files}, fat=fat.fat)
    with pytest.raises(DescriptionError) as caught:
        bench.fill(fat, size, files)
    assert str(caught.value) == f"partitions[0].files: {message}"
    if "size" in message.rpartition("(")[2].replace("cluster_size", ""):
        enough = message.split('"')[1]
        bench.fill(Fat(fat.files, fat=fat.fat, size=enough), 4 * GIB, files)


def test_full_says_what_grew(bench, fake):
    """A build remembers lengths; new files and inline bytes have none."""
    sizes = {"kernel": 15 * MIB, "initrd": 3 * MIB, "same": KIB, "less": KIB, "new": MIB}
    before = {"kernel": 14 * MIB - 512 * KIB, "initrd": 3 * MIB - 1, "same": KIB, "less": 2 * KIB}
    fat = Fat({**{name: name for name in sizes}, "inline": b"x"})
    with pytest.raises(DescriptionError) as caught:
        bench.fill(fat, 16 * MIB, fake(sizes, before=before))
    assert (
        "(the largest: kernel 15 MiB, initrd 3 MiB, new 1 MiB; grown since the last build: "
        "kernel by 1.5 MiB, initrd by 1 B), the volume"
    ) in str(caught.value)


def test_full_because_of_what_must_stay_free(bench, fake):
    """Free clusters are counted with the files, for a size that somebody gave too."""
    files = fake({"a": 8100 * 2 * KIB})
    bench.fill(Fat({"a": "a"}, free="132KiB"), 16 * MIB, files)
    with pytest.raises(DescriptionError) as caught:
        bench.fill(Fat({"a": "a"}, free="134KiB"), 16 * MIB, files)
    assert str(caught.value) == (
        "partitions[0].files: the files need 8,100 clusters of 2 KiB and free='134KiB' takes 67, "
        '1 too many (the largest: a 15.8 MiB), the volume has 8,166 (make its size "17MiB" or '
        "more, or leave files out)"
    )


def test_full_to_the_last_cluster(bench, fake):
    clusters = 8166
    files = fake({"a": clusters * 2048})
    path = bench.make(Fat({"A": "a"}), 16 * MIB, files)
    assert bench.fsck(path) == f"1 files, {clusters}/{clusters} clusters"
    with pytest.raises(DescriptionError, match="need 8,167 clusters"):
        bench.fill(Fat({"A": "a"}), 16 * MIB, fake({"a": clusters * 2048 + 1}))


@pytest.mark.parametrize(
    ("fat", "size", "label", "names", "most"),
    [
        (16, 16 * MIB, None, "F{}", 512),
        (16, 16 * MIB, "LABEL", "F{}", 511),
        (16, 16 * MIB, None, "lower{}", 256),
        (12, 1440 * KIB, None, "F{}", 224),
        (32, 64 * MIB, None, "F{}", 65536),
    ],
)
def test_root_directory_full(bench, fat, size, label, names, most):
    files = {names.format(n): b"" for n in range(most)}
    path = bench.make(Fat(files, fat=fat, label=label), size)
    if most < 1000:  # fsck.fat compares every name with every other
        assert bench.fsck(path).startswith(f"{most + (label is not None)} files")
    files[names.format(most)] = b""
    with pytest.raises(DescriptionError, match=r"needs .* entries") as caught:
        bench.fill(Fat(files, fat=fat, label=label), size)
    [problem] = caught.value.problems
    assert type(problem).__name__ == "DirectoryFull"
    if (fat, label, names) == (16, "LABEL", "F{}"):
        assert str(problem) == (
            "partitions[0].files: the root directory needs 513 entries (long names take several),"
            " it has room for 512 (move files into a directory, or write root_entries=528)"
        )


def test_directory_full(bench, fake):
    files = fake({f"t/F{n}": b"" for n in range(65534)})
    bench.fill(Fat({"d": Tree("t")}), 64 * MIB, files)
    files.contents["t/ONE MORE"] = b""
    with pytest.raises(DescriptionError, match=r"'d' needs 65,538 entries"):
        bench.fill(Fat({"d": Tree("t")}), 64 * MIB, files)


# The bytes ---------------------------------------------------------------------------------------


def test_same_twice_and_from_any_order(bench, fake):
    contents = {"a": b"1" * 5000, "b": b"2", "t/x y": b"3", "t/X z": b"4"}
    files = {"one": "a", "two.text": "b", "t": Tree("t"), "three": b"inline"}
    first = bench.fill(Fat(files), 16 * MIB, fake(contents))
    again = dict(reversed(contents.items()))
    second = bench.fill(Fat(dict(reversed(files.items()))), 16 * MIB, fake(again))
    assert first == second


def test_what_the_identity_and_the_epoch_decide(bench):
    base = bench.fill(Fat({"a": b"b"}), 16 * MIB)
    assert base.blob[39:43] == (0x12345678).to_bytes(4, "little")  # BS_VolID
    given_id = bench.fill(Fat({"a": b"b"}, volume_id="1234-5678"), 16 * MIB)
    assert given_id == base
    assert bench.fill(Fat({"a": b"b"}, volume_id=0), 16 * MIB) != base
    assert bench.fill(Fat({"a": b"b"}), 16 * MIB, epoch=0) != base


def test_no_digest_is_asked_for_before_all_sizes_fit(bench, fake):
    files = fake({"a": 99 * MIB})
    with pytest.raises(DescriptionError):
        bench.fill(Fat({"a": "a"}), 16 * MIB, files)
    assert files.asked == [("size", "a")]


def test_one_digest_for_a_file_that_is_used_twice(bench, fake):
    files = fake({"a": b"a"})
    bench.fill(Fat({"x": "a", "y": "a"}), 16 * MIB, files)
    assert files.asked.count(("digest", "a")) == 1


def test_a_large_volume_makes_a_small_picture(bench, fake):
    picture = bench.fill(Fat({"a": b"a"}), 2000 * GIB, fake())
    assert len(picture.blob) < 4096


def test_thousands_of_files_plan_quickly(bench, fake):
    """Ten times what is measured on a slow machine (80 ms), so that it fails for a reason."""
    contents = {f"t/{n // 100:03}/longfilename{n:05}.bin": 4000 + n for n in range(5000)}
    files = fake({**contents, "kernel": 64 * MIB})
    fat = Fat({"kernel": "kernel", "t": Tree("t")})
    start = time.process_time()
    bench.fill(fat, 512 * MIB, files)
    assert time.process_time() - start < 1


# Labels that we accept, as others see them ------------------------------------------------------


@pytest.mark.parametrize("label", ["A", "EFI SYSTEM", "A-B_C$1!~", "12345678901", "(&)@^`{}'#%"])
def test_labels(bench, label):
    path = bench.make(Fat(label=label), 1440 * KIB)
    bench.judge(path, {})
    assert bench.mtools("mlabel", "-s", "-i", path, "::").rstrip().endswith(f"is {label}")
