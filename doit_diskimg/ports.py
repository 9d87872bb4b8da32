"""Everything that a kind of thing of your own needs: the sockets, and the words they use."""

from doit_diskimg.disk.model import Bootloader, Chain, Identity, Noting, Output, Table, Yielding
from doit_diskimg.disk.placed import PlacedPartition, Region
from doit_diskimg.disk.segment import Segment
from doit_diskimg.disk.sockets import (
    Asking,
    Engines,
    Listed,
    Locating,
    Payload,
    Place,
    Room,
    Selective,
    Work,
)
from doit_diskimg.disk.symbols import Numbers, Symbol
from doit_diskimg.errors import DescriptionError, Problem, WorldError, refuse
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode, Rules, gather
from doit_diskimg.plan.content import (
    Entry,
    Files,
    Tree,
    Wanted,
    parts,
    wanted_files,
)
from doit_diskimg.plan.picture import Canvas, Picture
from doit_diskimg.plan.recipe import Program

__all__ = [
    "Asking",
    "Bootloader",
    "Canvas",
    "Chain",
    "DescriptionError",
    "Directory",
    "Engines",
    "Entry",
    "Extent",
    "FileNode",
    "Files",
    "Identity",
    "Listed",
    "Locating",
    "Noting",
    "Numbers",
    "Output",
    "Payload",
    "Picture",
    "Place",
    "PlacedPartition",
    "Problem",
    "Program",
    "Region",
    "Room",
    "Rules",
    "Segment",
    "Selective",
    "Symbol",
    "Table",
    "Tree",
    "Wanted",
    "Work",
    "WorldError",
    "Yielding",
    "gather",
    "parts",
    "refuse",
    "wanted_files",
]
