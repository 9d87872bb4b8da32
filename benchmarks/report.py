"""The figures as text, as a page and as a plot."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Series
from benchmarks.plot import Curve, curves
from benchmarks.questions import Answer

_MIB = 1 << 20


def table(place: str, answers: Iterable[Answer]) -> str:
    """Return a Markdown table; a ratio is ours divided by theirs, so that below 1 we are faster."""
    lines = [
        f"| {place} | command | median | fastest to slowest | CPU | ours / this | in CPU time |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for answer in answers:
        if not answer.name.startswith(("size ", "count ")):
            lines += rows(answer)
    return "\n".join(lines) + "\n"


def rows(answer: Answer) -> list[str]:
    """Return the rows of one answer."""
    return [_row(answer, series, first=not n) for n, series in enumerate(answer.series)]


def _row(answer: Answer, series: Series, *, first: bool) -> str:
    low, high = series.spread
    ratio = "" if first else f"{answer.series[0].wall / series.wall:.2f}"
    cpu = series.cpu
    is_whole = answer.name not in ("P4", "P10", "P11")  # not a part of a process, and not memory
    in_cpu = f"{answer.series[0].cpu / cpu:.2f}" if is_whole and cpu and not first else ""
    if answer.name == "P10":
        peak = max(sample.peak for sample in series.samples)
        ratio = f"{peak / _MIB:.0f} MiB at the most"
    return (
        f"| {answer.what if first else ''} | {series.name} | {_ms(series.wall)} "
        f"| {_ms(low)} to {_ms(high)} | {_ms(cpu)} | {ratio} | {in_cpu} |"
    )


def _ms(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


_PAGE = """# Benchmarks

`doit bench` measures this again and writes this page. Whole processes, one after the other in turn
(A B A B), {runs} runs each after one that does not count; files in the page cache; medians. A ratio
below 1 means that doit_diskimg needed less. The machine: {machine}.
On a busy machine all times are longer, CPU times the least: compare those.

Every program gets the same files and whatever makes it fast: sparse files, no copy that it can
do without, no question to the kernel. After each run mtools looks whether the edited file is in the
image. `mcopy -o, in place` is the floor and no build: it trusts that nothing else changed, and a
kill in the middle of it leaves a broken image that looks finished.

The disk: 512 MiB, MBR, one FAT32 volume; 78 MB in 502 files (a kernel of 8 MiB, an initrd of
64 MiB, 500 modules), or files of 4 KB in 50 folders. Why the times are what they are:
[where the time goes](../explanation/where-the-time-goes.md).

{tables}
## Curves

![cost against the size of the change and against the number of files](benchmarks.svg)
"""


def write_page(page: Path, answers: Mapping[str, Sequence[Answer]], runs: int) -> None:
    """Write the page, and the plot beside it."""
    tables = [f"## On {place}\n\n{table(place, found)}" for place, found in answers.items()]
    text = _PAGE.format(runs=runs, machine=_machine(), tables="\n".join(tables))
    page.write_text(text, encoding="utf-8")
    place, found = next(iter(answers.items()))
    page.with_suffix(".svg").write_text(
        curves(
            [
                Curve("bytes changed at the end of a 64 MiB file", _points(found, "size ")),
                Curve("files of 4 KB in the volume, one edited", _points(found, "count ")),
            ],
            f"of CPU, whole process, {place}",
        ),
        encoding="utf-8",
    )


def _points(answers: Iterable[Answer], prefix: str) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for answer in answers:
        if answer.name.startswith(prefix):
            x = float(answer.name.removeprefix(prefix))
            for series in answer.series:
                lines.setdefault(series.name, []).append((x, series.cpu))
    return lines


def _machine() -> str:
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {python}"
