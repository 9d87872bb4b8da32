"""What became of the files of a picture, in words."""

import pytest

from doit_diskimg.plan.moves import in_words
from doit_diskimg.plan.picture import Canvas


def picture(text):
    """Read ``a@0+100``: 100 bytes of a at 0, ``a@0+100,100+50`` in parts, ``=v2`` other contents,
    ``/@0`` a directory of a sector.
    """
    canvas = Canvas()
    for word in text.split():
        name, _, places = word.partition("@")
        places, _, version = places.partition("=")
        if name == "/":
            canvas.data(int(places), b"/" * 512)
            continue
        offset = 0
        for place in places.split(","):
            start, length = map(int, place.split("+"))
            canvas.file(start, length, name, f"{name}{version}{offset}", offset)
            offset += length
    return canvas.picture()


@pytest.mark.parametrize(
    ("old", "new", "edits", "moved", "lines"),
    [
        ("a@0+100", "a@0+100", "", "", []),
        ("a@0+100", "a@0+200=v2", "", "", []),  # edited where it lies
        ("a@0+100", "a@9000+200=v2", "", "", []),  # edited, and outgrew its place
        ("a@0+100", "a@0+100 b@512+9", "1 file added", "0 B of others moved", []),
        ("a@0+100 b@512+9", "", "2 files removed", "0 B of others moved", []),
        ("a@0+100", "b@0+9", "1 file added, 1 file removed", "0 B of others moved", []),
        ("a@0+100,100+9", "a@0+100", "", "", []),  # a part is gone
        ("a@0+1000", "b@0+2000 a@4096+1000", "1 file added", "1000 B of others moved",
         ["moved: a (b lies there now)"]),
        ("a@0+1000 b@9000+1", "a@4096+1000", "1 file removed", "1000 B of others moved",
         ["moved: a (another place comes first for it now)"]),
        ("a@0+1000", "/@0 a@4096+1000", "", "1000 B of others moved",
         ["moved: a (a directory lies there now)"]),
        ("a@0+600,600+424", "b@0+9 a@4096+600,4696+424", "1 file added", "1 KiB of others moved",
         ["moved: a (b lies there now)"]),
        # By less than its length: it is not in its own way.
        ("a@512+1000 x@0+512", "a@0+1000", "1 file removed", "1000 B of others moved",
         ["moved: a (another place comes first for it now)"]),
        # A copy that moved, of a file that lies in two places.
        ("a@0+100 a@512+100", "a@0+100 a@4096+100", "", "100 B of others moved",
         ["moved: a (another place comes first for it now)"]),
        ("a@0+10 b@10+20 c@30+30 d@60+40 e@100+50",
         "x@0+200 a@300+10 b@310+20 c@330+30 d@360+40 e@400+50",
         "1 file added", "150 B of others moved",
         ["moved: e (x lies there now)", "moved: d (x lies there now)",
          "moved: c (x lies there now)", "moved: 2 more files"]),
    ],
)  # fmt: skip
def test_in_words(old, new, edits, moved, lines):
    assert in_words(picture(old), picture(new)) == (edits, moved, lines)


def test_inline_bytes_are_no_directory():
    canvas = Canvas()
    canvas.content(0, b"inline" * 200)
    canvas.file(4096, 1000, "a", "a0")
    edits, moved, lines = in_words(picture("a@0+1000"), canvas.picture())
    assert (edits, moved) == ("", "1000 B of others moved")
    assert lines == ["moved: a (inline bytes lie there now)"]
