"""Lines of a console, registers and logs, and what a test makes of them."""

import pytest

from doit_diskimg.host.qemu.registers import standing
from doit_diskimg.host.qemu.transcript import Transcript
from doit_diskimg.host.qemu.verdict import Expectation, Judge, Lines, plain, tail
from doit_diskimg.kinds.machines.expect import Expect, steps_of
from doit_diskimg.kinds.machines.riscv import RISCV64
from doit_diskimg.kinds.machines.x86 import X86_64

PAUSE = None


def heard(data, steps, forbid=None, status=None, seconds=60):
    """Return a judge that heard pieces of bytes, one a second; None is a pause."""
    judge, lines = Judge(Expectation(steps_of(steps), forbid, status, seconds), 0), Lines()
    for now, piece in enumerate(data):
        for line in lines.hear(piece or b""):
            judge.hear(line, now)
        if piece is PAUSE:
            judge.hear(lines.rest, now, finished=False)
    return judge


NOTHING, PANIC = "no line matched 'hello.*world'", "the line {!r} matches 'panic'"


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        ([], NOTHING),
        ([b"hello world\r\n"], ""),
        ([b"hel", b"lo wor", b"ld\n"], ""),
        ([b"hello world"], NOTHING),  # the line may go on
        ([b"hello world", PAUSE], ""),  # it does not: a prompt
        ([b"hello wo\xc3", b"\xa9 world\n"], ""),
        ([b"hello world\xff\n"], ""),
        ([b"\x1b[2J\x1b[01;01H\x1b[=3hhello\x1b[0m world\n"], ""),
        ([b"hello\nworld\n"], NOTHING),  # one line at a time
        ([b"panic: no\n"], PANIC.format("panic: no")),
        ([b"panic: hello world\n"], PANIC.format("panic: hello world")),
        ([b"hello world\npanic\n"], ""),  # it had passed by then
        ([b"panic\nhello world\n"], PANIC.format("panic")),
        ([b"x" * 5000 + b"\nhello world\n"], ""),
        ([b"x" * 5000 + b"hello world", PAUSE], ""),
    ],
)
def test_judge(data, trouble):
    judge = heard(data, "hello.*world", "panic")
    found = judge.trouble(61)
    assert found.startswith(trouble)
    assert bool(found) == bool(trouble)
    assert judge.has_passed == (not trouble)


LOGIN = Expect("login:").send("root\n").expect("#").send(b"ls\r").expect("^bin")


@pytest.mark.parametrize(
    ("steps", "data", "typed", "waits_for"),
    [
        (["a", "b"], [b"a\nb\n"], b"", ""),
        (["a", "b"], [b"ab\n"], b"", ""),
        (["a", "b"], [b"b\na\n"], b"", "no line matched 'b' (step 2 of 2)"),
        (["a", "a"], [b"a\n"], b"", "no line matched 'a' (step 2 of 2)"),
        (["a", "a"], [b"a", PAUSE, PAUSE], b"", "no line matched 'a' (step 2 of 2)"),
        (["a", "a"], [b"a", PAUSE, b"a\n"], b"", ""),
        (["a", "^b"], [b"ab\n"], b"", "no line matched '^b' (step 2 of 2)"),
        (["a", "b"], [b"axxx\nb\n"], b"", ""),  # the next line counts from its beginning
        (LOGIN, [b"hi\n"], b"", "no line matched 'login:' (step 1 of 3)"),
        (LOGIN, [b"login: ", PAUSE], b"root\n", "no line matched '#' (step 2 of 3)"),
        (LOGIN, [b"login: ", PAUSE, b"root\r\n# "], b"root\n", "no line matched '#'"),
        (LOGIN, [b"login: ", PAUSE, b"root\r\n# ", PAUSE, b"ls\nbin\n"], b"root\nls\r", ""),
        (Expect("é?").send("é"), [b"\xc3\xa9?\n"], b"\xc3\xa9",
         "the guest did not switch the machine off"),
    ],
)
def test_a_script(steps, data, typed, waits_for):
    judge = heard(data, steps)
    assert judge.take_typed() == typed
    assert judge.take_typed() == b""
    assert judge.trouble(61).startswith(waits_for)
    assert judge.has_passed == (not waits_for)


def test_a_script_is_not_changed_by_what_follows():
    first = Expect("login:")
    first.send("root").expect("#")
    assert steps_of(first) == steps_of("login:")
    assert Expect("login:").send("root\n").expect("#").send(b"ls\r").expect("^bin") == LOGIN


@pytest.mark.parametrize(
    ("steps", "data", "now", "trouble"),
    [
        ("x", [b"y\n"], 59.9, ""),
        ("x", [b"y\n"], 60, "no line matched 'x' within 60 s, the last line is 'y'"),
        ("x", [], 60, "no line matched 'x' within 60 s, it said nothing"),
        ("x", [b"y", PAUSE], 60, "no line matched 'x' within 60 s, the last line is 'y'"),
        (Expect("x", timeout=5), [], 4.9, ""),
        (Expect("x", timeout=5), [], 5, "no line matched 'x' within 5 s, it said nothing"),
        (Expect("x", timeout=90), [], 60, "no line matched 'x' within 60 s, it said nothing"),
        (Expect("x").expect("z", timeout=5), [b"", b"", b"", b"x\n"], 7.9, ""),
        (Expect("x").expect("z", timeout=5), [b"", b"", b"", b"x\n"], 8,
         "no line matched 'z' (step 2 of 2) within 5 s of the step before, the last line is 'x'"),
        (Expect("x", timeout=5).expect("z"), [b"x\n"], 59, ""),
        (Expect("x", timeout=5).send("z"), [b"x\n"], 59, ""),
        (Expect("x", timeout=5).send("z"), [b"x\n"], 60, "the guest did not switch the machine "
         "off within 60 s, the last line is 'x'"),
    ],
)
def test_time(steps, data, now, trouble):
    judge = heard(data, steps)
    assert judge.trouble(now) == trouble
    assert (now < judge.deadline) == (not trouble)


