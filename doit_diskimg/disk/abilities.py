"""What payloads and tables may be able to do beside what their ports ask of every one.

Like the ports: any object with these methods has the ability, and nothing else is needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from doit_diskimg.plan.content import Files

if TYPE_CHECKING:
    from doit_diskimg.disk.ports import Payload, Place
    from doit_diskimg.disk.segment import Region
    from doit_diskimg.disk.symbols import Symbol
    from doit_diskimg.extent import Extent
    from doit_diskimg.plan.picture import Picture


@runtime_checkable
class Selective(Protocol):
    """A payload that knows which of its bytes matter; of any other, all do."""

    def needed(self, extent: "Extent", picture: "Picture") -> "Iterable[Extent]":
        """Yield every stretch of the partition that some reader relies on, zeros included.

        The rest, such as free clusters, may hold anything.  ``picture`` is what `fill` returned.
        """
        ...


@runtime_checkable
class Asking(Protocol):
    """A payload in whose bytes there are numbers of the layout; of any other, there are none.

    Its `fill` resolves them by ``place.numbers``, those about files of its own by itself.
    """

    def asks(self, where: str) -> "Iterable[tuple[str, Symbol]]":
        """Yield its symbols, each with its place in the description."""
        ...


@runtime_checkable
class Locating(Protocol):
    """A payload that knows where its files lie, each in one stretch."""

    def unlocatable(self, path: str) -> str:
        """Return what the description alone has against a file at ``path``, in words.

        Empty if it is there or may be.
        """
        ...

    def locate(
        self, paths: Sequence[str], place: "Place", files: Files, where: str
    ) -> "Mapping[str, Extent | str]":
        """Return for each of ``paths`` its place on the disk, or why it has none, in words.

        No symbol of the payload's own may play a part.  Raises what `fill` raises.
        """
        ...


@runtime_checkable
class Listed(Protocol):
    """A payload whose files `verify` finds in the finished image, for it is a FAT volume."""

    def listing(self, files: Files, where: str) -> "Mapping[str, str | None]":
        """Return the digest of every file by its path, None for a directory.

        The path of a directory ends with a slash.  Raises what `fill` raises.
        """
        ...


@runtime_checkable
class Engines(Protocol):
    """A payload that several programs can make, each the same volume."""

    def by_engine(self) -> "Mapping[str, Payload]":
        """Return the payload that each makes, by its name; the first is what others must equal."""
        ...


@runtime_checkable
class Yielding(Protocol):
    """A table of which some parts can lie elsewhere; of any other, they can't."""

    def ways_out(self, region: "Region", extent: "Extent") -> "Iterable[str]":
        """Yield what to write so that its ``region`` leaves ``extent``, a segment's, alone."""
        ...

    def ways_before(self, extent: "Extent") -> "Iterable[str]":
        """Yield what to write so that a partition may begin where ``extent`` does."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A table that knows what is legal and likely to be trouble."""

    def notes(self, disk: Any, regions: "Sequence[Region]") -> "Iterable[str]":
        """Yield what a person should know, each with its place in the description.

        ``disk`` is a `spec.Disk`, ``regions`` are all that lie on the disk.
        """
        ...
