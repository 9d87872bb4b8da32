"""``verify IMAGE``: reads a disk image or a FAT volume and prints what is wrong with it."""

import argparse
import re
import sys
from collections.abc import Sequence

from doit_diskimg.errors import DiskimgError
from doit_diskimg.host.terminal import say
from doit_diskimg.units import parse_size
from doit_diskimg.verify.judge import verify_image

_EPILOG = (
    "Exit code 0: no errors, perhaps warnings; 1: errors; 2: the image can't be read, or nothing "
    "is known of it. "
    "docs/reference/findings.md says what each code means."
)


def main(arguments: Sequence[str]) -> int:
    """Print the findings, one a line; return the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        found = verify_image(chosen.image, offset=chosen.offset, witnesses=not chosen.alone)
    except (DiskimgError, ValueError) as error:
        say(f"verify: {error}", sys.stderr)
        return 2
    for finding in found:
        say(str(finding))
    errors = sum(finding.is_error for finding in found)
    summary = f"{chosen.image}: {errors} errors, {len(found) - errors} warnings"
    say(summary, sys.stderr)
    if errors:
        return 1
    return 2 if any(finding.code == "unknown" for finding in found) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m doit_diskimg verify", epilog=_EPILOG,
        description="Check a disk image or a FAT volume; print one line for each finding.",
    )
    parser.add_argument("image", metavar="IMAGE", help="a regular file")
    parser.add_argument(
        "--offset", metavar="N", type=_offset,
        help="check the FAT volume that begins at byte N, and nothing else (12345, 0x100000, 1MiB)",
    )
    parser.add_argument(
        "--alone", action="store_true", help="do not ask fsck.fat, sgdisk and pyfatfs"
    )
    return parser


def _offset(text: str) -> int:
    try:
        if re.fullmatch("0[xX][0-9a-fA-F]+", text):
            return int(text, 16)
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
