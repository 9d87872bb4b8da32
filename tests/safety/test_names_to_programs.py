"""Names that somebody chose, on their way to a program: as an argument, a quoted word or never.

One table, channels by names.  Each row makes something by the real program of files with that name
and reads it back by other code; what a channel can't say is refused in one line with the name in
it, and what is not in `REFUSED` must arrive as it is.
"""

import json
import os
import shlex
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from tools import run, tool
from volumes import read_volume

from doit_diskimg import Disk, Ext, Fat, Iso, Qcow2, Qemu, Sha256, Tree, Vdi, Vhdx, Vmdk
from doit_diskimg.chain.readback import watch
from doit_diskimg.disk.sockets import Place
from doit_diskimg.errors import DiskimgError, refuse
from doit_diskimg.extent import Extent
from doit_diskimg.host import grub_mkimage
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.qemu.monitor import Monitor
from doit_diskimg.host.session import Session
from doit_diskimg.host.work import RealWork
from doit_diskimg.kinds.bootloaders.grub_image import GrubImage
from doit_diskimg.kinds.machines import command
from doit_diskimg.kinds.machines.drives import file_option
from doit_diskimg.kinds.machines.gdb_script import GdbSession
from doit_diskimg.kinds.machines.x86 import X86_64
from doit_diskimg.kinds.outputs.link_formats import descriptor, link
from doit_diskimg.plan.picture import Picture, Piece
from doit_diskimg.tasks.booting import symbols_word
from doit_diskimg.tasks.gdb_task import Debugging

MIB = 1 << 20
EPOCH = 1700000001
PAYLOAD = ".os.img/p.payload"

NAMES = {
    "newline": b"new\nline",
    "newline at the end": b"end\n",
    "carriage return": b"car\rriage",
    "tab": b"t\tab",
    "other control": b"\x01\x1b[2J",
    "quote": b"q'uote",
    "double quote": b'd"quote',
    "both quotes": b"'\"'\"",
    "backslash": b"back\\slash",
    "backslash at the end": b"end\\",
    "backslash n": b"a\\nb",
    "space": b"a b",
    "leading space": b" a",
    "trailing space": b"a ",
    "hash": b"#h",
    "semicolon": b";s",
    "dollar": b"$HOME",
    "backtick": b"`id`",
    "percent": b"%s%n",
    "star": b"*",
    "question mark": b"?",
    "bracket": b"[a]",
    "brace": b"{a}",
    "tilde": b"~",
    "bang": b"!",
    "shell": b"&|<>()",
    "dash": b"-rf",
    "two dashes": b"--",
    "dash o": b"-o",
    "long option": b"--interval:x",
    "at": b"@at",
    "equals": b"a=b",
    "escaped equals": b"a\\=b",
    "comma": b"a,b",
    "option of QEMU's": b"a,readonly=on",
    "drive letter": b"c:",
    "nbd": b"nbd:localhost:1",
    "json": b'json:{"driver":"raw"}',
    "fat": b"fat:rw:folder",
    "stdio": b"stdio:x",
    "debugfs": b"<2>",
    "no UTF-8": b"\xff\xfe",
    "two bytes": "ü".encode(),
    "255 bytes": b"x" * 255,
}

_CONTROL = {"newline", "newline at the end", "carriage return", "tab", "other control"}
_NOT_FAT = _CONTROL | {
    "double quote", "both quotes", "backslash", "backslash at the end", "backslash n",
    "trailing space", "star", "question mark", "shell", "long option", "escaped equals",
    "drive letter", "nbd", "json", "fat", "stdio", "debugfs", "no UTF-8",
}
_NOT_IN_A_DESCRIPTOR = {"double quote", "both quotes", "json"}

