"""Kinds that a user wrote: what their code does is part of the description, and stays in place."""

import pytest
from project import Project

from doit_diskimg import Disk, Gpt, Partition, WorldError, build
from doit_diskimg.errors import DescriptionError
from doit_diskimg.ports import Canvas, Payload, Room

DODO = """
from doit_diskimg import Compressed, Disk, Partition
from kinds import Pattern

disk = Disk("os.img", size="1MiB", table=None, partitions=[Partition("a", Pattern(), size=4096)],
            outputs=[Compressed("os.img.gz")])

def task_image():
    return disk.tasks()
"""
KINDS = """
from doit_diskimg.ports import Canvas, Payload, Room

class Pattern(Payload):
    def room(self, size, files, where, sector_size):
        return Room(length=4096)

    def fill(self, place, files, where):
        canvas = Canvas()
        canvas.content(place.extent.start, pattern())
        return canvas.picture()

def pattern():
    return b"A" * 4096
"""


def test_an_edit_of_its_code_is_seen(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.write("kinds.py", KINDS)
    project.doit()
    assert project.doit().ran == set()
    project.write("kinds.py", KINDS.replace('b"A"', 'b"B"'))
    done = project.doit()
    assert {"os.img:a:inject", "os.img:seal", "os.img:gz"} <= done.ran
    assert (project.folder / "os.img").read_bytes().count(b"B" * 4096) == 1
    assert project.doit().ran == set()


class Drawn(Payload):
    def __init__(self, draw):
        self.draw = draw

    def room(self, size, files, where, sector_size):
        return Room(length=4096)

    def fill(self, place, files, where):
        canvas = Canvas()
        self.draw(canvas, place.extent)
        return canvas.picture()


class Nothing(Drawn):
    def fill(self, place, files, where):
        return None


def too_long(canvas, extent):
    canvas.content(extent.start, b"x" * (extent.length + 1))


def too_early(canvas, extent):
    canvas.content(extent.start - 512, b"x" * 600)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (Drawn(too_long), "partitions[1]: Drawn.fill drew bytes 2097152 to 2101249 of the disk, "
         "must stay in its partition, 2097152 to 2101248 "
         "(ask for more room in Drawn.room, or draw at place.extent.start)"),
        (Drawn(too_early), "partitions[1]: Drawn.fill drew bytes 2096640 to 2097240 of the disk, "
         "must stay in its partition, 2097152 to 2101248 "
         "(ask for more room in Drawn.room, or draw at place.extent.start)"),
        (Nothing(too_long), "partitions[1]: Nothing.fill returned None, must return a picture "
         "(write Nothing.fill, for example with a canvas (ports.Canvas))"),
    ],
)  # fmt: skip
def test_it_writes_nothing_outside_its_partition(tmp_path, monkeypatch, payload, said):
    monkeypatch.chdir(tmp_path)
    empty = Drawn(lambda canvas, extent: None)
    payloads = {"before": empty, "wild": payload, "after": empty}
    parts = [Partition(name, payload, type="esp") for name, payload in payloads.items()]
    with pytest.raises((DescriptionError, WorldError)) as caught:
        build(Disk("os.img", size="4MiB", table=Gpt(), partitions=parts))
    assert str(caught.value) == said
