"""One description, several engines: the same volume for every reader.

The readers are none of the engines that made what they read: fsck.fat, struct at the standard's
offsets, mtools for what pyfatfs made, pyfatfs for what mtools made, `verify` for all.
"""

import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tools import run, tool
from volumes import read_volume

from doit_diskimg import (
    BootCode,
    DescriptionError,
    Disk,
    Fat,
    Gpt,
    Mbr,
    Partition,
    Patch,
    Tree,
    WorldError,
    at,
)
from doit_diskimg.chain.readback import watch
from doit_diskimg.disk.sockets import Place
from doit_diskimg.errors import EngineCannot
from doit_diskimg.extent import Extent
from doit_diskimg.host import program
from doit_diskimg.host.files import RealFiles
from doit_diskimg.kinds.filesystems.fat import names
from doit_diskimg.kinds.filesystems.fat.engines import guestfish
from doit_diskimg.plan.content import digest_of
from doit_diskimg.verify.survey import differences, survey

KIB, MIB = 1 << 10, 1 << 20
OTHERS = ["mtools", "pyfatfs"]
FILES = {
    "EFI/BOOT/BOOTX64.EFI": b"MZ" * 50_000,
    "KERNEL.SYS": b"k" * 40_000,
    "kernel.elf": b"elf" * 3000,
    "Mixed Case Name.txt": b"m",
    "a[b]/c [1].txt": b"brackets",
    "a[b]/[d]/e": b"more of them",
    "dash/-rf": b"-",
    "empty": b"",
    ".hidden": b"dot",
    "plus+comma,semi;equals=.x": b"+",
    "zeros.bin": bytes(70_000) + b"end",
    "文/日本語の名前.txt": b"kanji",
    "a.b.c.d": b"dots",
    "X" * 100 + ".long": b"long",
}
ATTRIBUTES = {"KERNEL.SYS": "rhs", "EFI": "h", "a[b]/[d]": "hs", "a[b]/[d]/e": "r", "empty": ""}
VOLUMES = [
    (360 * KIB, {"label": None}),
    (1440 * KIB, {}),
    (8 * MIB, {"fat": 12}),
    (16 * MIB, {"label": "EFI SYSTEM", "volume_id": 0}),
    (40 * MIB, {"fat": 32}),
    (2 * MIB, {"label": "system-boot", "lower_case_label": True}),
    (64 * MIB, {"number_of_fats": 1, "root_entries": 64, "media": 0xF0, "drive_number": 1}),
    (64 * MIB, {"cluster_size": "16KiB", "reserved_sectors": 5, "hidden_sectors": 77}),
    (300 * MIB, {"fat": 32, "cluster_size": "4KiB", "label": "A B", "volume_id": "1234-ABCD"}),
]


def _expected(files):
    """Return the files of a description, and the directories above them, as readers list them."""
    folders = {
        "/".join(path.split("/")[: n + 1]) + "/" for path in files for n in range(path.count("/"))
    }
    return {**dict.fromkeys(folders, b""), **files}


def _fsck(path):
    done = subprocess.run([tool("fsck.fat"), "-n", path], capture_output=True, text=True)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stdout + done.stderr


def _bpb(path):
    """Return the fields of the boot sector behind the OEM name, and FAT[0] and FAT[1]."""
    with open(path, "rb") as file:
        sector = file.read(512)
        wide = sector[22:24] == b"\0\0"  # BPB_FATSz16
        file.seek(int.from_bytes(sector[14:16], "little") * int.from_bytes(sector[11:13], "little"))
        first = file.read(8 if wide else 3)
    return sector[11 : 90 if wide else 62], first


