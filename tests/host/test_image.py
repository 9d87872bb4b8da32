"""The image file: a regular file and nothing else, every byte of it where the plan says."""

import errno
import os
from itertools import pairwise

import pytest
from fakes import render
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doit_diskimg.errors import ImageKind, SourceChanged, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.host import image as image_module
from doit_diskimg.host.hashing import CHUNK
from doit_diskimg.host.image import ImageFile, copy_sparse, create_sparse
from doit_diskimg.host.own import check_target
from doit_diskimg.host.state import StateFolder
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.patch import ImagePatch, diff
from doit_diskimg.plan.picture import Canvas, Picture, Piece

BLOCK = image_module._BLOCK
NOT_ONE = "an image is a regular file and nothing else (name another file; nothing was written)"


def apply(patch, blob=b"", path="image"):
    """Carry out a patch and return how many bytes were written."""
    with ImageFile(path) as image:
        image.apply(patch, blob)
    return image.written


@pytest.fixture(autouse=True, params=["in turn", "side by side"])
def threads(monkeypatch, request):
    """Small pieces are written one after the other, large ones by several threads."""
    if request.param == "side by side":
        monkeypatch.setattr(image_module, "_LARGE", 0)
        monkeypatch.setattr(image_module, "_MUCH", 0)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})


def blank(path, size):
    with open(path, "wb") as file:
        file.truncate(size)


def lines(caught):
    return list(map(str, caught.value.problems))


# Kinds of files ----------------------------------------------------------------------------------


@pytest.fixture
def kinds(here):
    (here / "folder").mkdir()
    os.mkfifo("pipe")
    os.symlink("folder", "link to folder")
    os.symlink("/dev/null", "link to device")
    (here / "file").write_bytes(b"")
    os.symlink("file", "link to file")
    os.symlink("nowhere", "link to nothing")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("folder", "directory"),
        ("pipe", "named pipe"),
        ("/dev/null", "character device"),
        ("link to folder", "symbolic link"),
        ("link to device", "symbolic link"),
        ("link to file", "symbolic link"),
        ("link to nothing", "symbolic link"),
    ],
)
def test_nothing_but_a_regular_file_is_an_image(kinds, path, kind):
    with pytest.raises(WorldError) as caught:
        check_target(path)
    assert lines(caught) == [f"{path}: it is a {kind}, {NOT_ONE}"]
    assert isinstance(caught.value.problems[0], ImageKind)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("folder", "folder: Is a directory, the build has to open the image "
                   "(fix that and run doit again)"),
        ("pipe", f"pipe: it is a named pipe, {NOT_ONE}"),
        ("/dev/null", f"/dev/null: it is a character device, {NOT_ONE}"),
        ("link to device", f"link to device: it is a symbolic link, {NOT_ONE}"),
        ("link to file", f"link to file: it is a symbolic link, {NOT_ONE}"),
        ("missing", "missing: No such file or directory, the build has to open the image "
                    "(fix that and run doit again)"),
    ],
)  # fmt: skip
def test_nothing_but_a_regular_file_is_opened(kinds, path, line):
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(WorldError) as caught:
        ImageFile(path)
    assert lines(caught) == [line]
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("path", ["new", "image", "missing/new", "/dev/shm/new"])
def test_a_file_or_nothing_is_a_good_target(here, path):
    (here / "image").write_bytes(b"")
    check_target(path)


@pytest.mark.parametrize("path", ["/dev/sdz9", "/dev/./sdz9", "devices/sdz9"])
def test_a_new_file_among_the_devices_is_refused(here, path):
    """One wrong letter, and it would have been a disk."""
    (here / "devices").symlink_to("/dev")
    with pytest.raises(WorldError) as caught:
        check_target(path)
    assert lines(caught) == [
        f"{path}: it would lie among the host's devices, an image is a regular file and nothing "
        "else (name a file elsewhere; nothing was written)"
    ]


def test_a_target_that_can_not_be_looked_at_is_refused(here):
    (here / "file").write_bytes(b"")
    with pytest.raises(WorldError, match="Not a directory, the build has to look at the image"):
        check_target("file/below")


# A new image -------------------------------------------------------------------------------------

NEW, COPY = ".os.img/new.img", ".os.img/copy.img"


@pytest.fixture
def inside(here):
    """The state folder, in which new images and copies grow."""
    StateFolder("os.img").make()
    return here / ".os.img"


def test_a_new_image_is_all_zero_and_takes_no_room(here):
    create_sparse(NEW, 1 << 32)
    status = os.stat(NEW)
    assert (status.st_size, status.st_blocks) == (1 << 32, 0)


def test_a_new_image_takes_nothing_over_from_what_was_there(here, inside):
    (here / NEW).write_bytes(b"x" * 100)
    os.link(NEW, "somebody else's")
    create_sparse(NEW, 100)
    assert (here / NEW).read_bytes() == bytes(100)
    assert (here / "somebody else's").read_bytes() == b"x" * 100


