"""Parts that need no step of their own to be planned: planned on the spot, and injected.

Apart from `inject`, since an edit of a file in a volume needs no planner.
"""

from doit_diskimg.chain.inject import inject_plan, left_alone
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.pictures import fill, fill_segment
from doit_diskimg.chain.populate import asking
from doit_diskimg.chain.results import layout_of
from doit_diskimg.chain.step import Step
from doit_diskimg.disk.segment import signature_note
from doit_diskimg.host.files import RealFiles
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import encode_plan


def inject_file(step: Step) -> str:
    """Inject a payload that needs no file system: it is planned on the spot."""
    if text := left_alone(step.job, step.part):
        return text
    with asking(step) as files:
        return inject_plan(step, encode_plan(fill(step.job, step.index, files)))


def inject_segment(step: Step) -> str:
    """Inject bytes outside the partitions."""
    job = step.job
    with asking(step) as files:
        picture = fill_segment(job, step.index, files)
        text = inject_plan(step, encode_plan(picture))
        note = "" if job.disk.table else _note(job, step.index, picture, files)
    return "\n".join(filter(None, (text, note)))


def _note(job: Job, index: int, picture: Picture, files: RealFiles) -> str:
    where, segment = job.disk.outside[index]
    layout = layout_of(job)
    others = [region.extent for region in layout.regions if region.name != segment.name]
    return signature_note(where, layout.extent(segment.name), others, picture, files)