def _mtools_read(path, out):
    environment = {"MTOOLSRC": "/dev/null", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    out.mkdir()
    run("mcopy", "-s", "-n", "-Q", "-m", "-i", path, "::*", out, **environment)
    return {
        f"{found.relative_to(out)}/" if found.is_dir() else str(found.relative_to(out)):
        b"" if found.is_dir() else found.read_bytes()
        for found in out.rglob("*")
    }


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(("size", "options"), VOLUMES)
def test_the_same_volume(bench, size, options, engine):
    fat = Fat(FILES, attributes=ATTRIBUTES, **{"label": "LABEL", **options})
    native = bench.make(fat, size, "native", start=MIB)
    other = bench.make(fat, size, engine, start=MIB)
    one, two = survey(native), survey(other)
    assert one.errors == two.errors == ()
    assert list(differences(one, two)) == []
    assert {path: file[0] for path, file in two.files.items()} == {
        path: len(data) for path, data in _expected(FILES).items()
    }
    assert two.files["KERNEL.SYS"][1] == "rhs"
    assert two.files["a[b]/[d]/"][1] == "hs"
    assert two.files["empty"][1] == ""
    assert _bpb(native) == _bpb(other)
    _fsck(other)
    if engine == "pyfatfs":
        assert _mtools_read(other, bench.folder / "out") == _expected(FILES)
    else:
        # pyfatfs does not know the two bits that keep "kernel.elf" in lower case.
        found = {path.upper(): data for path, data in read_volume(other).items()}
        assert found == {path.upper(): data for path, data in _expected(FILES).items()}


@pytest.mark.parametrize("engine", OTHERS)
def test_sectors_of_4096(bench, engine):
    fat = Fat(FILES, label="LABEL")
    volumes = [
        bench.make(fat, 64 * MIB, name, start=MIB, sector_size=4096) for name in ("native", engine)
    ]
    one, two = map(survey, volumes)
    assert one.errors == two.errors == ()
    assert list(differences(one, two)) == []
    assert one.numbers["bytes per sector"] == "4096"


@pytest.mark.parametrize("engine", OTHERS)
def test_names_of_8_and_3(bench, engine):
    fat = Fat({"lower.txt": b"l", "dir/Upper.TXT": b"u"}, long_names=False)
    one, two = (survey(bench.make(fat, MIB, name)) for name in ("native", engine))
    assert list(differences(one, two)) == []
    assert set(two.files) == {"LOWER.TXT", "DIR/", "DIR/UPPER.TXT"}


@pytest.mark.parametrize("engine", ["native", *OTHERS])
def test_times(bench, engine):
    """Of the build, or of the sources; mtools reads them back, in its own way."""
    fat = Fat(
        {"inline": b"", "dir/file": bench.write("file", b"f", 1_600_000_002)}, times="source"
    )
    volume = bench.make(fat, MIB, engine)
    _mtools_read(volume, bench.folder / "out")
    assert (bench.folder / "out/dir/file").stat().st_mtime == 1_600_000_002
    assert (bench.folder / "out/inline").stat().st_mtime in (1_700_000_000, 1_700_000_001)


@pytest.mark.parametrize("engine", ["native", *OTHERS])
def test_twice_the_same_bytes(bench, engine, monkeypatch):
    """Whatever the folder, the time, the zone, the umask, the order of the host's directories and
    the user's own configuration of mtools."""
    for number in range(40):
        bench.write(f"tree/{number * 7919 % 40}.txt", b"x" * number)
    fat = Fat({**FILES, "tree": Tree(bench.folder / "host/tree")}, label="LABEL")
    first = bench.make(fat, 64 * MIB, engine, name="one").read_bytes()
    time.sleep(2.1)  # more than the step of FAT's times
    old = os.umask(0o077)
    try:
        (bench.folder / ".mtoolsrc").write_text("mtools_no_vfat=1\nmtools_lower_case=1\n")
        for variable, value in {
            "TZ": "Asia/Tokyo", "LC_ALL": "POSIX", "HOME": str(bench.folder),
            "MTOOLSRC": str(bench.folder / ".mtoolsrc"), "MTOOLS_NO_VFAT": "1",
            "MTOOLS_SKIP_CHECK": "1", "SOURCE_DATE_EPOCH": "1",
        }.items():  # fmt: skip
            monkeypatch.setenv(variable, value)
        os.rename(bench.folder / "host/tree", bench.folder / "host/old")
        for number in range(40):
            same = (bench.folder / f"host/old/{number}.txt").read_bytes()
            bench.write(f"tree/{number}.txt", same)
        assert bench.make(fat, 64 * MIB, engine, name="another folder").read_bytes() == first
    finally:
        os.umask(old)


# What an engine can't do -------------------------------------------------------------------------

MUST = "every engine makes the same volume, or none"
BAD_FIELDS = [
    ({"engine": "dd"}, "p.engine: 'dd' is not an engine, must be one of 'native', "
                       "'mtools', 'pyfatfs', "
     "'guestfish' (leave it out for native)"),
    ({"engine": "mtools", "first": ["a"]}, "p.first: engine='mtools' has the label's entry before "
     f"all others, {MUST} (leave it out, or write engine='native')"),
    ({"engine": "mtools", "oem_name": "MYOS"}, "p.oem_name: engine='mtools' leaves the boot sector "
     f"to mkfs.fat, {MUST} (leave it out, or write engine='native' or 'pyfatfs')"),
    ({"engine": "mtools", "boot_sector": b"\xeb\x3c\x90"}, "p.boot_sector: engine='mtools' leaves "
     f"the boot sector to mkfs.fat, {MUST} (leave it out, or write engine='native' or 'pyfatfs')"),
    ({"engine": "pyfatfs", "reserved": {1: b"stage 2"}}, "p.reserved: engine='pyfatfs' knows no "
     f"contents of reserved sectors, {MUST} (leave it out, or write engine='native')"),
    ({"engine": "guestfish", "attributes": {"a": "h"}}, "p.attributes: engine='guestfish' has no "
     f"call for attributes of FAT, {MUST} (leave it out, or write engine='native' or 'mtools' or "
     "'pyfatfs')"),
    ({"engine": "guestfish", "long_names": False}, "p.long_names: engine='guestfish' writes long "
     f"names, as Linux does, {MUST} (leave it out, or write engine='native' or 'mtools' or "
     "'pyfatfs')"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), BAD_FIELDS)
def test_a_field_that_an_engine_can_t_follow(options, message):
    assert [str(problem) for problem in Fat({"a": b""}, **options).problems("p", MIB, 512)] == [
        message
    ]


@pytest.mark.parametrize("engine", OTHERS)
def test_a_field_with_its_default_is_none(engine):
    fat = Fat({"a": b""}, engine=engine, first=[], reserved={}, attributes={}, boot_sector=None)
    assert list(fat.problems("p", MIB, 512)) == []


BAD_NAMES = [
    ("mtools", "💾.txt", "'💾.txt' has a character outside the BMP, of which mtools makes \"__\""),
    ("mtools", "dir/über.txt", "'dir/über.txt' is written into the short name alone, in a code "
     "page that readers don't know"),
    ("mtools", "a b~", "'a b~' has a \"~\", which mtools takes for its own and makes a name of NUL "
     "bytes"),
    ("mtools", "文" * 86, f"'{'文' * 86}' has a name of more than 255 bytes, which no file for "
     "mtools can have"),
    ("pyfatfs", "x" * 128, f"'{'x' * 128}' has a name of more than 127 UTF-16 units, pyfatfs "
     "writes no longer ones"),
    ("pyfatfs", "READ ME.TXT", "'READ ME.TXT' has a name that pyfatfs takes for an 8.3 name, "
     "which it is not"),
    ("pyfatfs", "Ü", "'Ü' has a name that pyfatfs takes for an 8.3 name, which it is not"),
    ("pyfatfs", "/".join("d" * 102), f"'{'/'.join('d' * 102)}' lies below more than 100 "
     "directories"),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "path", "message"), BAD_NAMES)