def test_a_link_is_replaced_and_not_followed(here, inside):
    (here / "precious").write_bytes(b"x" * 100)
    (here / NEW).symlink_to("../precious")
    create_sparse(NEW, 10)
    assert not (here / NEW).is_symlink()
    assert (here / "precious").read_bytes() == b"x" * 100


@pytest.mark.parametrize(
    ("path", "size", "reason"),
    [
        (NEW, 65_537, "File too large"),
        (".os.img/folder", 512, "Is a directory"),
    ],
)
def test_an_image_that_can_not_be_made_is_an_error_of_the_world(
    inside, no_file_over, path, size, reason
):
    (inside / "folder").mkdir()
    with no_file_over(65_536), pytest.raises(WorldError) as caught:
        create_sparse(path, size)
    assert lines(caught) == [
        f"{path}: {reason}, the build has to create an image of {size:,} bytes "
        "(fix that and run doit again)"
    ]
    left = sorted(os.listdir(inside))
    assert left == ["folder", "owner.json"], "what could not be finished is not left behind"


# A copy of an image ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "end"),
    [
        ({}, 0),
        ({}, 1 << 20),
        ({0: b"x"}, 1),
        ({0: b"head", 40 << 20: b"x" * 5000}, 64 << 20),
        ({3 << 20: b"x" * (2 << 20)}, 5 << 20),
    ],
)
def test_a_copy_has_the_same_bytes_and_the_same_holes(here, inside, data, end):
    blank("image", end)
    with open("image", "r+b") as file:
        for start, piece in data.items():
            file.seek(start)
            file.write(piece)
    copy_sparse("image", COPY)
    assert (here / COPY).read_bytes() == (here / "image").read_bytes()
    assert os.stat(COPY).st_blocks <= os.stat("image").st_blocks
    assert sorted(os.listdir(inside)) == ["copy.img", "owner.json"]


@pytest.fixture(params=["links", "no links"])
def links(request, monkeypatch):
    """FAT and some network file systems have no hard links."""

    def link(*arguments, **more):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", link)


def test_a_copy_is_made_without_links(here, inside, links):
    (here / "image").write_bytes(b"new")
    copy_sparse("image", COPY)
    assert (here / COPY).read_bytes() == b"new"
    assert sorted(os.listdir(inside)) == ["copy.img", "owner.json"]


def test_a_copy_that_is_there_already_stays(here, inside, links):
    """Another task was faster, and may have patched it since."""
    (here / "image").write_bytes(b"old")
    (here / COPY).write_bytes(b"patched")
    copy_sparse("image", COPY)
    assert (here / COPY).read_bytes() == b"patched"
    assert sorted(os.listdir(inside)) == ["copy.img", "owner.json"]


def test_a_copy_that_can_not_be_made_leaves_nothing(here, inside, no_file_over):
    (here / "image").write_bytes(b"x" * 100_000)
    with no_file_over(65_536), pytest.raises(WorldError, match="the build has to copy the image"):
        copy_sparse("image", COPY)
    assert os.listdir(inside) == ["owner.json"]


# Patches -----------------------------------------------------------------------------------------


def test_a_patch_is_carried_out_and_its_bytes_are_counted(here):
    (here / "source").write_bytes(b"0123456789")
    (here / "image").write_bytes(b"." * 30)
    patch = ImagePatch(
        writes=(
            Piece(2, 3, "", 1, ""),
            Piece(10, 4, "source", 3, digest_of(b"3456")),
            Piece(20, 2, "", 0, digest_of(b"ab")),
        ),
        zeros=(Extent(6, 2), Extent(29, 1)),
    )
    assert apply(patch, b"abcdef") == patch.length == 12
    assert (here / "image").read_bytes() == b"..bcd.\0\0..3456......ab.......\0"


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_what_is_longer_than_one_buffer_is_whole(here, length):
    data = os.urandom(length)
    (here / "source").write_bytes(b"skipped" + data + b"not copied")
    blank("image", 2 * length)
    assert apply(ImagePatch((Piece(9, length, "source", 7, digest_of(data)),))) == length
    assert (here / "image").read_bytes() == bytes(9) + data + bytes(length - 9)
    assert apply(ImagePatch(zeros=(Extent(0, 2 * length),))) == 2 * length
    assert (here / "image").read_bytes() == bytes(2 * length)


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (BLOCK * b"x", BLOCK),
        (bytes(BLOCK), 0),
        (bytes(BLOCK - 1), 0),
        (bytes(BLOCK) + BLOCK * b"x", BLOCK),
        (BLOCK * b"x" + bytes(2 * BLOCK) + b"x", BLOCK + 1),
        (bytes(BLOCK - 1) + b"x", BLOCK),
        (b"x" + bytes(BLOCK - 1), BLOCK),
        (bytes(9) + b"x" + bytes(BLOCK - 10), BLOCK),
    ],
)
def test_zeros_are_not_written_to_a_new_image(here, data, written):
    (here / "source").write_bytes(data)
    patch = ImagePatch((Piece(3, len(data), "source", 0, digest_of(data)),))
    for fresh in (True, False):
        blank("image", 9 * BLOCK)
        with ImageFile("image") as image:
            image.apply(patch, b"", fresh=fresh)
        assert (here / "image").read_bytes().strip(b"\0") == data.strip(b"\0")
        assert (here / "image").read_bytes()[3 : 3 + len(data)] == data
        assert image.written == (written if fresh else len(data))


