"""Work on one image: what is asked before it, and what becomes of it when it fails."""

from collections.abc import Callable

from doit_diskimg.chain import proof
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.step import no_collector
from doit_diskimg.errors import DiskimgError
from doit_diskimg.host.failure import failed
from doit_diskimg.host.own import check_target


def run(job: Job, work: Callable[[], str | None]) -> str | None:
    """Do the work on an image, which must be ours; return what to tell the user, if anything.

    Raises DescriptionError or WorldError, with what is known of sources that change all the time;
    an unfinished image is removed if its room has ended.
    """
    try:
        check_target(job.state.image)
        job.state.check()
        proof.check(job)
        with no_collector():
            return work()
    except DiskimgError as error:
        raise failed(job.state, error) from error
