"""Whatever is edited in whatever order: the image equals a build from nothing, byte for byte.

A Hypothesis state machine edits a project at random and builds it after each step, now by doit and
now by the chain alone: both continue one history.  Other people's tools look at every image.
``EDIT_SEQUENCES=200`` is a long run.
"""

import contextlib
import io
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tools import tool

import doit_diskimg
from doit_diskimg import Disk, Esp, Fat, File, Gpt, Mbr, Partition, Segment, Tree
from doit_diskimg.tasks.chain import shortcut

NAMES = ["kernel.elf", "INITRD.IMG", "a long name with blanks.txt", "Ünïcode.bin", "x", "😀.dat"]
FOLDERS = ["modules", "modules/net", "etc", "etc/a folder with a long name"]
PATHS = [f"{folder}/{name}" for folder in FOLDERS for name in NAMES]
SIZES = [0, 1, 511, 512, 513, 2048, 2049, 40_000, 300_000]


class Edits(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.tools = {name: tool(name) for name in ("fsck.fat", "sgdisk", "sfdisk")}
        self.top = Path(tempfile.mkdtemp(prefix="doit_diskimg-"))
        self.project = self.top / "project"
        self.spec = {
            "table": "gpt", "label": "ONE", "size": 9 << 20, "fat": None, "config": b"0",
            "disk": 20 << 20, "align": "1MiB", "cluster_size": None,
        }
        self.counter = self.builds = 0
        for path, size in (("sysroot/modules/x", 3000), ("boot.efi", 5000), ("root.bin", 70_000)):
            self.put(path, size)

    def teardown(self):
        shutil.rmtree(self.top, ignore_errors=True)

    # Edits ---------------------------------------------------------------------------------------

    @rule(path=st.sampled_from(PATHS), size=st.sampled_from(SIZES))
    def write_file(self, path, size):
        self.put(f"sysroot/{path}", size)

    @rule(path=st.sampled_from(["boot.efi", "root.bin"]), size=st.sampled_from(SIZES[1:]))
    def write_source(self, path, size):
        self.put(path, size)

    @rule(data=st.data())
    def change_within_file(self, data):
        """One byte in the middle: the same size, often within one tick of the clock."""
        file = self.any_file(data)
        if file.stat().st_size:
            with file.open("r+b") as stream:
                stream.seek(file.stat().st_size // 2)
                byte = stream.read(1)
                stream.seek(-1, os.SEEK_CUR)
                stream.write(bytes([byte[0] ^ 1]))

    @rule(data=st.data())
    def touch(self, data):
        os.utime(self.any_file(data))

    @rule(data=st.data())
    def remove_file(self, data):
        files = self.tree_files()
        if files:
            data.draw(st.sampled_from(files)).unlink()

    @rule(data=st.data(), path=st.sampled_from(PATHS))
    def rename_file(self, data, path):
        files = self.tree_files()
        target = self.project / "sysroot" / path
        if files:
            target.parent.mkdir(parents=True, exist_ok=True)
            data.draw(st.sampled_from(files)).replace(target)

    @rule(folder=st.sampled_from(FOLDERS))
    def remove_folder(self, folder):
        shutil.rmtree(self.project / "sysroot" / folder, ignore_errors=True)

    @rule(folder=st.sampled_from(FOLDERS))
    def make_folder(self, folder):
        (self.project / "sysroot" / folder).mkdir(parents=True, exist_ok=True)

    @rule(
        change=st.sampled_from(
            [
                {"label": "TWO"}, {"label": None}, {"config": b"timeout=5\n" * 300},
                {"size": 9 << 20, "fat": 16}, {"size": 3 << 20, "fat": 12}, {"size": 10 << 20},
                {"disk": 24 << 20}, {"table": "mbr"}, {"table": "gpt"}, {"align": 512},
                {"align": "4KiB"}, {"cluster_size": 1024, "size": 9 << 20, "fat": None},
            ]
        )
    )
    def change_spec(self, change):
        self.spec.update(change)

    # Accidents -----------------------------------------------------------------------------------

    @rule(at=st.integers(0, (19 << 20) - 1))
    def somebody_writes_to_the_image(self, at):
        image = self.project / "os.img"
        if image.exists():
            with image.open("r+b") as stream:
                stream.seek(at)
                stream.write(b"guest")

    @rule(data=st.data())
    def lose_a_state_file(self, data):
        state = self.project / ".os.img"
        if state.exists():
            # Without the record, and the seal, and after a guest's write, nothing proves the image.
            files = [path for path in state.iterdir() if path.name != "images.json"]
            data.draw(st.sampled_from(sorted(files))).unlink()

    @rule()
    def lose_the_image(self):
        (self.project / "os.img").unlink(missing_ok=True)

    @rule()
    def lose_the_database(self):
        for file in self.project.glob(".doit.db*"):
            file.unlink()

    @rule()
    def build_and_lose_its_record(self):
        """What a kill at the end of a run leaves: newer results beside an older database."""
        saved = self.top / "saved"
        shutil.rmtree(saved, ignore_errors=True)
        saved.mkdir()
        for file in self.project.glob(".doit.db*"):
            shutil.copy2(file, saved)
        self.put("boot.efi", 1000)
        self.build(self.project)
        for file in self.project.glob(".doit.db*"):
            file.unlink()
        for file in saved.iterdir():
            shutil.copy2(file, self.project)

    # What must hold ------------------------------------------------------------------------------

    @invariant()
    def equals_a_clean_build(self):
        self.build(self.project)
        clean = self.top / "clean"
        ignore = shutil.ignore_patterns("os.img", ".os.img", ".doit.db*")
        shutil.copytree(self.project, clean, ignore=ignore)
        self.build(clean)
        image = self.project / "os.img"
        same = image.read_bytes() == (clean / "os.img").read_bytes()
        shutil.rmtree(clean)
        assert same
        self.judge(image)
        before = image.stat().st_mtime_ns
        self.build(self.project)
        assert image.stat().st_mtime_ns == before, "a second build had something to do"

    def judge(self, image):
        start = self.esp_start
        with image.open("rb") as stream:
            stream.seek(start)
            volume = self.top / "volume"
            volume.write_bytes(stream.read(self.spec["size"]))
        done = run(self.tools["fsck.fat"], "-n", volume)
        assert done.returncode == 0, done.stdout
        assert len(done.stdout.splitlines()) == 2, done.stdout
        assert "No errors" in run(self.tools["sfdisk"], "-V", image).stdout
        if self.spec["table"] == "gpt":
            assert "No problems found" in run(self.tools["sgdisk"], "-v", image).stdout

    # Helpers -------------------------------------------------------------------------------------

    def put(self, path, size):
        self.counter += 1
        file = self.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.Random(self.counter).randbytes(size))

    def tree_files(self):
        return sorted(path for path in (self.project / "sysroot").rglob("*") if path.is_file())

    def any_file(self, data):
        sources = [self.project / "boot.efi", self.project / "root.bin"]
        return data.draw(st.sampled_from(sources + self.tree_files()))

    @property
    def esp_start(self):
        first = 512 if self.spec["table"] == "mbr" else 34 * 512
        align = {"1MiB": 1 << 20, "4KiB": 4096}.get(self.spec["align"], self.spec["align"])
        return -(-first // align) * align

    def build(self, folder):
        spec = self.spec
        options = {name: spec[name] for name in ("label", "fat", "cluster_size")}
        files = {
            "EFI/BOOT/BOOTX64.EFI": "boot.efi", "/": Tree("sysroot"), "loader.conf": spec["config"],
        }
        gpt = spec["table"] == "gpt"
        (folder / "sysroot").mkdir(exist_ok=True)
        disk = Disk(
            "os.img",
            size=spec["disk"],
            table=Gpt() if gpt else Mbr(),
            align=spec["align"],
            partitions=[
                Esp(files, size=spec["size"], **options)
                if gpt
                else Partition("esp", Fat(files, **options), size=spec["size"], active=True),
                Partition("root", File("root.bin"), type="linux-filesystem"),
            ],
            segments=[Segment("boot", b"\xf4" * 440, 0)],
        )
        self.builds += 1
        if self.builds % 4 > 1:
            with contextlib.chdir(folder):
                doit_diskimg.build(disk, shortcut=shortcut)
            return
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            namespace = {"task_image": disk.tasks, "DOIT_CONFIG": {"check_file_uptodate": "xxh3"}}
            code = DoitMain(ModuleTaskLoader(namespace)).run([])
        assert code == 0, out.getvalue() + err.getvalue()


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


TestEdits = Edits.TestCase
TestEdits.settings = settings(
    max_examples=int(os.environ.get("EDIT_SEQUENCES", "6")),
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
