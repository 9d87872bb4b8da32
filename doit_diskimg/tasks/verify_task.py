"""The task ``os.img:verify``: reads the finished image back, with other code than wrote it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from doit_diskimg.disk.placed import decode_layout
from doit_diskimg.disk.sockets import Listed
from doit_diskimg.errors import ImageWrong, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.state import load, read_record
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import decode_plan, decode_receipt
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import Action

if TYPE_CHECKING:
    from doit_diskimg.verify.finding import Finding


@dataclass(frozen=True)
class Verify(Action):
    """Compares the image with the plans and the sources, and looks for defects of any kind."""

    parts: Sequence[str]

    def run(self) -> str:
        """Return the warnings, one a line.  Raises WorldError with all errors."""
        from doit_diskimg.chain.compare import compare_bytes
        from doit_diskimg.chain.guests import ours
        from doit_diskimg.verify.judge import Known, inspect
        from doit_diskimg.verify.source import Source
        from doit_diskimg.verify.survey import compare_files

        layout = load(self.state.file("layout.json"), decode_layout)
        parts = ours(self.state, self.parts)
        guests = [layout.extent(part) for part in self.parts if part not in parts]
        volumes = {
            layout.extent(part.name).start: index
            for index, part in enumerate(self.disk.partitions)
            if isinstance(part.payload, Listed) and part.name in parts
        }
        known = [
            Known(self.disk.partitions[index].name, start,
                  layout.extent(self.disk.partitions[index].name).length)
            for start, index in volumes.items()
        ]
        pictures = [load(self.state.file(part, ".injected"), _injected) for part in parts]
        with Source(self.state.image) as source:
            report = inspect(source, known=known)
            compare_bytes(source, layout.size, pictures, report.disk, guests)
            for checked in report.volumes:
                if checked.looked and (index := volumes.pop(checked.start, None)) is not None:
                    compare_files(checked, self._wanted(index))
            found = report.findings()
        # A guest's own volume is looked at, and is what the guest made of it.
        own = [one for checked in report.volumes for one in checked.found
               if checked.start in {extent.start for extent in guests}]
        errors = [one for one in found if one.is_error and one not in own]
        if errors:
            raise WorldError(*[_problem(one) for one in errors])
        return "\n".join([*map(str, found), "no errors"])

    def _wanted(self, index: int) -> Mapping[str, str | None]:
        """Return the digest of every file that must be in a volume, None for its directories."""
        part = self.disk.partitions[index]
        assert isinstance(part.payload, Listed)
        known = read_record(self.state.file(part.name, ".files.json"))
        files = RealFiles(known, session=SESSION)
        return part.payload.listing(files, f"partitions[{index}]")


def _injected(receipt: bytes) -> Picture:
    return decode_plan(decode_receipt(receipt)[1])


def _problem(finding: "Finding") -> ImageWrong:
    from doit_diskimg.verify.catalogue import RULES

    must = "a finished image must be without errors"
    return ImageWrong("verify", str(finding), must, RULES[finding.code].remedy)
