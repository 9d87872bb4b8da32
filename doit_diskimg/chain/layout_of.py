"""The layout of a disk, as the table's step wrote it."""

from doit_diskimg.chain.job import Job
from doit_diskimg.disk.placed import Layout, decode_layout
from doit_diskimg.host.state import load


def layout_of(job: Job) -> Layout:
    """Return the layout of a disk.  Raises WorldError."""
    return load(job.state.file("layout.json"), decode_layout)