def test_a_name_that_an_engine_gets_wrong(bench, engine, path, message):
    with pytest.raises(DescriptionError) as caught:
        bench.make(Fat({path: b"x"}), MIB, engine)
    assert str(caught.value) == (
        f"p.files[{path!r}]: {message}, {MUST} (rename it, or write engine='native')"
    )
    assert read_volume(bench.make(Fat({path: b"x"}), MIB, "native"))[path] == b"x"


@pytest.mark.parametrize(("engine", "path"), [
    ("mtools", "文" * 85), ("pyfatfs", "x" * 127), ("pyfatfs", "/".join("d" * 101)),
], ids=["mtools", "pyfatfs", "pyfatfs, deep"])
def test_the_longest_name_that_an_engine_gets_right(bench, engine, path):
    files = survey(bench.make(Fat({path: b"x"}), MIB, engine)).files
    assert [name for name in files if not name.endswith("/")] == [path]


def test_short_names_that_would_take_mtools_minutes(bench):
    files = {f"dir/longfilename{n}.bin": b"" for n in range(301)}
    with pytest.raises(DescriptionError) as caught:
        bench.make(Fat(files), 8 * MIB, "mtools")
    assert str(caught.value) == (
        "p.files['dir/longfilename0.bin']: 301 names in '/dir' begin with 'LONGFI'; mtools finds "
        f"short names for 300, more take it minutes, {MUST} (spread them over directories, or "
        "write engine='native')"
    )
    del files["dir/longfilename300.bin"]
    before = time.monotonic()
    assert len(survey(bench.make(Fat(files), 8 * MIB, "mtools")).files) == 301
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("engine", OTHERS)
def test_many_files(bench, engine):
    """More names than fit into one call; in one directory, and in many."""
    flat = {f"flat/{n:04} {'name' * 20}": bytes([n % 256]) * n for n in range(1500)}
    deep = {f"{n}/{n}/{n}.x": b"%d" % n for n in range(100)}
    fat = Fat({**flat, **deep}, fat=32, cluster_size=512)
    one, two = (survey(bench.make(fat, 64 * MIB, name)) for name in ("native", engine))
    assert two.errors == ()
    assert list(differences(one, two)) == []