REFUSED = {
    "fat by mtools": _NOT_FAT | {"two bytes"},
    "fat by pyfatfs": _NOT_FAT | {"255 bytes"},
    "fat by guestfish": _NOT_FAT,
    "vmdk": _NOT_IN_A_DESCRIPTOR | _CONTROL,
    "grub": {"newline", "newline at the end"},  # taken for the commands themselves
    "screenshot": {"no UTF-8"},
    "gdb script": _CONTROL | {"no UTF-8"},
}
"""Channel -> the names that it can't say, each of which a line refuses."""


class Disks:
    """The little that an output asks of a disk."""

    partitions = ()
    name, guid = "os.img", uuid.UUID(int=7)

    def __init__(self, image, outputs=()):
        self.image, self.outputs = image, outputs


def tree(name):
    """Write ``tree`` with the name as a file's and as a folder's; return what is in it."""
    files = {f"in/{name}": b"file " + os.fsencode(name), f"{name}/hostname": b"ours"}
    for path, data in files.items():
        file = Path("tree", path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return files


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in Path(folder).rglob("*") if not path.is_dir()}


def output(made, image):
    """Make one output of an image."""
    refuse([*made.problems("output", Disks(image))])
    size = os.path.getsize(image)
    whole = [Extent(0, size)]
    with RealWork(image=image, final=os.fspath(made.path), size=size, epoch=EPOCH, partitions=(),
                  covered=whole, needed=whole) as work:
        made.make(Disks(image, [made]), work, "output")
        work.finish()
    return made.path


def image(name="os.img"):
    Path(name).write_bytes(b"image" + bytes(MIB - 5))
    return name


def extracted(path):
    subprocess.run([tool("xorriso"), "-no_rc", "-osirrox", "on", "-indev", f"./{path}",
                    "-extract", "/", "out"], capture_output=True, check=True)
    subprocess.run(["chmod", "-R", "u+rwX", "out"], check=True)
    return files_below("out")


# The channels: each makes something of ``name`` and asserts that it arrived. ----------------------


def iso_by_tree(name):
    files = tree(name)
    assert extracted(output(Iso("o.iso", files={"t": Tree("tree")}), image())) == {
        f"t/{path}": data for path, data in files.items()
    }


def iso_by_paths(name):
    """Of the source, of the boot code and of the target."""
    Path(name).write_bytes(b"source")
    made = Iso(f"{name[:200]}.iso", files={"f": Path(name)}, boot_code=Path(name))
    path = output(made, image())
    assert extracted(path) == {"f": b"source"}
    assert Path(path).read_bytes().startswith(b"source")


def iso_by_hybrid(name):
    """Of the code for sticks."""
    Path(name).write_bytes(b"isolinux".ljust(432, b"."))
    made = Iso("o.iso", files={"f": bytes(2048)}, bios="f", hybrid=Path(name))
    assert Path(output(made, image())).read_bytes().startswith(b"isolinux....")


def ext(name):
    files = tree(name)
    place = Place(extent=Extent(0, 4 * MIB), sector_size=512, identity=uuid.UUID(int=7),
                  epoch=EPOCH, bare=True)
    Ext(Tree("tree")).fill(place, RealFiles({}, PAYLOAD), "p")
    run("e2fsck", "-fn", PAYLOAD)
    os.mkdir("out")
    run("debugfs", "-R", "rdump / out", PAYLOAD)
    assert files_below("out") == files


def fat_by(engine):
    def channel(name):
        files = tree(name)
        place = Place(extent=Extent(0, 1440 << 10), sector_size=512, identity=uuid.UUID(int=7),
                      epoch=EPOCH, bare=True)
        fat = Fat({"/": Tree("tree")}, label="LABEL", engine=engine)
        fat.fill(place, RealFiles({}, PAYLOAD, judge=watch), "p")
        if engine == "pyfatfs":
            os.mkdir("out")
            run("mcopy", "-s", "-n", "-Q", "-i", PAYLOAD, "::*", "out",
                MTOOLSRC="/dev/null", LC_ALL="C.UTF-8")
            assert files_below("out") == files
        else:  # pyfatfs does not know the bits that keep 8.3 names in lower case
            found = {path.upper(): data for path, data in read_volume(Path(PAYLOAD)).items()
                     if not path.endswith("/")}
            assert found == {path.upper(): data for path, data in files.items()}
    return channel


