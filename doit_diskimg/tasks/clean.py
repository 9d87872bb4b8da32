"""`doit clean`: removes the image and its state, and nothing else."""

from collections.abc import Sequence

from doit_diskimg.errors import KeptBytes, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.state import StateFolder
from doit_diskimg.tasks.guests import places


@dataclass(frozen=True)
class Clean:
    """A clean action; with ``doit clean -n`` it says what it would remove."""

    image: str
    name: str
    guests: Sequence[str]

    def __repr__(self) -> str:
        return f"<removal of {self.image} and its state folder"  # doit drops the first character

    def __call__(self, dryrun: bool) -> None:
        """Called by doit."""
        try:
            state = StateFolder(self.image)
            if found := places(state, self.guests):
                raise WorldError([_not_removed(self.image, self.name, name) for name in found])
            for path in state.remove(dryrun=dryrun):
                print(f"removing file {path!r}")  # noqa: T201  # as doit's own clean does
        except WorldError as error:
            print(error)  # noqa: T201  # doit would show a traceback


def _not_removed(image: str, disk: str, name: str) -> KeptBytes:
    return KeptBytes(
        image, f"{name!r} in it belongs to its guest", "doit clean leaves it, and removes nothing",
        f"give it up by doit {disk}:{name}:reset",
    )
