"""The bytes that are read are those that the size promises, or the file is refused by name.

The files are those of a real kernel: /proc says 0 and has bytes, /sys says 4096 and has fewer.
"""

import os
import stat
from pathlib import Path

import pytest
from forked import doit
from project import Project

from doit_diskimg import verify_image
from doit_diskimg.errors import WorldError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.plan.content import Tree, parts

WHERE = "partitions[0]"
MORE = "its size is 0, and it gives more bytes than that, a source must have the bytes"
FEWER = "its size is 4096, and it gives [0-9]+ bytes, a source must have the bytes"
SYS = ("/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/uevent_seqnum",
       "/sys/power/state", "/sys/class/net/lo/mtu")  # fmt: skip


def of_sys():
    for path in SYS:
        if os.path.exists(path) and os.stat(path).st_size == 4096:
            return path
    pytest.skip("there is no /sys here")


def whole(files, path):
    return parts(files, path, files.size(path, WHERE), WHERE)


READERS = {
    "parts": whole,
    "digest": lambda files, path: files.digest(path, WHERE),
    "read": lambda files, path: files.read(path, WHERE),
    "a range": lambda files, path: files.read_range(path, 0, 4, WHERE),
    "a digest of a range": lambda files, path: files.range_digest(path, 0, 4, WHERE),
    "a checksum": lambda files, path: files.crc32(path, 0, 4, 0, WHERE),
    "the digests of its parts": lambda files, path: files.part_digests(path, 1 << 20, WHERE),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("path", "found"),
    [("/proc/version", MORE), ("/proc/self/maps", MORE), ("/sys", FEWER),
     ("/proc/self/mem", "Input/output error, the build has to read it")],
)  # fmt: skip
def test_a_file_that_the_kernel_makes(reader, path, found):
    path = of_sys() if path == "/sys" else path
    with pytest.raises(WorldError, match=f"{path}: {found}"):
        READERS[reader](RealFiles(), path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR])
def test_what_is_no_file_is_not_opened(tmp_path, reader, kind):
    path = tmp_path / "special"
    try:
        os.mknod(path, kind | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root may make device nodes")
    with pytest.raises(WorldError, match=r"is a (named pipe|character device), must be a regular"):
        READERS[reader](RealFiles(), str(path))


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1,
                                  2 << 20, 3 << 20, (3 << 20) + 5])
def test_a_file_that_keeps_its_word(tmp_path, size):
    """Also where the last read of it ends with a block."""
    from doit_diskimg.plan.content import digest_of

    data = bytes(range(251)) * (size // 251 + 1)
    (tmp_path / "file").write_bytes(data[:size])
    files = RealFiles()
    assert files.size(str(tmp_path / "file"), WHERE) == size
    assert files.digest(str(tmp_path / "file"), WHERE) == digest_of(data[:size])
    assert sum(part.length for part in whole(files, str(tmp_path / "file"))) == size


DODO = '''
import os
from doit_diskimg import *
source = "%s"
disk = Disk("os.img", size="16MiB", table=Mbr(), %s)
def task_image():
    return disk.tasks()
'''
USES = {
    "a partition": 'partitions=[Partition("p", File(source), size="1MiB", type=0x83)]',
    "a file of a volume": 'partitions=[Partition("p", Fat({"a": source}), size="1MiB")]',
    "a tree": 'partitions=[Partition("p", Fat({"": Tree("tree")}), size="1MiB")]',
    "a reserved sector": 'partitions=[Partition("p", Fat({}, reserved={2: source}, '
                         'reserved_sectors=64), size="1MiB")]',
    "a segment": 'segments=[Segment("s", source, "8MiB")]',
    "boot code": 'boot=BootCode(source)',
    "sums": 'outputs=[Sha256("sums", of=[source])]',
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_the_old_image_stays(tmp_path, use):
    (tmp_path / "tree").mkdir()
    project = Project(tmp_path, DODO % ("good.bin", USES[use]), image="os.img")
    project.write("good.bin", b"good")
    project.write("tree/file", b"good")
    assert doit(project)[0] == 0
    before = project.sha256()
    project.write("dodo.py", DODO % ("/proc/version", USES[use]))
    if use == "a tree":
        if os.getuid():
            pytest.skip("only root may mount a file over another")
        project.write("dodo.py", DODO % ("good.bin", USES[use].replace('"tree"', '"/proc/sys/vm"')))
    code, said = doit(project)
    assert code != 0
    assert "more bytes than that" in said or "it gives" in said, said
    assert project.sha256() == before


def test_verify_of_a_file_that_the_kernel_makes():
    with pytest.raises(WorldError, match="/proc/version: it has bytes, and its size is 0"):
        verify_image("/proc/version")
    path = of_sys()
    with pytest.raises(WorldError, match=f"{path}: it ends at byte .*, and its size is 4096"):
        verify_image(path)


def test_a_tree_with_files_of_the_kernel(tmp_path):
    files = RealFiles()
    entries = files.walk(Tree("/proc/self/net", include="unix"), WHERE)
    paths = [entry.source for entry in entries if entry.source]
    assert [Path(path).name for path in paths] == ["unix"]
    assert Path(paths[0]).stat().st_size == 0
    with pytest.raises(WorldError, match=MORE):
        whole(files, paths[0])