@pytest.mark.parametrize("engine", OTHERS)
def test_a_volume_that_is_full_to_the_last_cluster(bench, engine):
    fat = Fat({"a": b"a" * 1000, "d/b": b"b" * 300_000}, free=0, cluster_size=512)
    for extra in range(4):
        full = Fat({**fat.files, "fill": b"f" * 512 * (2000 + extra)}, free=0, cluster_size=512)
        size = full.room(None, _NoFiles(), "p").length
        one, two = (survey(bench.make(full, size, name)) for name in ("native", engine))
        assert two.errors == ()
        assert list(differences(one, two)) == []


@pytest.mark.parametrize("clusters", [679, 680, 1022, 1023])
@pytest.mark.parametrize("engine", OTHERS)
def test_a_table_that_is_full_to_its_last_entry(bench, engine, clusters):
    """Two sectors of a FAT12's table have 682 entries and four bits: pyfatfs counts 681."""
    full = Fat({"fill": b"f" * 512 * clusters}, free=0, cluster_size=512)
    size = full.room(None, _NoFiles(), "p").length
    one, two = (survey(bench.make(full, size, name)) for name in ("native", engine))
    assert two.errors == ()
    assert list(differences(one, two)) == []


@pytest.mark.parametrize("engine", OTHERS)
def test_a_file_that_native_knows_by_its_parts(bench, engine):
    data = bytes(range(1, 252)) * 60_000 + bytes(4 * MIB) + b"end"
    fat = Fat({"initrd": bench.write("initrd", data), "none": bench.write("none", b"")}, fat=32)
    one, two = (survey(bench.make(fat, 64 * MIB, name)) for name in ("native", engine))
    assert list(differences(one, two)) == []
    assert two.files["initrd"][::2] == (len(data), digest_of(data))