def fat_by_guestfish(name):
    """The machine is not needed to see what it is told: a word has no character that it reads."""
    files, scripts = tree(name), []

    class Asked(RealFiles):
        def make(self, recipe, where):
            scripts.append(recipe.staged[0].source.decode("ascii"))
            return super().make(replace(recipe, commands=(), musts=(), contents=None), where)

    place = Place(extent=Extent(0, 1440 << 10), sector_size=512, identity=uuid.UUID(int=7),
                  epoch=EPOCH, bare=True)
    Fat({"/": Tree("tree")}, engine="guestfish").fill(place, Asked({}, PAYLOAD), "p")
    uploads = [line.split() for line in scripts[0].splitlines() if line.startswith("upload ")]
    assert len(uploads) == len(files)
    for _, _, word in uploads:
        assert word[0] == word[-1] == '"'
        plain = word[1:-1].encode("ascii").replace(b"\\x", b"\n").split(b"\n")
        path = plain[0] + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in plain[1:])
        assert path.decode() in {f"/{file}" for file in files}


def virtual_disk(kind, suffix):
    def channel(name):
        os.mkdir("folder")
        name = name[:200]
        path = output(kind(name + suffix), image(name))
        said = run("qemu-img", "info", "--output=json", f"./{path}")
        assert json.loads(said)["format"] == suffix[1:]
        run("qemu-img", "compare", "-q", "-f", "raw", "-F", suffix[1:], f"./{name}", f"./{path}")
        assert set(os.listdir()) == {"folder", name, path}
        if suffix == ".vmdk":
            assert f'SPARSE "{path}"\n'.encode("utf-8", "surrogateescape") in (
                Path(path).read_bytes()[:10240]
            )
    return channel


def linked(name):
    """A file that a descriptor can't name is copied instead of linked."""
    os.mkdir("folder")
    data = os.fsencode(name) + os.urandom(1 << 17)
    data += bytes(-len(data) % 512)
    Path(name).write_bytes(data)
    whole = Picture((Piece(512, len(data), os.path.abspath(name), 0, ""),))
    result = link([whole], lambda path, offset, length: b"")
    size = 512 + len(data)
    with open("rest", "wb") as rest:
        rest.truncate(size)
        for piece in result.rest.pieces:
            rest.seek(piece.start)
            rest.write(Path(piece.file).read_bytes()[piece.offset : piece.offset + piece.length])
    text = descriptor(result.links, os.path.abspath("rest"), size, 1)
    Path("d.vmdk").write_bytes(text.encode("utf-8", "surrogateescape"))
    run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", "d.vmdk", "raw")
    assert Path("raw").read_bytes() == bytes(512) + data


def sha256(name):
    path = image(name)
    Path(output(Sha256("sums", of=[path]), path))
    done = subprocess.run([tool("sha256sum"), "--check", "--strict", "sums"], capture_output=True)
    assert (done.returncode, done.stdout[-5:]) == (0, b": OK\n"), done


def grub_image(name):
    if not os.path.isdir("/usr/lib/grub/i386-pc"):
        tool("grub-bios-setup")  # of the same package; says what to install
    tool("grub-mkimage")
    Path(name).write_bytes(b"echo " + b"y" * 300)
    os.symlink("/usr/lib/grub/i386-pc", "directory " + name[:200])
    made = GrubImage(f"{name[:200]}.img", format="i386-pc", modules=["echo"], config=name,
                     directory=f"directory {name[:200]}", prefix="(,gpt2)/-a b;#'\"$")
    refuse(made.problems())
    grub_mkimage.make(made, Session())
    file = f"{name[:200]}.img"
    assert set(os.listdir()) == {name, file, f".{file}", f"directory {name[:200]}"}
    again = replace(made, path="again.img", directory="/usr/lib/grub/i386-pc")
    grub_mkimage.make(again, Session())
    assert Path(made.path).read_bytes() == Path("again.img").read_bytes()


