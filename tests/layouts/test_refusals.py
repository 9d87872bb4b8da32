"""Every layout that can't be built: all of what a user is told, and nothing is drawn."""

from pathlib import Path

import pytest
from layouts.bad import BAD, Bad
from layouts.drawing import draw
from layouts.good import FILES

from doit_diskimg.errors import DescriptionError


def test_each_refusal_has_a_name_of_its_own() -> None:
    assert len({case.name for case in BAD}) == len(BAD)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_what_cannot_be_built_is_told(tmp_path: Path, case: Bad) -> None:
    with pytest.raises(DescriptionError) as caught:
        draw(case.disk, FILES, tmp_path / "os.img")
    assert [str(problem) for problem in caught.value.problems] == case.problems
    assert not list(tmp_path.iterdir())
