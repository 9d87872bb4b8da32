"""What may be where an image is to be: a regular file, or nothing.

Every `doit` asks that before it takes an image, so this imports next to nothing; `image` has the
file itself.
"""

import os
import stat

from doit_diskimg.errors import ImageKind, OwnFile, WorldError
from doit_diskimg.host.folder import MARKER
from doit_diskimg.host.machine import kind_of
from doit_diskimg.host.state import host_failed


def check_target(path: str) -> None:
    """Raise WorldError if an image may not be at ``path``: if something else is there.

    A symbolic link is something else, whatever it leads to: a new image replaces what has the
    name, and the file behind the link would stay what it was.  Nothing may be in a state folder,
    whatever image that is of: two would write and remove there.
    """
    _check_state(path)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        _check_folder(path)
        return
    except OSError as error:
        raise host_failed(path, error, "look at the image") from error
    if not stat.S_ISREG(mode):
        raise not_an_image(path, mode)


def _check_state(path: str) -> None:
    folder = os.path.dirname(path) or os.curdir
    if os.path.lexists(os.path.join(folder, MARKER)):
        raise WorldError(
            OwnFile(
                path, f"{folder!r} is the state folder of an image",
                "a build writes nothing else there", "name a file elsewhere",
            )
        )


def _check_folder(path: str) -> None:
    """Refuse a new file among the devices, where a wrong letter would have been a disk."""
    folder = os.path.realpath(os.path.dirname(path) or os.curdir)
    if (folder + "/").startswith("/dev/") and not (folder + "/").startswith("/dev/shm/"):
        raise WorldError(
            ImageKind(
                path, "it would lie among the host's devices",
                "an image is a regular file and nothing else",
                "name a file elsewhere; nothing was written",
            )
        )


def not_an_image(path: str, mode: int) -> WorldError:
    """Return the error for a file of that mode in the place of an image."""
    return WorldError(
        ImageKind(
            path, f"it is a {kind_of(mode)}", "an image is a regular file and nothing else",
            "name another file; nothing was written",
        )
    )
