"""What is kept of a boot for others: JUnit's report."""

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
from guests import boot_code
from machines import Reader, gone, make, start

from doit_diskimg.host.qemu.junit import Case, junit


def suite_of(data):
    """Return the one suite of a report, whose counts are those of its cases."""
    root = ET.fromstring(data)
    assert root.tag == "testsuites"
    (suite,) = root
    cases = suite.findall("testcase")
    assert [child.tag for child in suite] == ["testcase"] * len(cases) + ["system-out"]
    assert suite.get("tests") == str(len(cases))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert suite.get("errors") == str(len(suite.findall("testcase/error")))
    for element in (suite, *cases):
        assert float(element.get("time")) >= 0
    return suite


def test_the_form():
    cases = [
        Case("login", 1.25),
        Case("shell", 2.5, "no line matched '<&\">'", "no line matched '<&\">'\n  | last"),
        Case("disk", 0, "there is no QEMU", "there is no QEMU", is_error=True),
    ]
    suite = suite_of(junit("test", cases, b"one\r\ntwo\n"))
    login, shell, disk = suite.findall("testcase")
    assert (login.get("classname"), login.get("name"), login.get("time")) == (
        "test", "login", "1.250"
    )
    assert [*login] == []
    (failure,) = shell
    assert failure.get("message") == "no line matched '<&\">'"
    assert failure.text == "no line matched '<&\">'\n  | last"
    (error,) = disk
    assert error.tag == "error"
    assert suite.find("system-out").text == "one\ntwo\n"


def test_whatever_a_guest_says_the_report_is_xml():
    said = bytes(range(256)) * 3
    said += "\ufffe\ud800\x1b[1mé]]><![CDATA[".encode("utf-8", "surrogatepass")
    text = suite_of(junit("t\x00\x1b", [Case("\x07", 0, "\x00\ufffe", "\x01")], said))
    assert "é]]><![CDATA[" in text.find("system-out").text
    assert "ABC" in text.find("system-out").text


def test_a_long_log_is_cut():
    out = suite_of(junit("t", [], b"x" * (1 << 20))).find("system-out").text
    assert out.startswith("[... 786,432 bytes left out ...]\nxxx")
    assert len(out) < 300_000


def report(tmp_path):
    return suite_of((tmp_path / "build/boot.xml").read_bytes())


def test_a_report_is_a_target(tmp_path):
    project = make(tmp_path, test='expect="hello", junit="build/boot.xml"')
    project.doit("build/boot.xml")
    (case,) = report(tmp_path).findall("testcase")
    assert (case.get("classname"), case.get("name"), [*case]) == ("boots", "boots", [])
    assert "hello from here" in report(tmp_path).find("system-out").text
    assert "boots" not in project.doit("boots").ran
    (tmp_path / "build/boot.xml").unlink()
    assert "boots" in project.doit("boots").ran

    project.write("boot.bin", boot_code("goodbye\n", "triple fault"))
    said = project.doit("boots", code=1).said
    (failure,) = report(tmp_path).find("testcase")
    assert failure.tag == "failure"
    assert "the guest restarted the machine, by a triple fault perhaps" in failure.get("message")
    assert failure.get("message") in said
    assert failure.text.endswith("| goodbye")
    project.doit("clean", "boots")
    assert not (tmp_path / "build/boot.xml").exists()


def test_a_test_that_could_not_be_made_is_an_error(tmp_path):
    project = make(tmp_path, qemu='program="./no-qemu"', test='expect="x", junit="build/boot.xml"')
    said = project.doit("boots", code=1).said
    (error,) = report(tmp_path).find("testcase")
    assert error.tag == "error"
    assert error.get("message") in said
    assert "./no-qemu: it is not installed" in error.get("message")


def test_a_report_replaces_nothing_of_the_user_s(tmp_path):
    project = make(tmp_path, test='expect="hello", junit="build/boot.xml"')
    project.write("build/boot.xml", b"precious")
    said = project.doit("boots", code=1).said
    assert "build/boot.xml: it is a file that nothing in the state folder proves" in said
    assert (tmp_path / "build/boot.xml").read_bytes() == b"precious"


# Several tests of one boot -----------------------------------------------------------------------

SHARED = '''
def task_shared():
    yield from qemu.test_tasks(%s)
'''


def shared(folder, tests, says="name? ", then="echoes"):
    return make(folder, says=says, then=then, more=SHARED % tests)


def boots(project, *words):
    """Return which of the tests ran, and how often a machine was started."""
    run = project.doit("run", *words)
    return {name for name in run.ran if name.startswith("shared:")}, run.out.count("booted in")


TESTS = """{
    "asks": "^name", "answers": Expect("name").send("Max\\n").expect("Max"), "never": %r,
}, timeout=%s, junit="build/boot.xml"
"""
ALL = {"shared:asks", "shared:answers", "shared:never"}


