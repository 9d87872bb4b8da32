"""`doit clean`: removes the image and its state, and nothing else."""

from collections.abc import Sequence

from doit_diskimg.errors import KeptBytes, WorldError
from doit_diskimg.host.state import StateFolder
from doit_diskimg.tasks.guests import places


def clean(image: str, disk: str, guests: Sequence[str], *, dryrun: bool) -> None:
    """Remove an image and its state, or say with ``dryrun`` what would be removed.

    ``disk`` is the name of its tasks, ``guests`` are the partitions that belong to the guest: if
    one of them is there, nothing is removed.
    """
    try:
        state = StateFolder(image)
        if found := places(state, guests):
            raise WorldError([_not_removed(image, disk, name) for name in found])
        for path in state.remove(dryrun=dryrun):
            print(f"removing file {path!r}")  # noqa: T201  # as doit's own clean does
    except WorldError as error:
        print(error)  # noqa: T201  # doit would show a traceback


def _not_removed(image: str, disk: str, name: str) -> KeptBytes:
    return KeptBytes(
        image, f"{name!r} in it belongs to its guest", "doit clean leaves it, and removes nothing",
        f"give it up by doit {disk}:{name}:reset",
    )
