"""`doit clean`: removes the image and its state, and nothing else."""


from doit_diskimg.errors import WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.state import StateFolder


@dataclass(frozen=True)
class Clean:
    """A clean action; with ``doit clean -n`` it says what it would remove."""

    image: str

    def __repr__(self) -> str:
        return f"<removal of {self.image} and its state folder"  # doit drops the first character

    def __call__(self, dryrun: bool) -> None:
        """Called by doit."""
        try:
            for path in StateFolder(self.image).remove(dryrun=dryrun):
                print(f"removing file {path!r}")  # noqa: T201  # as doit's own clean does
        except WorldError as error:
            print(error)  # noqa: T201  # doit would show a traceback
