"""The action of `Qemu.firmware_task`, and what makes it run again."""

import time
from typing import Any

from doit.exceptions import TaskFailed

from doit_diskimg.chain.facts import Facts
from doit_diskimg.errors import BootFailed, DiskimgError, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.qemu.firmware_state import NotTakenError
from doit_diskimg.host.qemu.warm_start import Warmth
from doit_diskimg.host.state import host_failed
from doit_diskimg.host.terminal import say
from doit_diskimg.tasks.boots import Boot
from doit_diskimg.tasks.on_request import skipped
from doit_diskimg.tasks.warming import warmth_of


@dataclass(frozen=True)
class Take(Boot):
    """Takes the state of the machine behind its firmware."""

    def __call__(self, task: Any) -> TaskFailed | None:
        """Called by doit."""
        if skipped(task):
            return None
        began = time.monotonic()
        try:
            warmth = self.warmth()
            if why := warmth.obstacle():
                raise _impossible(why)
            warmth.take()
        except NotTakenError as error:
            return self.failed(_impossible(str(error)))
        except DiskimgError as error:
            return self.failed(error)
        except OSError as error:
            return self.failed(host_failed(self.qemu.qemu, error, "take the firmware's state"))
        say(f"waited {time.monotonic() - began:.1f} s for the firmware")
        return None

    def warmth(self) -> Warmth:
        """Return the states of the machine.  Raises WorldError."""
        return warmth_of(self.machine, self.host(), self.qemu.home)


def _impossible(why: str) -> WorldError:
    return WorldError(BootFailed(
        "firmware", why, "to go on behind it a machine needs UEFI in which a helper of ours waits",
        "leave the task out, the machine starts cold",
    ))


def facts_of(take: Take) -> Facts:
    """Return when it runs: a state has the name of all that it depends on, so it is there or not.
    """

    def unmet() -> str:
        try:
            there = take.warmth().is_there()
        except OSError as error:
            raise host_failed(take.qemu.qemu, error, "look what is in the machine") from error
        return "" if there else "there is no state of this machine, QEMU and firmware"

    return Facts(None, unmet=unmet)
