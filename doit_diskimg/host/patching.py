"""Opening the image for an injection, whoever else has it.

A new generation is patched where it grows, in the state folder.  A finished image is patched in
place, unless a QEMU has it open: a guest must not see bytes change under its feet.  Then the
injections go into a copy, which takes the image's place when it is sealed, and the guest keeps the
file that it has.
"""

from doit_diskimg.errors import ImageBusy, WorldError
from doit_diskimg.host import kept
from doit_diskimg.host.image import ImageFile, copy_sparse
from doit_diskimg.host.lock import holders
from doit_diskimg.host.seal import break_seal
from doit_diskimg.host.state import StateFolder


def open_for_patching(
    state: StateFolder, generation: str, busy: str, guests: str = ""
) -> tuple[ImageFile, str]:
    """Return the image to inject into, and what to tell the user, if anything.

    ``busy`` is the description's word for what to do when a QEMU has the image.  ``guests`` names
    what belongs to the guest: a copy would not have what a QEMU writes there.  Raises WorldError.
    """
    path, building = state.current(generation), state.building(generation)
    image = ImageFile(path)
    if path != state.image:
        return image, ""
    if image.is_free():
        # Before the first byte: whatever happens from here on, this image is not finished.
        break_seal(state)
        return image, ""
    guest_writes = bool(guests) and image.is_written()
    image.close()
    if guest_writes:
        raise kept.busy(path, guests)
    who = _who(holders(path))
    if busy == "error":
        raise WorldError(
            [
                ImageBusy(
                    path, f"it is open in {who}", "busy='error' refuses to build it now",
                    "end that program, or leave busy out to have a new file put in its place",
                )
            ]
        )
    copy_sparse(path, building)
    return ImageFile(building), f"{path} is open in {who}, which keeps the old file"


def _who(pids: list[int]) -> str:
    return f"QEMU (pid {', '.join(map(str, pids))})" if pids else "a QEMU"
