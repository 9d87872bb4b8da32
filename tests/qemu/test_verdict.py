"""Lines of a serial port and what a test makes of them; files of a host and what is found."""

import pytest

from doit_diskimg.host.qemu.verdict import Expectation, Judge, plain, tail

PAUSE = None


@pytest.mark.parametrize(
    ("heard", "expected", "forbidden"),
    [
        ([], None, None),
        ([b"hello world\r\n"], "hello world", None),
        ([b"hel", b"lo wor", b"ld\n"], "hello world", None),
        ([b"hello world"], None, None),  # the line may go on
        ([b"hello world", PAUSE], "hello world", None),  # it does not: a prompt
        ([b"hello wo\xc3", b"\xa9 world\n"], "hello woé world", None),
        ([b"hello world\xff\n"], "hello world\N{REPLACEMENT CHARACTER}", None),
        ([b"\x1b[2J\x1b[01;01H\x1b[=3hhello\x1b[0m world\n"], "hello world", None),
        ([b"hello\nworld\n"], None, None),  # one line at a time
        ([b"panic: no\n"], None, "panic: no"),
        ([b"panic: hello world\n"], "panic: hello world", "panic: hello world"),
        ([b"first\nhello world\nhello world again\n"], "hello world", None),
    ],
)
def test_judge(heard, expected, forbidden):
    judge = Judge(Expectation("hello.*world", "panic", None, 1))
    for data in heard:
        judge.pause() if data is PAUSE else judge.hear(data)
    assert (judge.expected, judge.forbidden) == (expected, forbidden)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("\x1b[2J\x1b[01;01H\x1b[=3h", ""),
        ("a\tb\r", "a b"),
        ("\x1b[1;31mred\x1b[0m \x07bell", "red bell"),
        ("\x1bc\x1b(Breset", "reset"),
    ],
)
def test_plain(line, text):
    assert plain(line) == text


def test_the_tail_has_the_last_lines_that_say_something():
    log = b"".join(b"line %d\r\n\r\n" % number for number in range(100))
    assert tail(log) == [f"line {number}" for number in range(88, 100)]
