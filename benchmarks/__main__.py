"""The command: measures, prints a table row by row, and writes the page."""

import argparse
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.questions import QUESTIONS, Answer, Bench


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="of each command (default 9)")
    parser.add_argument("--only", nargs="*", choices=QUESTIONS, help="questions (default: all)")
    parser.add_argument("--tmpfs", default="/dev/shm", help="a folder in memory, or nothing")
    parser.add_argument("--disk", default="build", help="a folder on a disk, or nothing")
    parser.add_argument("--guestfish", action="store_true", help="ask guestfish too: minutes")
    parser.add_argument("--write", metavar="PAGE", help="write this page, with a plot beside it")
    options = parser.parse_args()
    answers: dict[str, list[Answer]] = {}
    for place in ("tmpfs", "disk"):
        if getattr(options, place) and Path(getattr(options, place)).parent.is_dir():
            answers[place] = measured(Path(getattr(options, place)), options)
    if options.write:
        report.write_page(Path(options.write), answers, options.runs)


def measured(parent: Path, options: argparse.Namespace) -> list[Answer]:
    """Return all answers from below one folder."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="benchmarks-") as folder:
        bench = Bench(Path(folder).resolve(), options.runs, options.guestfish)
        answers = []
        for name in options.only or QUESTIONS:
            for answer in bench.ask(name):
                print("\n".join(report.rows(answer)), flush=True)
                answers.append(answer)
        return answers


main()
