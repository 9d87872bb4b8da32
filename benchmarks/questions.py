"""What is asked: which contenders run, on which files, after which edit."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep

from benchmarks import contenders, workloads
from benchmarks.boots import guests
from benchmarks.contenders import Contender
from benchmarks.measure import Sample, Series, in_turn, resident, seconds_until, timed
from benchmarks.workloads import MIB, Workload

Maker = Callable[[Path, Workload], Contender | None]


@dataclass
class Answer:
    """The figures of one question; the first series is ours."""

    name: str
    what: str
    series: list[Series]


@dataclass(frozen=True)
class Bench:
    """Where and how often to measure."""

    folder: Path
    runs: int
    guestfish: bool

    def ask(self, name: str) -> Iterator[Answer]:
        """Answer the question of that name; its folders are gone afterwards."""
        try:
            yield from QUESTIONS[name](self)
        finally:
            shutil.rmtree(self.folder / "work", ignore_errors=True)

    def made(self, work: Workload, makers: Sequence[Maker]) -> list[Contender]:
        """Return the installed contenders, each with an image built once."""
        found = []
        for maker in makers:
            contender = maker(self.folder / "work" / f"{work.name}-{maker.__name__}", work)
            if contender is not None:
                contender.prepare()
                found.append(contender)
        return found

    @property
    def peers(self) -> list[Maker]:
        """All that build the whole image."""
        found: list[Maker] = [contenders.genimage, contenders.best_script,
                              contenders.sparse_script, contenders.script]
        return [*found, contenders.guestfish] if self.guestfish else found


def nothing(bench: Bench) -> Iterator[Answer]:
    """P1."""
    pair = bench.made(workloads.system(), [contenders.ours, contenders.empty_doit])
    yield Answer("P1", "nothing to do", in_turn(pair, 2 * bench.runs))


def kernel_edit(bench: Bench) -> Iterator[Answer]:
    """P2, P3, P4."""
    work = workloads.system()
    all_ = bench.made(work, [contenders.ours, contenders.mcopy_in_place, *bench.peers])
    yield Answer("P2", "an 8 MiB kernel edited", in_turn(all_, bench.runs, edit, Contender.check))


def inside(bench: Bench) -> Iterator[Answer]:
    """P4: the time from the first task to the seal, as doit's reporter sees it."""
    pair = bench.made(workloads.system(), [timed_ours, contenders.mcopy_in_place])
    ours, times = pair[0], list[float]()

    def after(contender: Contender) -> None:
        if contender is ours:
            times.append(float((ours.folder / "inside.txt").read_text()))

    found = in_turn(pair, bench.runs, edit, after)
    for sample, wall in zip(list(found[0].samples), times[1:], strict=True):
        found[0].samples.append(type(sample)(wall, sample.cpu, sample.peak))
    found[0].samples = found[0].samples[len(times) - 1 :]
    found[0].name = "doit_diskimg, first task to seal"
    yield Answer("P4", "an 8 MiB kernel edited, inside the process", found)


def timed_ours(folder: Path, work: Workload) -> Contender:
    """Return ours with the inner clock."""
    return contenders.ours(folder, work, timed=True)


def clean(bench: Bench) -> Iterator[Answer]:
    """P5."""
    all_ = bench.made(workloads.system(), [contenders.ours, *bench.peers])
    yield Answer("P5", "built from nothing", in_turn(all_, bench.runs, forget, Contender.check))


def many_files(bench: Bench) -> Iterator[Answer]:
    """P6."""
    work = workloads.many(5000)
    pair = bench.made(work, [contenders.ours, contenders.genimage, contenders.best_script])
    yield Answer("P6 clean", "5,000 files, from nothing",
                 in_turn(pair, bench.runs, forget, Contender.check))
    yield Answer("P6 edit", "5,000 files, one edited",
                 in_turn(pair, bench.runs, edit, Contender.check))
    empty = bench.made(work, [contenders.empty_doit])
    yield Answer("P6 no-op", "5,000 files, nothing to do",
                 in_turn([pair[0], *empty], bench.runs))


def added_file(bench: Bench) -> Iterator[Answer]:
    """P13."""
    makers = [contenders.ours, contenders.mcopy_in_place, contenders.genimage]
    all_ = bench.made(workloads.added(), makers)
    yield Answer("P13", "a file of 4 KB added to 5,000",
                 in_turn(all_, bench.runs, add, Contender.check))


def more_files(bench: Bench) -> Iterator[Answer]:
    """P7."""
    pair = [bench.made(workloads.many(count), [contenders.ours])[0] for count in (20_000, 5000)]
    found = in_turn(pair, bench.runs, forget)
    found[0].name, found[1].name = "20,000 files", "5,000 files"
    yield Answer("P7", "20,000 files against 5,000, from nothing", found)


def huge_disk(bench: Bench) -> Iterator[Answer]:
    """P8."""
    sizes = (65536 * MIB, 512 * MIB)
    pair = [bench.made(workloads.system(size), [contenders.ours])[0] for size in sizes]
    found = in_turn(pair, bench.runs, edit)
    found[0].name, found[1].name = "64 GiB disk", "512 MiB disk"
    yield Answer("P8", "an 8 MiB kernel edited, 64 GiB against 512 MiB", found)


