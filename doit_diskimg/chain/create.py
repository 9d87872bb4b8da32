"""The new, empty, sparse image of a new generation, beside the old one.

An image in which a guest wrote nothing but what is its own stays what it is.
"""

from doit_diskimg.chain.guests import listed
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.keeping import settled
from doit_diskimg.chain.results import layout_of, planned
from doit_diskimg.chain.run import is_ours
from doit_diskimg.disk.placed import TABLE, Layout, decode_places
from doit_diskimg.errors import ImageWritten, WorldError
from doit_diskimg.host import kept, seal
from doit_diskimg.host.image import create_sparse
from doit_diskimg.host.kept import Places
from doit_diskimg.host.machine import new_generation, running_as_root
from doit_diskimg.host.patching import alone
from doit_diskimg.host.state import load, write_json
from doit_diskimg.plan.content import FORMAT
from doit_diskimg.plan.picture import Picture

_ROOT = "note: this build runs as root; it does not need to"


def create_image(job: Job) -> str:
    """Write the image and ``generation``; say why, if somebody else gave the reason."""
    with alone(job.state):  # with -n the same run may be about to give up a guest's bytes
        return _create(job)


def _create(job: Job) -> str:
    state, layout, names = job.state, layout_of(job), job.guests
    table = Picture() if job.disk.table is None else planned(state, TABLE)
    found = settled(job, layout, table)
    if found:
        with kept.held_still(state.image, listed(found)):
            if _only_guests_wrote(job, layout, found):
                kept.store(state, found)
                return f"{state.image} is as it was built, but for {listed(found)}"
    news = [_judge_writes(job, found), _ROOT if running_as_root() else ""]
    state.make()
    if found or names:
        kept.store(state, found)
    state.discard()
    generation = new_generation()
    create_sparse(state.building(generation), layout.size)
    # The skeleton is what may not change within a generation.
    skeleton = load(state.file("layout.json"), decode_places)[1]
    data = {"format": FORMAT, "id": generation, "skeleton": skeleton, "persist": names}
    write_json(state.file("generation"), data)
    return "\n".join(filter(None, news))


def _only_guests_wrote(job: Job, layout: Layout, found: Places) -> bool:
    from doit_diskimg.chain.compare import only_guests_wrote

    return only_guests_wrote(job, layout, found)


def _judge_writes(job: Job, found: Places) -> str:
    """Return what to say of an image that somebody else wrote to.  Raises WorldError."""
    path, doubt = job.state.image, seal.doubt(job.state)
    if not doubt or not is_ours(job):  # somebody else's file, which may go
        return ""
    if job.disk.guest_writes == "error":
        raise WorldError(
            ImageWritten(
                path, doubt, "guest_writes='error' refuses to build it anew",
                "save what you need, delete it, and run doit again",
            )
        )
    but = f", but for {listed(found)}" if found else ""
    if doubt == seal.UNKNOWN:
        return f"{path}: {doubt}: it is built anew{but}"
    return f"{path} was written to since it was built: it is built anew{but}"
