"""What runs again after an edit of an example; the READMEs say so."""

from collections.abc import Callable
from typing import Any

import pytest

POPULATE_INJECT_SEAL = [
    "tinyos.img:esp:populate",
    "tinyos.img:esp:inject",
    "tinyos.img:seal",
]

EDITS = [
    pytest.param(
        *("src/main.c", "are free", "are yours"),
        ["compile:main", "link", *POPULATE_INJECT_SEAL],
        id="code",
    ),
    pytest.param(
        *("src/main.c", "/* tinyos: says", "/* It says"),
        ["compile:main"],
        id="comment",
    ),
    pytest.param(
        *("src/memory.h", "or 0 if", "and 0 if"),
        ["compile:main", "compile:memory"],
        id="comment-of-a-header",
    ),
    pytest.param(
        *("sysroot/etc/motd", "Welcome", "Good morning"),
        POPULATE_INJECT_SEAL,
        id="file-of-the-image",
    ),
]


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("name", "old", "new", "tasks"), EDITS)
def test_an_edit_runs_what_depends_on_it(
    example: Callable[[str], Any], name: str, old: str, new: str, tasks: list[str]
) -> None:
    tinyos = example("existing_project")
    tinyos.doit()
    tinyos.edit(name, old, new)
    assert tinyos.doit() == tasks
    assert tinyos.doit() == []


def test_another_message_writes_boot_code_and_files_only(
    example: Callable[[str], Any], boot: Callable[..., None]
) -> None:
    hello = example("hello")
    hello.doit()
    hello.edit("dodo.py", "no root, no mount", "once more, no mount")
    ran = hello.doit()
    assert "hello.img:create" not in ran
    written = {task for task in ran if task.endswith(":inject")}
    assert written == {"hello.img:boot:inject", "hello.img:files:inject"}
    boot("seabios", hello.folder / "build/hello.img", says="once more, no mount", ends=33)
