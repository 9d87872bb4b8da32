"""The public interface, pinned: names, signatures, tasks, files of the state folder.

`tests/interface.txt` is the interface as it was meant; ``python tests/test_interface.py`` writes it
anew, and its diff is what users have to be told.
"""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path

import doit_diskimg
from doit_diskimg import (
    Disk,
    Esp,
    Ext,
    Fat,
    File,
    Gpt,
    Partition,
    PartitionFile,
    Qemu,
    Segment,
    Sha256,
)
from doit_diskimg.host import folder
from doit_diskimg.host.paths import normal

PAGE = Path(__file__).with_name("interface.txt")


def described(*, persist: bool = True) -> Disk:
    """Return a disk with a part of each kind that has tasks of its own."""
    return Disk(
        "build/os.img", size="64MiB", table=Gpt(),
        partitions=[
            Esp({"kernel.elf": b"kernel"}, size="8MiB"),
            Partition("root", Ext({"etc/hostname": b"os\n"}), size="8MiB"),
            Partition("raw", File("raw.bin"), type="linux-filesystem", size="1MiB"),
            Partition("data", Fat({}), size="4MiB", persist=persist),
        ],
        segments=[Segment("stage2", b"stage 2", "17KiB")],
        outputs=[PartitionFile("build/esp.img", partition="esp"), Sha256("build/os.sha256")],
    )  # fmt: skip


def tasks() -> Iterator[dict[str, object]]:
    disk = described()
    yield from disk.tasks()
    yield described(persist=False).linked_task()  # it shows no bytes of a guest
    qemu = Qemu(disk)
    yield {"basename": "run", **qemu.run_task()}
    yield {"basename": "test", **qemu.test_task(expect="login:")}


def task_lines() -> Iterator[str]:
    for task in tasks():
        name = ":".join(str(task[key]) for key in ("basename", "name") if task.get(key))
        made = sorted(normal(target) for target in task.get("targets", ()))
        yield f"{name} -> {' '.join(made)}" if made else name


METHODS = {
    "Disk": ["tasks", "linked_task"], "GrubBios": ["task"], "GrubEfi": ["task"], "GrubCd": ["task"],
    "Limine": ["files", "stage2"], "Qemu": ["run_task", "test_task", "gdb_task"],
}  # fmt: skip
"""What a dodo.py calls; all other methods are those of the sockets."""


def signature(value: object) -> str:
    """Return the parameters with their defaults, and no annotations: each Python has its own."""
    parameters = [
        parameter.replace(annotation=parameter.empty, default=(
            parameter.default if parameter.default is not MISSING else ...
        ))
        for parameter in inspect.signature(value).parameters.values()
    ]  # fmt: skip
    return str(inspect.Signature(parameters)).replace("Ellipsis", "...")


def interface() -> str:
    """Return the whole page."""
    lines = ["# Names and parameters"]
    for name in doit_diskimg.__all__:
        value = getattr(doit_diskimg, name)
        if name == "at":
            symbols = filter(inspect.isfunction, vars(value).values())
            lines += [f"at.{made.__name__}{signature(made)}" for made in symbols]
            continue
        lines.append(f"{name}{signature(value)}")
        lines += [
            f"    .{method}{signature(getattr(value, method))}"
            for method in METHODS.get(name, ())
        ]
    lines += ["", "# Tasks and their targets", *task_lines()]
    lines += ["", "# Files of the state folder", *sorted(folder.NAMES)]
    lines += [f"PART{suffix}" for suffix in sorted(folder.SUFFIXES)]
    return "\n".join(lines) + "\n"


def test_the_interface_is_as_it_was_meant():
    assert interface() == PAGE.read_text(encoding="utf-8"), "python tests/test_interface.py"


if __name__ == "__main__":
    PAGE.write_text(interface(), encoding="utf-8")
