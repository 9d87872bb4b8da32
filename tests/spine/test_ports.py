"""The facade for kinds of one's own: whole, importable, and all that the examples of kinds use."""

import re
from pathlib import Path

import pytest

from doit_diskimg import errors, ports

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / "docs").glob("how-to/*.md"), *(ROOT / "docs").glob("reference/*.md"),
    *(ROOT / "examples").rglob("*.py"),
]  # fmt: skip
TO_PROGRAMS = {"doit_diskimg.host.linked_image"}
"""What a page shows to those who start QEMU by themselves."""


def test_every_name_is_there_once():
    assert len(set(ports.__all__)) == len(ports.__all__)
    assert all(hasattr(ports, name) for name in ports.__all__)


def test_every_problem_is_there():
    problems = {
        name for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.Problem | errors.DiskimgError)
    }  # fmt: skip
    assert problems <= set(ports.__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_kinds_of_one_s_own_import_from_nowhere_else(page):
    used = re.findall(r"^(?:from|import) (doit_diskimg\S*)", page.read_text("utf-8"), re.MULTILINE)
    assert set(used) - TO_PROGRAMS <= {"doit_diskimg", "doit_diskimg.ports"}


def test_the_smallest_payload_says_what_its_bytes_are_and_no_more():
    @ports.dataclass(frozen=True)
    class Ones(ports.Payload):
        def fill(self, place, files, where):
            canvas = ports.Canvas()
            canvas.content(place.extent.start, b"\1" * place.extent.length)
            return canvas.picture()

    part = ports.Partition("ones", Ones(), size="1MiB", type="linux-filesystem")
    from doit_diskimg import Disk, Gpt

    assert Disk("os.img", size="4MiB", table=Gpt(), partitions=[part]).problems() == []


def test_a_type_that_the_table_can_t_store_is_said_to_be_the_payload_s():
    @ports.dataclass(frozen=True)
    class Minix(ports.Payload):
        def room(self, size, files, where, sector_size):
            return ports.Room(length=512, type="minix")

    from doit_diskimg import Disk, Gpt
    from doit_diskimg.disk.layout import place

    disk = Disk("os.img", size="4MiB", table=Gpt(), partitions=[ports.Partition("a", Minix())])
    with pytest.raises(ports.DescriptionError) as caught:
        place(disk, [Minix().room(None, None, "", 512)], {})
    assert [*map(str, caught.value.problems)] == [
        "partitions[0].type: 'minix' is not a type that a GPT can store, Minix(...) brings it, and "
        'the table must say what the partition is (write for example type="linux-filesystem")'
    ]