def gdb(name):
    """The line is for a shell."""
    qemu = Qemu(Disk("os.img", size="1MiB", table=None), symbols=name)
    line = symbols_word(qemu)
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' -q {line}"], capture_output=True)
    expected = f"./{name}" if name.startswith("-") else name
    assert done.stdout == b"-q\0" + os.fsencode(expected) + b"\0"
    assert [expected] == shlex.split(line)


def gdb_script(name):
    """gdb reads the symbols of the file of that name."""
    source = "int function(void) { return 0; }"
    run("gcc", "-g", "-c", "-xc", "-o", "symbols.o", "-", stdin=source)
    os.rename("symbols.o", name)
    wish = Debugging(path="a.gdb", stop=(), symbols=(Path(name),), efi={}, port=1, launch=None)
    refuse([*wish.problems()])
    session = GdbSession(architecture=X86_64, memory=None, port=1, stops=(),
                         loaded=tuple(wish.loaded()))
    (line,) = [it for it in session.script("").splitlines() if it.startswith("add-symbol-file")]
    Path("read.gdb").write_text(f"set confirm off\n{line}\n")
    said = run("gdb-multiarch", "-nx", "-batch", "-x", "read.gdb", "-ex", "info line function")
    assert 'Line 1 of "<stdin>" starts at address' in said


CHANNELS = {
    "iso by tree": (iso_by_tree, ["xorriso"]),
    "iso by paths": (iso_by_paths, ["xorriso"]),
    "iso by hybrid": (iso_by_hybrid, ["xorriso"]),
    "ext": (ext, ["mke2fs", "debugfs", "e2fsck"]),
    "fat by mtools": (fat_by("mtools"), ["mkfs.fat", "mcopy"]),
    "fat by pyfatfs": (fat_by("pyfatfs"), ["mcopy"]),
    "fat by guestfish": (fat_by_guestfish, []),
    "qcow2": (virtual_disk(Qcow2, ".qcow2"), ["qemu-img"]),
    "vdi": (virtual_disk(Vdi, ".vdi"), ["qemu-img"]),
    "vmdk": (virtual_disk(Vmdk, ".vmdk"), ["qemu-img"]),
    "vhdx": (virtual_disk(Vhdx, ".vhdx"), ["qemu-img"]),
    "linked": (linked, ["qemu-img"]),
    "sha256": (sha256, ["sha256sum"]),
    "grub": (grub_image, []),
    "gdb": (gdb, []),
    "gdb script": (gdb_script, ["gcc", "gdb-multiarch"]),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_name_arrives_or_is_refused(tmp_path, monkeypatch, channel, name):
    monkeypatch.chdir(tmp_path)
    work, programs = CHANNELS[channel]
    for program in programs:
        tool(program)
    text = os.fsdecode(NAMES[name])
    if name in REFUSED.get(channel, ()):
        with pytest.raises(DiskimgError) as refused:
            work(text)
        assert_named(refused.value, text)
    else:
        work(text)


def assert_named(error, name):
    """Each problem is one line, and one of them has the name in it."""
    lines = [str(problem) for problem in error.problems]
    assert all(line.isprintable() for line in lines)
    written = repr(name)[1:-1]
    assert any(written in line or written.replace("\\\\", "\\") in line for line in lines), lines


def test_a_name_does_not_put_another_folder_into_an_iso(tmp_path, monkeypatch):
    """Of three lines in xorriso's list, one was a path of the host's, with all below it."""
    tool("xorriso")
    monkeypatch.chdir(tmp_path)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "secret").write_bytes(b"secret")
    evil = Path("tree").joinpath(*victim.parts[1:-1], "victim\nx")
    evil.parent.mkdir(parents=True)
    evil.write_bytes(b"ours")
    for path in (evil.with_name("victim"), Path("x")):  # what the two other lines name
        path.touch()
    found = extracted(output(Iso("o.iso", files={"": Tree("tree")}), image()))
    above = str(evil.parent.relative_to("tree"))
    assert found == {f"{above}/victim": b"", f"{above}/victim\nx": b"ours"}


