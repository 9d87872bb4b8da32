"""FAT: the volume's label, which lies in two places."""

from doit_diskimg.verify.boot_sector import Boot
from doit_diskimg.verify.directory import SIZE, Entry
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.name_reader import label_text


class Labels:
    """The label entries of one volume."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._labels: list[str] = []

    def add(self, entry: Entry, path: str) -> None:
        """Take a label that lies in the directory ``path``; report it unless it is the first."""
        text = repr(label_text(entry.short))
        if path != "/" or entry.attributes & 0x10 or entry.cluster or entry.size:
            where = "is in a subdirectory" if path != "/" else "has contents"
            self._report("fat-label-place", f"the label {text} {where}", entry, path)
            return
        self._labels.append(label_text(entry.short))
        if len(self._labels) > 1:
            words = f"the label {text} follows {self._labels[0]!r}, one at most must be"
            self._report("fat-label-twice", words, entry, path)

    def compare(self, boot: Boot) -> None:
        """Report a label in the boot sector that is not the one in the root directory."""
        if len(self._labels) > 1:
            return
        noted = (boot.label or b"").decode("cp437").rstrip(" ")
        noted = "" if noted == "NO NAME" or not noted.strip("\0") else noted
        stored = self._labels[0] if self._labels else ""
        if noted != stored:
            text = f"{noted!r} in the boot sector, {stored!r} in the root directory"
            at = 71 if boot.wide else 43
            self._found.add("fat-label-differs", text, at=at, length=11)

    def _report(self, code: str, text: str, entry: Entry, path: str) -> None:
        self._found.add(code, text, at=entry.place, length=SIZE, path=path)