def memory(bench: Bench) -> Iterator[Answer]:
    """P10: peak memory with one sparse file of 1 GiB."""
    files = {"large.bin": 1024 * MIB}
    work = Workload("large", 2048 * MIB, 2040 * MIB, files, "large.bin")
    ours = contenders.ours(bench.folder / "work" / "large", work)
    with (ours.folder / "large.bin").open("wb") as file:
        file.truncate(1024 * MIB)
    empty = bench.made(workloads.many(1), [contenders.empty_doit])
    found = in_turn([ours, *empty], 3, forget)
    yield Answer("P10", "a sparse file of 1 GiB, from nothing", found)


def loop(bench: Bench) -> Iterator[Answer]:
    """P11: from the moment a file is saved until the resident loop has sealed the image."""
    ours, floor = bench.made(
        workloads.system(), [contenders.ours, contenders.mcopy_in_place]
    )
    found = [Series("doit_diskimg, watching", []), Series(floor.name, [])]
    seal = ours.folder / ".os.img" / "seal.json"
    with resident([sys.executable, "-m", "doit_diskimg", "watch"], ours.folder):
        for number in range(bench.runs + 1):
            sleep(1)  # what it does between the builds is not measured
            sealed = partial(_another, seal, seal.stat().st_mtime_ns)
            edit(ours, number)
            wall = seconds_until(sealed)
            edit(floor, number)
            sample = timed(floor.argv, floor.folder)
            if number:
                found[0].samples.append(Sample(wall, wall, 0))
                found[1].samples.append(sample)
    ours.check()
    yield Answer("P11", "an 8 MiB kernel saved, in the resident loop", found)


def _another(file: Path, stamp: int) -> bool:
    """Return whether there is a file, and not the one of that time stamp."""
    return file.exists() and file.stat().st_mtime_ns != stamp


_IMPORT = "from doit_diskimg import Disk, Esp, Fat, File, Gpt, Mbr, Partition, Segment, Tree"


def imports(bench: Bench) -> Iterator[Answer]:
    """P12."""
    folder = bench.folder / "work"
    folder.mkdir(parents=True)
    work = workloads.many(1)
    doit = "import doit.doit_cmd, doit.reporter, doit.cmd_run"
    pair = [
        Contender("with doit_diskimg", folder, work, [sys.executable, "-c", f"{doit}; {_IMPORT}"]),
        Contender("doit alone", folder, work, [sys.executable, "-c", doit]),
    ]
    yield Answer("P12", "imports", in_turn(pair, 4 * bench.runs))


def change_sizes(bench: Bench) -> Iterator[Answer]:
    """The first curve: the last bytes of a 64 MiB file change."""
    makers = [contenders.ours, contenders.mcopy_in_place, contenders.genimage]
    all_ = bench.made(workloads.initrd(), makers)
    for size in (4096, 65536, MIB, 4 * MIB, 16 * MIB, 64 * MIB):
        def change(contender: Contender, number: int, size: int = size) -> None:
            contender.workload.edit(contender.folder, number + size, size)

        yield Answer(f"size {size}", f"the last {size:,} bytes of 64 MiB edited",
                     in_turn(all_, max(3, bench.runs // 2), change, Contender.check))


def file_counts(bench: Bench) -> Iterator[Answer]:
    """The second curve: one file of many is edited."""
    for count in (100, 500, 1000, 2000, 5000, 10_000, 20_000):
        pair = bench.made(workloads.many(count), [contenders.ours, contenders.genimage])
        runs = max(3, bench.runs // 2)
        yield Answer(f"count {count}", f"one of {count:,} files edited",
                     in_turn(pair, runs, edit, Contender.check))
        shutil.rmtree(bench.folder / "work")


def boots(bench: Bench) -> Iterator[Answer]:
    """From a saved file to the end of a guest that says one line."""
    for arch in ("x86_64", "aarch64"):
        found = [*guests(bench.folder / "work", arch)]
        for guest in found:
            guest.prepare()
        if found:
            yield Answer(f"boot {arch}", f"{arch}: a guest saved, until it has said a line",
                         in_turn(found, bench.runs, lambda guest, number: guest.edit(number + 1)))
        shutil.rmtree(bench.folder / "work", ignore_errors=True)


def edit(contender: Contender, number: int) -> None:
    """Write the edited file anew."""
    contender.workload.edit(contender.folder, number)


def add(contender: Contender, number: int) -> None:
    """Take the edited file out, and write it anew."""
    file = contender.folder / contender.workload.edited
    file.unlink()
    contenders.run(contender.undo or contender.argv, contender.folder)
    file.touch()
    edit(contender, number)


def forget(contender: Contender, number: int) -> None:
    """Remove what was built."""
    contender.forget()


QUESTIONS: dict[str, Callable[[Bench], Iterator[Answer]]] = {
    "nothing": nothing,
    "kernel": kernel_edit,
    "inside": inside,
    "loop": loop,
    "clean": clean,
    "many": many_files,
    "added": added_file,
    "more": more_files,
    "huge": huge_disk,
    "memory": memory,
    "imports": imports,
    "boots": boots,
    "change": change_sizes,
    "count": file_counts,
}