@pytest.mark.parametrize("mode", [(), ("-n", "3"), ("-n", "3", "-P", "thread")], ids=" ".join)
def test_one_boot_answers_all(tmp_path, mode):
    project = shared(tmp_path, TESTS % ("name", 60))
    run = project.doit("run", *mode, "shared")
    assert run.ran >= ALL
    assert run.out.count("booted in") == 1
    assert [case.get("name") for case in report(tmp_path).findall("testcase")] == [
        "asks", "answers", "never"
    ]
    assert not ALL & project.doit("run", *mode, "shared").ran
    assert gone(tmp_path)


def test_each_passes_or_fails_by_itself(tmp_path):
    project = shared(tmp_path, TESTS % ("Tom", 3))
    for words in (["shared"], ["shared:never"]):  # a failure is not remembered, a pass is
        run = project.doit("run", "--continue", *words, code=None)
        assert run.code
        assert run.ran & ALL == (ALL if words == ["shared"] else {"shared:never"})
        assert "os.img: shared:never: no line matched 'Tom' within 3 s, the last line" in run.said
        assert "(the console's log is 'build/.os.img/shared.serial.log'" in run.said
        assert run.said.count("no line matched") == 1
    suite = report(tmp_path)
    assert suite.get("failures") == "1"
    assert suite.find("testcase[@name='never']/failure") is not None
    assert gone(tmp_path)


PLAIN = '{"a": "hello", "b": %r}'


def test_what_one_expects_is_no_matter_of_another(tmp_path):
    project = shared(tmp_path, PLAIN % "from", "hello from here\n", "halts")
    assert boots(project, "shared") == ({"shared:a", "shared:b"}, 1)
    project.write("dodo.py", project.dodo.replace("'from'", "'here'"))
    assert boots(project, "shared:a") == (set(), 0)
    assert boots(project, "shared") == ({"shared:b"}, 1)
    assert boots(project, "shared") == (set(), 0)
    project.write("boot.bin", boot_code("hello again and here\n", "halts"))
    assert boots(project, "shared") == ({"shared:a", "shared:b"}, 1)


def test_of_those_that_type_each_is_a_matter_of_all(tmp_path):
    project = shared(tmp_path, TESTS % ("name", 60))
    assert boots(project, "shared") == (ALL, 1)
    assert "qemu-system-x86_64 -accel" in project.doit("info", "shared:asks").out
    project.write("dodo.py", project.dodo.replace("Max", "Tom"))
    assert boots(project, "shared") == (ALL, 1)


def test_an_answer_is_taken_once_and_by_its_own_run(tmp_path):
    project = shared(tmp_path, PLAIN % "from", "hello from here\n", "halts")
    assert boots(project, "shared:a") == ({"shared:a"}, 1)
    assert boots(project, "shared:b") == ({"shared:b"}, 1)
    assert boots(project, "--always", "shared") == ({"shared:a", "shared:b"}, 1)
    state = tmp_path / "build/.os.img"
    assert {"shared.boot.json", "shared.boot.lock"} <= {file.name for file in state.iterdir()}
    project.doit("clean", "os.img")
    assert not state.exists()


def test_the_same_task_twice_in_a_process_is_two_boots(tmp_path, monkeypatch, capsys):
    project = shared(tmp_path, PLAIN % "from", "hello from here\n", "halts")
    project.doit("os.img")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(project.dodo, names)
    first, second = (task["actions"][0] for task in names["task_shared"]())
    for action, name, booted in ((first, "a", 1), (second, "b", 0), (second, "b", 1)):
        assert action(SimpleNamespace(name=f"shared:{name}", meta={})) is None
        assert capsys.readouterr().out.count("booted in") == booted


def test_nothing_is_left_of_tests_that_were_killed(tmp_path):
    """One of them boots and the other waits for the answer."""
    project = shared(tmp_path, PLAIN % "never")
    doit = Reader(start(project, "-m", "doit", "run", "-n", "2", "shared"))
    doit.until_a_machine_runs(tmp_path)
    doit.process.kill()
    doit.end()
    assert gone(tmp_path)
    project.write("boot.bin", boot_code("hello, never again\n", "halts"))
    assert boots(project, "shared") == ({"shared:a", "shared:b"}, 1)


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("{}", "tests: {} is given, must be a mapping of names to what is expected"),
        ('["x"]', "tests: ['x'] is given, must be a mapping of names to what is expected"),
        ('{"a:b": "x"}', "tests: 'a:b' has ':', doit can't select a task of that name"),
        ('{"a": "("}', "tests['a']: '(' can't be used: missing ), unterminated subpattern"),
        ('{"a": Expect("x").send(1)}', "tests['a'][1].send: 1 is given, must be text, or bytes"),
        ('{"a": "x"}, junit=5', "test.junit: 5 is not a path, must be the path of an XML file"),
    ],
)
def test_a_bad_description(tmp_path, tests, message):
    said = make(tmp_path, more=SHARED % tests).doit("list", code=3).said
    assert f"ERROR: os.img: qemu: {message}" in said