@pytest.mark.parametrize(
    ("steps", "wanted", "status", "off", "trouble"),
    [
        (None, None, 0, True, ""),
        (None, None, None, True, ""),
        (None, None, 0, False, "so, it must switch the machine off"),
        (None, 33, 33, False, ""),
        (None, 33, 0, True, "so, QEMU's status must be 33"),
        ("a", None, None, True, "so, no line matched 'a' before that"),
        (Expect("b").send("off"), None, None, True, ""),
        (Expect("b").send("off"), None, None, False, "so, it must switch the machine off"),
        (Expect("a").send("off"), None, None, True, "so, no line matched 'a' before that"),
        (Expect("b").send("off"), 33, 33, False, ""),
    ],
)
def test_the_end_of_the_guest(steps, wanted, status, off, trouble):
    judge = heard([b"b\n"], steps, status=wanted)
    assert judge.trouble(1) == ""
    assert judge.trouble_at_the_end("so", status, off=off) == trouble


@pytest.mark.parametrize(
    ("steps", "status", "exit", "stays"),
    [
        (None, None, None, True),
        ("a", None, X86_64.exit, True),
        (None, None, X86_64.exit, True),  # the device is not there
        (None, 33, X86_64.exit, False),
        ("a", 33, X86_64.exit, False),
        (None, None, RISCV64.exit, False),  # it is always there
        ("a", None, RISCV64.exit, True),
        (Expect("a").send("b"), None, RISCV64.exit, False),
        (Expect("a").send("b"), None, X86_64.exit, True),
        (None, 1, RISCV64.exit, False),
    ],
)
def test_a_machine_stays_if_its_status_is_no_matter(steps, status, exit, stays):
    assert Expectation(steps_of(steps), None, status, 60, exit).stays == stays


def test_a_line_has_an_end():
    """A guest may print for ever without one; what is kept of it must not grow."""
    lines, said = Lines(), b"x" * 100_000
    found = [*lines.hear(said), *lines.hear(said), lines.rest]
    assert {len(line) for line in found[:-1]} == {4096}
    assert len(lines.rest) <= 4096
    assert "".join(found) == "x" * 200_000


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


TABLES = [
    ("EIP=00007c1e EFL=00000246 II=0 A20=1 SMM=0 HLT=1\nCS =0000 00000000 0000ffff 00009b00",
     "the processor was halted at 0x7c1e"),
    ("EIP=0000fff0 EFL=00000002 II=0 A20=1 SMM=0 HLT=0\nCS =f000 ffff0000 0000ffff 00009b00",
     "the processor was at 0xfffffff0"),
    ("R12=0000000000000000 R13=0000000000000000 R14=0000000000000001 R15=0000000000000002\n"
     "RIP=ffffffff80001234 RFL=00000002 HLT=0\nCS =0008 0000000000001000 ffffffff 00af9a00",
     "the processor was at 0xffffffff80001234"),
    (" PC=0000000040080000 X00=0000000000000000", "the processor was at 0x40080000"),
    ("R12=00000000 R13=00000000 R14=00000000 R15=00008000\nPSR=400001d3 -Z-- A svc32",
     "the processor was at 0x8000"),
    (" V      =   0\n pc       0000000080200000\n mhartid  0000000000000000",
     "the processor was at 0x80200000"),
    ("PSW=mask 0000000180000000 addr 0000000007e003e8 cc 00\nR15=0000000000000000",
     "the processor was at 0x7e003e8"),
    ("nothing of the kind", "None"),
    ("", "None"),
]


@pytest.mark.parametrize(("table", "text"), TABLES)
def test_where_a_processor_stands(table, text):
    """Lines of QEMU 7.2's own tables, but for the two last."""
    assert str(standing(table)) == text


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 15, 16, 17, 100])
@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_log_is_bounded(tmp_path, length, step):
    said = bytes(range(65, 65 + length))
    path = tmp_path / "x.serial.log"
    transcript = Transcript(str(path), head=10, tail=6)
    for start in range(0, length, step):
        transcript.write(said[start : start + step])
    if length <= 10:
        assert path.read_bytes() == said  # it can be followed
    transcript.close()
    found = path.read_bytes()
    if length <= 16 or len(found) == length:
        assert found == said
        assert length < 16 + step  # whole pieces are left out
        return
    head, _, rest = found.partition(b"\n[... ")
    count, _, tail = rest.partition(b" bytes left out ...]\n")
    assert head == said[:10]
    assert said.endswith(tail)
    assert 6 <= len(tail) < 6 + step
    assert int(count) + len(head) + len(tail) == length