OPTIONS = [
    (Qcow2("a", options={"cluster_size": "128k", "lazy_refcounts": "off"}), ""),
    (Qcow2("a", options={"cluster_size=1,data_file": "victim"}),
     "'cluster_size=1,data_file' is not an option, must be the name of an option of "
     "qemu-img's (write "
     "its value as the value)"),
    (Qcow2("a", options={"data_file": "victim"}),
     "'data_file' is about another file, an output is one file, which needs no other (leave it "
     "out)"),
    (Qcow2("a", options={"backing_file": "victim"}),
     "'backing_file' is about another file, an output is one file, which needs no other (leave it "
     "out)"),
    (Vmdk("a", options={"subformat": "monolithicFlat"}),
     "'subformat' is the field subformat, a value is given once (write subformat=)"),
    (Qcow2("a", options={"compression_type": "zstd"}),
     "'compression_type' is the field compress, a value is given once (write compress=)"),
    (Vdi("a", options={"static": b"on"}),
     "static is b'on', must be text or a number (change it)"),
    (Vhdx("a", options=["log_size=1M"]),
     "['log_size=1M'] is not a mapping, must be options of qemu-img and their values (write for "
     'example {"cluster_size": "128k"})'),
]


@pytest.mark.parametrize(("made", "expected"), OPTIONS)
def test_options_of_qemu_img(made, expected):
    problems = [str(problem) for problem in made.problems("outputs[0]", Disks("os.img"))]
    assert problems == ([f"outputs[0].options: {expected}"] if expected else [])


@pytest.fixture(scope="module")
def qemu(tmp_path_factory):
    """One QEMU with a disk of each name, which it has not begun to run; and its monitor."""
    program = tool("qemu-system-x86_64")
    folder = tmp_path_factory.mktemp("qemu")
    argv = [program, "-accel", "tcg", "-display", "none", "-S", "-net", "none"]
    (folder / "folder").mkdir()
    for number, name in enumerate(NAMES.values()):
        (folder / os.fsdecode(name)).write_bytes(bytes(512 * (number + 1)))
        option = file_option(os.fsdecode(name))
        argv += ["-drive", f"format=raw,if=none,id=d{number},snapshot=on,{option}"]
    monitor = Monitor()
    process = subprocess.Popen([*argv, *command.monitor(monitor.handle)], cwd=folder,
                               pass_fds=[monitor.handle], stderr=subprocess.PIPE)
    monitor.given()
    yield folder, monitor, process
    process.kill()
    process.wait()
    monitor.close()
    process.stderr.close()


def asked(monitor, question):
    return monitor.call(question)["return"]


def test_qemu_opens_the_file_of_that_name(qemu):
    _, monitor, process = qemu
    answer = asked(monitor, "query-block")
    assert process.poll() is None
    sizes = {disk["device"]: disk["inserted"]["image"]["virtual-size"] for disk in answer
             if "inserted" in disk}
    assert sizes == {f"d{number}": 512 * (number + 1) for number in range(len(NAMES))}


@pytest.mark.parametrize("name", NAMES)
def test_a_screenshot_is_saved_under_its_name(qemu, monkeypatch, name):
    folder, monitor, _ = qemu
    monkeypatch.chdir(folder)
    path = os.fsdecode(NAMES[name])[:200] + ".png"
    asked(monitor, "query-status")
    error = monitor.screendump(path)
    if name in REFUSED["screenshot"]:
        assert error == f"QEMU's monitor takes no path that is not UTF-8, such as {path!r}"
    else:
        assert error == ""
        assert Path(path).read_bytes().startswith(b"\x89PNG")
