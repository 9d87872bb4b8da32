"""The commands: ``python -m doit_diskimg build dodo.py``, ``... verify os.img``, and others."""

import sys
from importlib import import_module

COMMANDS = {
    "build": "cli.build_command", "verify": "cli.verify_command", "watch": "tasks.watch",
}  # fmt: skip
"""Command -> the module whose ``main(arguments)`` it is."""

_HELP = """usage: python -m doit_diskimg COMMAND ...

  build FILE ...   build the disks of a dodo.py, without doit
  verify IMAGE     check any disk image or FAT volume
  watch TASK ...   run tasks of dodo.py, and again whenever a source is saved

COMMAND --help says more."""


def main() -> int:
    """Run the command that the first argument names."""
    name, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if name in ("-h", "--help"):
        print(_HELP)  # noqa: T201  # the command's answer
        return 0
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"doit_diskimg: {name!r} is not a command, must be one of: {known}", file=sys.stderr)  # noqa: T201
        return 2
    code: int = import_module(f"doit_diskimg.{COMMANDS[name]}").main(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
