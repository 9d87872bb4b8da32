"""`chain.facts`: what a step depends on, and why it runs again."""

import json
import os

import pytest

from doit_diskimg.chain.facts import FACTS, Facts
from doit_diskimg.errors import BadValue, WorldError
from doit_diskimg.host.state import StateFolder

FIRST = "it has not run yet"


class Step:
    """A step with facts that a test sets, and one result."""

    def __init__(self, folder):
        state = StateFolder(str(folder / "os.img"))
        self.path, self.result = state.file("esp:populate", FACTS), str(folder / "result")
        self.found, self.condition = {"the image": "abc", "the length": 3, "its place": [1, 2]}, ""

    def facts(self):
        return Facts(
            lambda before: self.found, self.path, results=[self.result],
            unmet=lambda: self.condition,
        )

    def run(self):
        facts = self.facts()
        facts.look()
        with open(self.result + ".new", "w") as file:
            file.write("made")
        os.replace(self.result + ".new", self.result)
        facts.keep()

    @property
    def why(self):
        return self.facts().difference()


@pytest.fixture
def step(tmp_path):
    step = Step(tmp_path)
    step.run()
    return step


def test_it_runs_at_first_and_not_again(tmp_path):
    step = Step(tmp_path)
    assert step.why == FIRST
    step.run()
    assert step.why == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"the image": "abd"}, "the image changed"),
        ({"the length": 4}, "the length is 4 now and was 3"),
        ({"the length": "3"}, "the length changed"),
        ({"its place": 5}, "its place changed"),
        ({"its place": [1, 3]}, "its place changed"),
        ({"the kernel": "x"}, "the kernel was not asked for before"),
        ({"the image": "x", "its place": []}, "the image changed; its place changed"),
    ],
)
def test_the_fact_that_differs_names_itself(step, change, why):
    step.found = {**step.found, **change}
    assert step.why == why
    step.run()
    assert step.why == ""


def test_a_condition_is_not_compared(step):
    step.condition = "the image is not as the last build left it"
    for _ in range(2):
        assert step.why == step.condition
        step.run()


def test_to_ask_touches_nothing(step):
    step.found = {"the image": "other"}
    before = {path: os.stat(path).st_mtime_ns for path in (step.path, step.result)}
    assert step.why == step.why == "the image changed"
    assert {path: os.stat(path).st_mtime_ns for path in before} == before


def test_what_was_found_before_the_work_is_kept(step):
    facts = step.facts()
    step.found = {"the image": "second"}
    assert facts.difference() == "the image changed"
    step.found = {"the image": "third"}  # while it works
    facts.keep()
    assert step.why == "the image changed"


@pytest.mark.parametrize("harm", ["removed", "written anew"])
def test_a_result_that_the_step_did_not_write_is_no_result(step, harm):
    """Killed after the result and before the facts, and the edit taken back: not up to date."""
    if harm == "removed":
        os.unlink(step.result)
    else:
        with open(step.result + ".new", "w") as file:
            file.write("made")
        os.replace(step.result + ".new", step.result)
    assert step.why == f"{step.result!r} is not what this task wrote there"


def test_facts_that_are_not_whole_are_none(step):
    with open(step.path, "r+") as file:
        data = file.read().replace('"abc"', '"abd"')
        file.seek(0)
        file.write(data)
    assert step.why == FIRST


def test_facts_of_another_version_are_none(step, monkeypatch):
    monkeypatch.setattr("doit_diskimg.chain.facts.FORMAT", -1)
    assert step.why == FIRST


def test_trouble_with_the_facts_is_a_reason_and_the_work_tells_it(step):
    def trouble(before):
        raise WorldError(BadValue("image", "is gone", "must be there", "put it back"))

    facts = Facts(trouble, step.path)
    assert "is gone" in facts.difference()
    with pytest.raises(WorldError):
        facts.look()
    facts.keep()
    assert step.why == ""  # what was known stays


def test_without_a_file_the_facts_are_whose_who_asks(tmp_path):
    facts = Facts(lambda before: {"all": [1, *before.get("all", [])]})
    assert facts.difference() == FIRST
    stored = json.loads(json.dumps(facts.values()))
    assert stored["facts"] == {"all": [1]}
    again = Facts(lambda before: {"all": before["all"]})
    assert again.difference(stored) == ""
