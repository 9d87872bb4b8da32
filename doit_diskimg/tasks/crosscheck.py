"""The task ``os.img:esp:crosscheck``: one volume by every engine, and whether they are the same.

Each engine makes the volume in a file of its own in the state folder, which is removed again; the
image is neither needed nor touched.  The reader is `verify`'s, which is none of the engines.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from doit_diskimg.disk.sockets import Engines
from doit_diskimg.errors import (
    DescriptionError,
    EngineCannot,
    Problem,
    ProgramFailed,
    ProgramMissing,
    WorldError,
)
from doit_diskimg.frozen import dataclass
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import Action

if TYPE_CHECKING:
    from doit_diskimg.disk.sockets import Payload, Place
    from doit_diskimg.plan.picture import Picture
    from doit_diskimg.plan.recipe import Contents
    from doit_diskimg.verify.survey import Survey


@dataclass(frozen=True)
class CrossCheck(Action):
    """Makes one volume with every engine that is installed, and compares what readers see."""

    index: int

    def run(self) -> str:
        """Return what became of each engine, one a line.  Raises WorldError with all differences.
        """
        payload = self.disk.partitions[self.index].payload
        assert isinstance(payload, Engines)
        (first, reference), *others = payload.by_engine().items()
        wanted = self._survey(first, reference)
        problems, lines = list(self._errors(first, wanted)), [f"{first}: {_summary(wanted)}"]
        for name, other in others:
            try:
                found = self._survey(name, other)
            except (DescriptionError, WorldError) as error:
                if not _is_excused(error.problems):
                    raise
                lines.append(f"{name}: {error.problems[0].found}")
                continue
            wrong = [*self._errors(name, found), *self._differences(name, wanted, found)]
            problems += wrong
            lines += [] if wrong else [f"{name}: the same"]
        if problems:
            raise WorldError(*problems)
        return "\n".join(lines)

    def _survey(self, name: str, payload: "Payload") -> "Survey":
        """Make the volume with one engine, read it, and remove it again."""
        from doit_diskimg.chain.pictures import place_of
        from doit_diskimg.host.files import RealFiles
        from doit_diskimg.host.folder import unlink_in
        from doit_diskimg.host.state import read_record
        from doit_diskimg.verify.survey import survey

        part, where = self.disk.partitions[self.index], f"partitions[{self.index}]"
        made = self.state.file(f"{part.name}.{name}", ".payload")
        path = self.state.file(f"{part.name}.{name}", ".volume")
        known = read_record(self.state.file(part.name, ".files.json"))
        files = RealFiles(known, made, judge=_judged_here, session=SESSION)
        place = place_of(self.job, self.index, files)
        try:
            self._write(payload.fill(place, files, where), place, path)
            return survey(path)
        finally:
            for file in (made, path):
                unlink_in(file)

    @staticmethod
    def _write(picture: "Picture", place: "Place", path: str) -> None:
        """Write a volume into a file of its own."""
        from doit_diskimg.host.image import ImageFile, create_sparse
        from doit_diskimg.plan.patch import ImagePatch

        start = place.extent.start
        pieces = (piece._replace(start=piece.start - start) for piece in picture.pieces)
        create_sparse(path, place.extent.length)
        with ImageFile(path, inside=True) as image:
            image.apply(ImagePatch(tuple(pieces)), picture.blob)

    def _errors(self, name: str, found: "Survey") -> Iterator[Problem]:
        for text in found.errors:
            yield self._problem(name, str(text), "a volume must be without errors")

    def _differences(self, name: str, wanted: "Survey", found: "Survey") -> Iterator[Problem]:
        from doit_diskimg.verify.survey import differences

        for text in differences(wanted, found):
            yield self._problem(name, text, "every engine makes the same volume")

    def _problem(self, name: str, found: str, must: str) -> Problem:
        where = f"partitions[{self.index}].engine={name!r}"
        return ProgramFailed(where, found, must, "tell us, with the versions of its programs")


def _judged_here(payload: str, contents: "Contents", where: str) -> "Callable[[], tuple[()]]":
    """Take what an engine makes as it comes: it is compared with the other engines' volumes."""
    return lambda: ()


def _is_excused(problems: tuple[Problem, ...]) -> bool:
    """Whether an engine is not here, or says itself that it can't make this volume."""
    return all(isinstance(problem, (EngineCannot, ProgramMissing)) for problem in problems)


def _summary(survey: "Survey") -> str:
    directories = sum(path.endswith("/") for path in survey.files)
    files = len(survey.files) - directories
    return (
        f"FAT{survey.numbers.get('FAT type')}, {files:,} files, {directories:,} directories, "
        f"label {survey.numbers.get('label')}, volume id {survey.numbers.get('volume id')}"
    )
