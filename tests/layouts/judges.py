"""What other people's tools say about an image, in short lines.

Number, first sector, sectors, type:

    1 2048 8192 0c active        as sfdisk reads an MBR
    1 2048 8192 esp 'boot'       and a GPT; the name of the type is ours, judged elsewhere
"""

import json
import re
import subprocess
from pathlib import Path

from tools import run, tool

from doit_diskimg.ondisk.guids import GPT_TYPES

TYPE_NAMES = {guid.upper(): name for name, guid in reversed(GPT_TYPES.items())}


def sfdisk(image: Path) -> list[str]:
    """Return the partitions that sfdisk sees."""
    table = json.loads(run("sfdisk", "--json", image))["partitiontable"]
    lines = []
    for part in table.get("partitions", []):
        words = [part["node"].removeprefix(str(image)), str(part["start"]), str(part["size"])]
        if table["label"] == "gpt":
            words += [TYPE_NAMES.get(part["type"], part["type"]), repr(part.get("name", ""))]
            words += [part["attrs"]] if "attrs" in part else []
        else:
            words += [f"{int(part['type'], 16):02x}"] + ["active"] * part.get("bootable", False)
        lines.append(" ".join(words))
    return lines


def sfdisk_verdict(image: Path) -> list[str]:
    """Return the complaints of ``sfdisk --verify``; none if it detected no errors."""
    done = subprocess.run(
        [tool("sfdisk"), "--verify", image], capture_output=True, text=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).splitlines()
    if "No errors detected." in said:
        return []
    dull = ("Remaining", "Header", "Using", "A total", str(image))
    return [line for line in said if line and not line.startswith(dull)]


def sgdisk_verdict(image: Path) -> list[str]:
    """Return the complaints and warnings of ``sgdisk --verify``, a sentence each.

    Not that a partition ends off a boundary: it ends where its content does.
    """
    said = run("sgdisk", "--verify", image)
    paragraphs = [" ".join(lines.split()) for lines in said.split("\n\n")]
    dull = re.compile("No problems found|Caution: Partition [0-9]+ doesn't end on a")
    return [text for text in paragraphs if text and not dull.match(text)]


def parted(image: Path, sector_size: int = 512) -> list[str]:
    """Return the partitions that parted sees: number, first sector, sectors."""
    said = run(
        "parted", "-s", "-m", image, "unit", "s", "print", PARTED_SECTOR_SIZE=str(sector_size)
    )
    rows = [line.split(":") for line in said.splitlines()[2:]]
    # In order of place; each beginning and end with its unit.
    return [f"{row[0]} {row[1].rstrip('s')} {row[3].rstrip('s')}" for row in rows]


def fsck(image: Path, start: int, length: int, scratch: Path) -> str:
    """Return what fsck.fat says of the volume in that place; empty if it is content."""
    with image.open("rb") as source, scratch.open("wb") as target:
        source.seek(start)
        target.write(source.read(length))
    done = subprocess.run(
        [tool("fsck.fat"), "-n", scratch], capture_output=True, text=True, timeout=60, check=False
    )
    lines = done.stdout.splitlines()[1:]  # after the version
    return "" if done.returncode == 0 and len(lines) == 1 else done.stdout + done.stderr