def test_nothing_to_do_writes_nothing(here):
    (here / "image").write_bytes(b"x")
    os.utime("image", ns=(1, 1))
    assert apply(ImagePatch()) == 0
    assert os.stat("image").st_mtime_ns == 1


@given(st.lists(st.binary(max_size=700), min_size=3, max_size=3), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_the_file_is_what_the_model_says(here, contents, swap):
    files = {f"f{index}": data for index, data in enumerate(contents)}
    for name, data in files.items():
        (here / name).write_bytes(data)
    pictures = [Picture()]
    for order in (sorted(files), sorted(files, reverse=swap)):
        canvas = Canvas()
        for index, name in enumerate(order[: 3 - len(pictures) // 2]):
            canvas.file(index * 1024, len(files[name]), name, digest_of(files[name]))
            canvas.data(index * 1024 + 700, files[name][:100])
        pictures.append(canvas.picture())
    blank("image", 4096)
    for old, new in pairwise(pictures):
        apply(diff(old, new), new.blob)
        assert (here / "image").read_bytes() == render(new, 4096, files)


# The world does not keep its word ----------------------------------------------------------------

CHANGED = SourceChanged(
    "source", "it changed while the image was built",
    "must stay as it is until the build is done", "run doit again",
)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"other byte"),
        lambda path: path.write_bytes(b"short"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
    ],
    ids=["other bytes", "shorter", "empty", "gone"],
)
def test_a_source_that_is_not_what_was_planned_is_told(here, change):
    source = here / "source"
    source.write_bytes(b"0123456789")
    piece = Piece(0, 10, "source", 0, digest_of(b"0123456789"))
    change(source)
    blank("image", 512)
    with pytest.raises(WorldError) as caught:
        apply(ImagePatch((piece,)))
    assert caught.value.problems == (CHANGED,)


def test_of_several_sources_that_changed_the_first_is_told(here):
    pieces = []
    for number in range(20):
        (here / f"source{number}").write_bytes(b"planned" if number < 7 else b"changed")
        pieces.append(Piece(number * 512, 7, f"source{number}", 0, digest_of(b"planned")))
    blank("image", 20 * 512)
    with pytest.raises(WorldError) as caught:
        apply(ImagePatch(tuple(pieces)))
    assert [problem.where for problem in caught.value.problems] == ["source7"]
    written = (here / "image").read_bytes()
    assert written[: 7 * 512] == (b"planned" + bytes(505)) * 7


def test_a_source_that_grew_still_has_the_bytes_that_were_planned(here):
    (here / "source").write_bytes(b"0123456789 and more")
    blank("image", 512)
    assert apply(ImagePatch((Piece(0, 10, "source", 0, digest_of(b"0123456789")),))) == 10


def test_a_source_that_became_a_folder_can_not_be_read(here):
    (here / "source").mkdir()
    blank("image", 512)
    with pytest.raises(WorldError, match=r"^source: Is a directory, the build has to read it \("):
        apply(ImagePatch((Piece(0, 10, "source", 0, "digest"),)))


@pytest.mark.parametrize(
    "patch",
    [
        ImagePatch(zeros=(Extent(60_000, 10_000),)),
        ImagePatch(writes=(Piece(60_000, 10_000, "", 0, ""),)),
        ImagePatch(writes=(Piece(60_000, 10_000, "source", 0, digest_of(b"x" * 10_000)),)),
    ],
    ids=["zeros", "blob", "source"],
)
def test_a_write_that_the_system_refuses_is_told(here, no_file_over, patch):
    """It is cut short at the limit, and the rest is refused: as on a disk that becomes full."""
    (here / "image").write_bytes(b"")
    (here / "source").write_bytes(b"x" * 10_000)
    with ImageFile("image") as image, no_file_over(65_536), pytest.raises(WorldError) as caught:
        image.apply(patch, b"x" * 10_000)
    assert image.written == 5_536
    assert lines(caught) == [
        "image: File too large, the build has to write 4,464 bytes at 0x10000 "
        "(fix that and run doit again)"
    ]