class _NoFiles:
    """Nothing of the host's is asked for."""

    walk = size = None

    def size_before(self, path):
        return None


# Programs ----------------------------------------------------------------------------------------


def test_a_program_that_is_missing(bench, monkeypatch):
    monkeypatch.setenv("PATH", str(bench.folder))
    monkeypatch.setattr(program, "_ALSO", ())
    with pytest.raises(WorldError) as caught:
        bench.make(Fat({"a": b"a"}), MIB, "mtools", programs=False)
    install = "it has to make the payload (install it; in Debian it is in the package"
    assert str(caught.value).splitlines() == [
        f"p.engine: the program mkfs.fat is not installed, {install} dosfstools)",
        f"p.engine: the program mcopy is not installed, {install} mtools)",
    ]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        # The program picks a FAT type by size, as many do when they are not told, or not asked.
        ('args=; while [ $# -gt 1 ]; do case $1 in -F|-s) shift 2;; *) args="$args $1"; shift;; '
         'esac; done; exec {real} $args "$1"',
         "p.engine: BPB_SecPerClus: 04 is there, made by mcopy, 10 was asked for (use another "
         "version of it, or another program)"),
        ("echo 'mkfs.fat: unable to do it' >&2; exit 1",
         "p.engine: mkfs.fat ended with 1: unable to do it, it has to make the payload (fix that "
         "and run doit again)"),
    ],
)  # fmt: skip
def test_a_program_that_does_something_else(bench, monkeypatch, script, message):
    real = tool("mkfs.fat")
    path = bench.folder / "bin/mkfs.fat"
    path.parent.mkdir()
    test = '[ "$1" = --help ] && exit\n'
    path.write_text(f"#!/bin/sh\n{test}{script.replace('{real}', real)}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(WorldError) as caught:
        bench.make(Fat({"a": b"a"}, fat=12), 16 * MIB, "mtools")
    assert message in str(caught.value).splitlines()
    assert bench.left("mtools") == []  # neither a payload nor a folder


# Trees by chance ---------------------------------------------------------------------------------

SIZES = st.sampled_from([0, 1, 511, 512, 513, 1536, 20_487])
NAMES = st.one_of(
    st.text("aAbB~1._ -+[];=,'éß文ж", min_size=1, max_size=20),
    st.text("ab", min_size=1, max_size=3),
    st.from_regex(r"\A[A-Za-z]{1,8}(\.[A-Za-z]{1,3})?\Z"),
    st.builds("longfilename{}.bin".format, st.integers(0, 30)),
    st.integers(110, 130).map(lambda n: "x" * n),
).filter(lambda name: names.fault(name) is None)
TREES = st.recursive(
    SIZES, lambda children: st.dictionaries(NAMES, children, max_size=8), max_leaves=20
).filter(lambda tree: isinstance(tree, dict) and bool(tree))
LETTERS = st.sampled_from(["", "a", "r", "hs", "rhsa"])


def _flat(tree, path=""):
    """Return the files of a tree, without those that FAT takes for another's."""
    files, seen = {}, set()
    for name, node in tree.items():
        if names.fold(name) in seen:
            continue
        seen.add(names.fold(name))
        if isinstance(node, dict):
            files |= _flat(node, f"{path}{name}/")
        else:
            files[path + name] = bytes(i % 251 + 1 for i in range(node))
    return files


@settings(max_examples=int(os.environ.get("TREES", "20")), suppress_health_check=list(HealthCheck))
@given(tree=TREES, fat=st.sampled_from([12, 16, 32]), letters=LETTERS)
def test_trees(shared_bench, tree, fat, letters):
    """Every engine makes the same volume or refuses it, whatever the names."""
    files = _flat(tree)
    assume(files)
    description = Fat(
        files, fat=fat, cluster_size=512, label="LABEL", attributes={max(files): letters}
    )
    size = {12: MIB, 16: 4 * MIB, 32: 34 * MIB}[fat]
    native = survey(shared_bench.make(description, size, "native"))
    assert native.errors == ()
    for engine in OTHERS:
        try:
            made = shared_bench.make(description, size, engine)
        except DescriptionError as error:
            kinds = {type(problem) for problem in error.problems}
            if kinds != {EngineCannot}:
                raise
            continue
        found = survey(made)
        assert found.errors == ()
        assert list(differences(native, found)) == []
        _fsck(made)


# guestfish ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_guestfish(bench):
    """Runs where the packages are; the machine takes some 20 seconds without KVM."""
    if program.find(guestfish.GUESTFISH) is None:
        pytest.skip("guestfish is not installed (Debian package libguestfs-tools)")
    quotes = {"q'$x`.t~t": b"quotes", "dir/über.txt": b"u", "a&b": b""}
    fat = Fat({**FILES, **quotes}, label="EFI SYSTEM", fat=16)
    native = survey(bench.make(fat, 64 * MIB, "native", start=MIB))
    made = bench.make(fat, 64 * MIB, "guestfish", start=MIB)
    found = survey(made)
    assert found.errors == ()
    assert list(differences(native, found)) == []
    _fsck(made)
    _mtools_read(made, bench.folder / "out")
    assert (bench.folder / "out/.hidden").stat().st_mtime == 1_700_000_000


def test_all_of_an_engine_s_volume_is_needed(bench):
    """Which of its clusters are free, only native knows without reading it."""
    tool("mcopy")
    extent = Extent(MIB, 4 * MIB)
    place = Place(
        extent=extent, sector_size=512, identity=uuid.UUID(int=1), epoch=0, bare=False
    )
    for engine, alone in (("native", False), ("mtools", True)):
        fat = Fat({"a": b"a" * 5000}, engine=engine)
        files = RealFiles({}, str(bench.folder / ".bench/esp.payload"), judge=watch)
        picture = fat.fill(place, files, "p")
        assert (list(fat.needed(extent, picture)) == [extent]) is alone


@pytest.mark.parametrize("engine", [*OTHERS, "guestfish"])
@pytest.mark.parametrize("size", [MIB, 40 * MIB])
def test_an_engine_is_asked_for_a_volume_of_that_length(bench, monkeypatch, engine, size):
    asked = []

    def make(self, recipe, where):
        asked.append(recipe)
        raise NotImplementedError

    monkeypatch.setattr(RealFiles, "make", make)
    with pytest.raises(NotImplementedError):
        bench.make(Fat({"a": b"a"}), size, engine)
    assert [recipe.length for recipe in asked] == [size]


def test_engines_are_a_field_of_the_description():
    disk = Disk("os.img", size="16MiB", table=Gpt(), partitions=[
        Partition("esp", Fat({}, engine="mtools", first=["x"]), type="esp", size="4MiB"),
    ])  # fmt: skip
    assert "partitions[0].first: engine='mtools'" in "\n".join(map(str, disk.problems()))
    assert Path("os.img").exists() is False


def test_where_an_engine_puts_a_file_nobody_can_ask():
    boot = BootCode(bytes(512), patches=[Patch(16, "<Q", at.file_lba("boot", "kernel"))])
    disk = Disk("os.img", size="16MiB", table=Mbr(), boot=boot, partitions=[
        Partition("boot", Fat({"kernel": b"k"}, engine="mtools"), size="4MiB"),
    ])  # fmt: skip
    assert [str(problem).split(", must")[0] for problem in disk.problems()] == [
        "boot.patches[0]: at.file_lba('boot', 'kernel'): engine='mtools' decides where it lies, "
        "native says so beforehand"
    ]
