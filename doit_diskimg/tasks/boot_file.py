"""A file of the user's project that a boot makes: a picture of the screen, a report."""

from doit_diskimg.chain.job import CLAIMS
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import own
from doit_diskimg.host.own import check_target
from doit_diskimg.host.scratch import Scratch
from doit_diskimg.host.state import StateFolder, host_failed


@dataclass(frozen=True)
class BootFile:
    """The file at ``path``, whose ``kind`` is what it is called in the state folder of ``image``.

    ``replace`` lets a file go that is not ours.
    """

    image: str
    kind: str
    path: str
    replace: bool

    @property
    def claims(self) -> str:
        """The path of the record that says which file is ours."""
        return StateFolder(self.image).file(f"{self.kind}:{self.path}", CLAIMS)

    def check(self) -> None:
        """Raise WorldError if what is there is not ours."""
        check_target(self.path)
        own.check_file(self.claims, self.path, replace=self.replace)

    def claim(self, new: str) -> None:
        """Record that a file is ours that is about to get the name.  Raises WorldError."""
        own.claim(self.claims, new, self.path)

    def write(self, data: bytes) -> None:
        """Replace the file.  Raises WorldError."""
        try:
            with Scratch(self.path) as scratch:
                with open(scratch.target, "xb") as file:
                    file.write(data)
                self.claim(scratch.target)
                scratch.finish()
        except OSError as error:
            raise host_failed(self.path, error, "write what became of a boot") from error
