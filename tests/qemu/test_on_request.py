"""When a task that is to be asked for runs: on the real doit, with tasks that leave a file."""

import pytest
from project import Project

DODO = '''
from pathlib import Path
from doit_diskimg.tasks.on_request import OnRequest, skipped

def leave(file, task):
    if not skipped(task):
        Path(file).write_text("here")

def on_request(file, **more):
    return {"actions": [(leave, [file])], "uptodate": [OnRequest()], **more}

def task_always(): return {"actions": ["touch always"]}
def task_flash(): return on_request("flash")
def task_shot(): return on_request("shot", targets=["shot"])
def task_many():
    yield on_request("one", name="one")
    yield on_request("two", name="two")
def task_release(): return {"actions": ["touch release"], "task_dep": ["flash"]}
def task_paper(): return {**on_request("paper"), "file_dep": ["shot"], "targets": ["paper"]}
def task_all(): return {"actions": None, "task_dep": ["release", "many"]}
'''


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("flash", "flash"),
        ("always flash", "always flash"),
        ("fl*", "flash"),
        ("release", "flash release"),  # what is needed is asked for
        ("all", "flash one release two"),
        ("many", "one two"),
        ("many:one", "one"),
        ("shot", "shot"),  # the task, and
        ("paper", "paper shot"),
        ("always", "always"),
        ("-n 2 always release", "always flash release"),
        ("-n 2 -P thread always release", "always flash release"),
    ],
)
def test_what_is_named_runs(tmp_path, words, left):
    Project(tmp_path, DODO).doit("run", *words.split())
    found = {file.name for file in tmp_path.iterdir() if "." not in file.name}
    assert found - {"__pycache__"} == set(left.split())


def test_it_runs_each_time(tmp_path):
    project = Project(tmp_path, DODO)
    for _ in range(2):
        assert "flash" in project.doit("flash").ran


def test_a_target_that_is_named_is_made(tmp_path):
    dodo = DODO.replace('on_request("shot", targets=["shot"])',
                        'on_request("screen.png", targets=["screen.png"])')
    project = Project(tmp_path, dodo.replace('"file_dep": ["shot"]', '"file_dep": ["screen.png"]'))
    project.doit("screen.png")
    assert (tmp_path / "screen.png").exists()


def test_plain_doit_runs_one_that_another_task_needs(tmp_path):
    run = Project(tmp_path, DODO).doit()
    assert (tmp_path / "flash").exists()
    assert "paper (on request: doit paper)" in run.out
    assert "shot (on request: doit shot)" in run.out


WITHOUT_DEPENDANTS = DODO.partition("def task_release")[0]


@pytest.mark.parametrize("words", ["", "run", "run -n 2", "run -n 2 -P thread", "run --always"])
def test_plain_doit_leaves_them_alone(tmp_path, words):
    project = Project(tmp_path, WITHOUT_DEPENDANTS)
    for _ in range(2):
        run = project.doit(*words.split())
        assert not {"flash", "shot", "one", "two"} & {file.name for file in tmp_path.iterdir()}
        assert (tmp_path / "always").exists()
        assert "flash (on request: doit flash)" in run.out
        assert "many:one (on request: doit many:one)" in run.out


def test_default_tasks_ask(tmp_path):
    config = 'DOIT_CONFIG = {"default_tasks": ["flash"]}\n'
    project = Project(tmp_path, config + WITHOUT_DEPENDANTS)
    project.doit()
    assert (tmp_path / "flash").exists()
    assert not (tmp_path / "always").exists()


def test_info_says_why_it_would_run(tmp_path):
    run = Project(tmp_path, DODO).doit("info", "flash", code=1)
    assert "It runs whenever it is asked for." in run.out
