"""What a guest shows: a PC's text screen as a console, and parts of any screen."""

import re

import pytest
from guests import on_screen
from machines import gone, make

from doit_diskimg.host.qemu.pixels import read_pixels
from doit_diskimg.host.qemu.text_screen import LENGTH, TextScreen
from doit_diskimg.host.qemu.verdict import Expectation, Judge
from doit_diskimg.kinds.machines.expect import Expect, Screen, steps_of
from doit_diskimg.kinds.machines.keyboard import keys_of
from doit_diskimg.plan.content import digest_of


def memory(rows, first=0):
    """Return the memory of a screen with these rows, grey on black."""
    cells = [b"\x20\x07" * 80 for _ in range(LENGTH // 160)]
    for number, row in enumerate(rows, first):
        cells[number] = b"".join(
            bytes([char, 7]) for char in row.encode("cp437").ljust(80, b"\0")
        )
    return b"".join(cells).ljust(LENGTH, b"\0")


def full(first):
    """Return 25 rows that are all different."""
    return [f"line {number}" for number in range(first, first + 25)]


LOOKS = [
    ([[]], []),
    ([["a"]], ["a..."]),
    ([["a", "b"]], ["a", "b..."]),
    ([["a"], ["a"]], ["a...", "a..."]),
    ([["a"], ["ab"]], ["a...", "ab..."]),
    ([["a"], ["ab", "c"]], ["a...", "ab", "c..."]),
    ([["a"], ["a", "c"]], ["a...", "a", "c..."]),
    ([["a", "b"], ["a", "b", "", "d"]], ["a", "b...", "b", "d..."]),
    ([["a", "b"], []], ["a", "b...", ""]),  # it was cleared
    ([["a", "b"], ["x"]], ["a", "b...", "", "x..."]),
    ([["a", "b"], None, ["a", "bc"]], ["a", "b...", "bc..."]),
    ([["é█ \x01"]], ["é█..."]),  # code page 437; the first 32 are pictures there
    # Rows that moved up say nothing again.
    ([full(0), full(1)], [*full(0)[:-1], "line 24...", "line 24", "line 25..."]),
    ([full(0), full(3)], [*full(0)[:-1], "line 24...", "line 24", "line 25", "line 26",
                          "line 27..."]),
    ([full(0), [*full(1)[:-2], "line 24 goes on", "25"]],
     [*full(0)[:-1], "line 24...", "line 24 goes on", "25..."]),
    ([full(0), full(25)],
     [*full(0)[:-1], "line 24...", *full(25)[:-1], "line 49..."]),  # all is new
    # A clock in the first row does not say the others again.
    ([["12:00", "a", "b"], ["12:01", "a", "b"]], ["12:00", "a", "b...", "12:01", "b..."]),
]  # fmt: skip


@pytest.mark.parametrize(("looks", "heard"), LOOKS)
def test_looks(looks, heard):
    screen, found = TextScreen(), []
    for rows in looks:
        for line, finished in screen.look(None if rows is None else memory(rows)):
            found.append(line if finished else f"{line}...")
    assert found == heard


def test_a_guest_that_scrolls_by_showing_another_part():
    """Linux does; the rows stay where they are."""
    screen = TextScreen()
    [*screen.look(memory(full(0)))]
    assert [*screen.look(memory([*full(0), "line 25", "line 26"]))] == [
        ("line 24", True), ("line 25", True), ("line 26", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("aZ1", [("a",), ("shift", "z"), ("1",)]),
        ("\n \\|", [("ret",), ("spc",), ("backslash",), ("shift", "backslash")]),
        ("$_~", [("shift", "4"), ("shift", "minus"), ("shift", "grave_accent")]),
        ("é", None), ("a\x00", None), ("²", None), ("", []),
    ],
)  # fmt: skip
def test_keys(text, keys):
    assert keys_of(text) == keys


def screen(folder, says, then, test, **more):
    project = make(folder, qemu='console="screen"', test=test, **more)
    project.write("boot.bin", on_screen(says, then))
    return project


def log(folder):
    return (folder / "build/.os.img/boots.serial.log").read_text()


def test_it_is_read(tmp_path):
    project = screen(tmp_path, "hello\r\nfrom the screen", "halts",
                     'expect=["^hello$", "^from the screen$"]')
    assert "booted in" in project.doit("boots").out
    assert "hello\nfrom the screen\n" in log(tmp_path)
    assert "SeaBIOS" in log(tmp_path)
    assert gone(tmp_path)


def test_it_scrolls(tmp_path):
    lines = "\r\n".join(f"line {number}" for number in range(40))
    project = screen(tmp_path, lines, "halts", 'expect="^line 39$"')
    assert "booted in" in project.doit("boots").out


def test_the_last_line_before_the_machine_is_off(tmp_path):
    project = screen(tmp_path, "all is well", "powers off", 'expect="well"')
    assert "booted in" in project.doit("boots").out


def test_it_is_typed_on_the_keyboard(tmp_path):
    script = 'Expect("name").send("Max M-1!\\n").expect("Max M-1!").send("x").expect("^x$")'
    project = screen(tmp_path, "name? ", "types", f"expect={script}, timeout=20")
    assert "booted in" in project.doit("boots").out


def test_a_long_answer(tmp_path):
    script = f'Expect("name").send("{"x" * 80}").expect("^x{{6}}$")'  # the second row
    project = screen(tmp_path, "name? ", "types", f"expect={script}, timeout=20")
    assert "booted in" in project.doit("boots").out


def test_it_fails(tmp_path):
    project = screen(tmp_path, "kernel panic", "halts", 'expect="login", timeout=3')
    said = project.doit("boots", code=1).said
    assert (
        "os.img: boots: no line matched 'login' within 3 s, the last line is 'kernel panic', "
        "the processor was"
    ) in said
    assert said.rstrip().endswith("| kernel panic")


# Pixels ------------------------------------------------------------------------------------------


RED, GREEN, BLUE, BLACK = b"\xff\0\0", b"\0\xff\0", b"\0\0\xff", b"\0\0\0"
PICTURE = read_pixels(b"P6\n3 2\n255\n" + RED + GREEN + BLUE + BLACK + BLACK + RED)


@pytest.mark.parametrize(
    ("part", "pixels"),
    [
        ((0, 0, 1, 1), RED),
        ((1, 0, 2, 1), GREEN + BLUE),
        ((0, 0, 1, 2), RED + BLACK),
        ((1, 0, 2, 2), GREEN + BLUE + BLACK + RED),
        ((0, 0, 3, 2), PICTURE.data),
        ((2, 0, 2, 1), None),
        ((0, 1, 1, 2), None),
    ],
)
def test_a_part_of_a_picture(part, pixels):
    assert PICTURE.digest(Screen(*part)) == ("" if pixels is None else digest_of(pixels))


def test_no_picture():
    assert read_pixels(b"").digest(Screen(0, 0, 1, 1)) == ""


def test_a_screen_is_a_step():
    steps = steps_of(Expect("a").expect(Screen(0, 0, 1, 1, "good")).send("x").expect("^b"))
    judge = Judge(Expectation(steps, "panic", None, 60), 0)
    judge.see(lambda part: "good", 1)
    judge.hear("a", 2)
    assert judge.looks_at == Screen(0, 0, 1, 1, "good")
    judge.hear("b", 3)
    assert not judge.has_passed
    judge.see(lambda part: "bad", 4)
    assert judge.trouble(60) == (
        "the 1x1 pixels at (0, 0) have the digest 'bad' (step 2 of 3) within 60 s, the last line "
        "is 'b'"
    )
    judge.see(lambda part: "good", 5)
    assert judge.take_typed() == b"x"
    assert judge.looks_at is None
    judge.hear("b", 6)
    assert judge.has_passed


def test_no_digest_is_the_digest_of_nothing():
    judge = Judge(Expectation(steps_of(Screen(0, 0, 1, 1)), None, None, 60), 0)
    judge.see(lambda part: "", 1)
    assert judge.trouble(60).startswith("the 1x1 pixels at (0, 0) are not on the screen within")


def test_a_digest_is_written_down(tmp_path):
    test = 'expect=["hello", Screen(0, 0, 180, 16)], timeout=3'
    project = make(tmp_path, test=test, then="powers off")
    said = project.doit("boots", code=1).said
    digest = re.search(
        r"the 180x16 pixels at \(0, 0\) have the digest '(\w{32})' \(step 2 of 2\)", said
    )[1]
    dodo = project.dodo.replace("180, 16)", f"180, 16, {digest!r})").replace("timeout=3", "")
    project.write("dodo.py", dodo)
    assert "booted in" in project.doit("boots").out
    assert "boots" not in project.doit("boots").ran
    project.write("dodo.py", dodo.replace("16, '", "17, '"))
    assert "what is expected changed" in project.doit("info", "boots", code=1).out
    said = project.doit("boots", code=1).said
    assert "the guest switched the machine off, the 180x17 pixels at (0, 0) have the" in said


@pytest.mark.parametrize(
    ("qemu", "test", "message"),
    [
        ("", "expect=Screen(0, -1, 2, 2)", "test.expect.y: -1 is given, must be pixels"),
        ("", 'expect=["x", Screen(0, 0, 0, 2)]', "test.expect[1].width: 0 is given, must be pix"),
        ("", 'expect=Expect("x").expect(Screen(0, 0, 1, 2, 5))', "test.expect[1].digest: 5 is"),
        ("", "expect=Screen(0, 0, 1)", "test.expect.height: it is missing, Screen needs it"),
        ('console="screen"', 'expect=Expect("x").send("é")', "test.expect: 'é' is sent, a text "
         "screen has a US keyboard, which has no key for some of it"),
        ('console="screen"', 'expect=Expect("x").send(b"x")', "test.expect: b'x' is sent, a text"),
        ('console="debugcon"', 'expect=Expect("x").send("y")', "test.expect: 'y' is sent, and "
         "console is 'debugcon', a guest can't read that port"),
        ('arch="riscv64", console="screen"', 'expect="x"', "console: it is 'screen', riscv64 has "
         "no such device"),
        ('console="screen", arguments=["-daemonize"]', 'expect="x"', "arguments: '-daemonize' is "
         "among them, a machine ends with its task"),
    ],
)
def test_a_bad_description(tmp_path, qemu, test, message):
    said = make(tmp_path, qemu=qemu, test=test).doit("list", code=3).said
    assert f"ERROR: os.img: qemu: {message}" in said
