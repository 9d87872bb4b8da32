"""Every exception that is raised on purpose, and every problem that one can carry.

A problem is one line with four parts: **where** in the description (or which file), **what is**
there, **what must be**, and **what to change**.  Each rule has its own class below; the class
docstring says the rule and why it exists.  Two exceptions carry problems, one per family:

* `DescriptionError`: what the user wrote can't be built.  All its problems are listed at once.
* `WorldError`: the description is fine, but a file, a disk or a program did not keep its word.
"""

from collections.abc import Iterable


class Problem:
    """One thing that is wrong, in one line."""

    def __init__(self, where: str, found: str, must: str, change: str) -> None:
        self.where = where
        self.found = found
        self.must = must
        self.change = change

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}, {self.must} ({self.change})"
        # Names come from users and their file systems: whatever they hold, a problem is one line.
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


# The description ---------------------------------------------------------------------------------


class BadValue(Problem):
    """A field holds something of the wrong kind or outside its range."""


class BadSize(Problem):
    """A size is not a number of bytes, or not text such as ``"33MiB"``."""


class Unaligned(Problem):
    """A place or a size is not a multiple of the sector: no table can express it."""


class UnknownType(Problem):
    """A partition type is neither a known name nor a GUID or byte that the table can store."""


class BadName(Problem):
    """A name does not fit its field, or can't be part of a task's name."""


class DuplicateName(Problem):
    """Two parts of one disk, or two disks, have the same name: their tasks would be one."""


class DuplicateGuid(Problem):
    """Two partitions have one GUID, or one has the disk's: systems mount the wrong one."""


class TooManyPartitions(Problem):
    """The table has fewer entries than the description has partitions."""


class DuplicatePath(Problem):
    """Two sources claim one path in a volume (FAT compares names without regard to case)."""


class BadPath(Problem):
    """A path in a volume has a part that the file system can't store."""


class BadPattern(Problem):
    """A pattern of a tree is invalid for gitignore: git would silently match nothing by it."""


class BadLabel(Problem):
    """A volume label is longer than 11 bytes or has characters that FAT forbids."""


class BootSectorMismatch(Problem):
    """A boot sector of the user's says something of the volume that is not so.

    Code that was assembled with other numbers loads from wrong places, and a BPB that lies makes
    every system read the volume wrongly; the numbers of the volume stay, so the code must agree.
    """


class EngineCannot(Problem):
    """An engine can't make the volume that is described: its program has no way to, or errs.

    Every engine makes the volume that `native` makes, or none: a file system that differs only
    now and then from the one that was tested is worse than a refusal.
    """


class OverTable(Problem):
    """Boot code in sector 0 has bytes where the partition table is: one of them would be lost."""


class UnknownSymbol(Problem):
    """A symbol is about a part, a file or a number that the disk does not have."""


class SymbolCycle(Problem):
    """The bytes of two parts decide each other: neither can be made first."""


class FieldTooSmall(Problem):
    """A number does not fit the field that is to hold it; cut short, it would change."""


class PatchMisplaced(Problem):
    """A patched field lies outside its binary, or over bytes that belong to something else."""


class FatTypeImpossible(Problem):
    """The FAT type follows from the number of clusters; this size can't have the type asked for.

    A volume that claims the wrong type is the most frequent cause of FAT boot trouble: firmware
    counts the clusters, whatever the boot sector says.
    """


class Overlap(Problem):
    """Two regions claim the same bytes of the disk."""


class OutsideDisk(Problem):
    """A region runs past the end of what the disk or its table can address."""


class TooSmall(Problem):
    """A disk or partition has less room than its parts need."""


class OwnFile(Problem):
    """A build would read a file that it writes itself, or write one file twice.

    By whatever name: another spelling, a link, a hard link.  It would never be finished, or half of
    what it read would be of the time before.
    """


class ContentTooLarge(Problem):
    """A file or volume has more bytes than the place that the description gives it."""


class VolumeFull(Problem):
    """The files need more clusters than the volume has."""


class DirectoryFull(Problem):
    """A directory needs more entries than FAT allows it."""


# The world ---------------------------------------------------------------------------------------


class SourceMissing(Problem):
    """A file or directory that the description names does not exist."""


class SourceKind(Problem):
    """A source is a directory where a file is needed, or the other way round, or neither."""


class SourceShort(Problem):
    """A file ends before the range of it that the description names."""


class SourceChanged(Problem):
    """A file changed while the image was built: what was planned is not what was copied."""


class SourceLength(Problem):
    """A file has more or fewer bytes than its size: a kernel makes such files when they are read.

    Sizes decide where things lie; what is planned by a wrong one would be cut short or padded.
    """


class BadImage(Problem):
    """A base image is not what it has to be: a FAT volume, or a disk with a partition table."""


class ImageKind(Problem):
    """The image's path is something other than a regular file; nothing else is ever written."""


class NotOurs(Problem):
    """Something that we did not make is where a file or a folder of ours would be.

    It is neither replaced nor patched, followed or removed: it may be the only copy.
    """


class ImageBusy(Problem):
    """A running QEMU has the image, and the description says not to build then."""


class ImageWritten(Problem):
    """Something else wrote to the finished image, and the description says not to rebuild then."""


class KeptBytes(Problem):
    """A partition with ``persist=True`` belongs to its guest: nothing gives up what it wrote there
    but ``doit os.img:NAME:reset``.
    """


class ImageWrong(Problem):
    """The finished image is not what was planned, or a reader that keeps to the standards would
    stumble over it.
    """


class StateBroken(Problem):
    """A file in the state folder is missing or is not what its task wrote there."""


class ProgramFailed(Problem):
    """A program that makes a payload ended with an error, or made something else."""


class HostFailed(Problem):
    """The operating system refused to read or write: disk full, no permission, read error."""

    no_room = False
    """Whether the disk, a quota or a limit is what ended."""


class ProgramMissing(Problem):
    """An outside program, or a file that it needs, is not installed."""


class BootFailed(Problem):
    """A guest did not do what a test of its boot expects."""


# The exceptions ----------------------------------------------------------------------------------


class DiskimgError(Exception):
    """Base of what this package raises on purpose; `problems` holds at least one."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["DiskimgError"], tuple[Problem, ...]]:
        return type(self), self.problems


class DescriptionError(DiskimgError, ValueError):
    """The description can't be built; all that is wrong with it is listed at once."""


class WorldError(DiskimgError, OSError):
    """Something outside the description failed: a file, a disk, a program."""


def refuse(problems: Iterable[Problem], failed: Iterable[Problem] = ()) -> None:
    """Raise DescriptionError if there are any problems, else WorldError if anything ``failed``.

    All is told at once; a wrong description outweighs a missing file.
    """
    found, others = tuple(problems), tuple(failed)
    if found:
        raise DescriptionError(*found, *others)
    if others:
        raise WorldError(*others)
