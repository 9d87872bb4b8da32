"""Symbols of an ELF file as offsets in the flat binary that was made of it.

``objcopy -O binary`` writes every section that is loaded and has contents at its load address, from
the lowest of these addresses on.  A section's load address is that of its segment (p_paddr), which
is not where the code believes to run (p_vaddr) if a linker script says so (``AT``).
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

from doit_diskimg.errors import (
    DescriptionError,
    PatchMisplaced,
    Problem,
    ProgramMissing,
    SourceKind,
    UnknownSymbol,
    WorldError,
)


class Found(NamedTuple):
    """A symbol of an ELF file."""

    offset: int
    """Where it lies in the flat binary."""
    size: int
    """Its bytes; 0 if the source did not say."""
    order: str
    """The byte order of the file, ``<`` or ``>``."""
    data: bytes
    """What is there, up to the end of the section."""


class Elf:
    """The ELF file of a flat binary.  Raises WorldError if it is not one."""

    def __init__(self, data: bytes, path: str, where: str) -> None:
        self._path = path
        elffile = _elffile(where)
        try:
            self._elf = elffile.ELFFile(BytesIO(data))
            self._read()
        except elffile.ELFError:
            raise _wrong_kind(path, "is not an ELF file", where) from None
        if self._elf["e_type"] not in ("ET_EXEC", "ET_DYN"):
            raise _wrong_kind(path, "is not linked: its code has no addresses yet", where)

    def _read(self) -> None:
        sections = list(self._elf.iter_sections())
        self._loaded = {
            index: self._load_address(section)
            for index, section in enumerate(sections)
            if section["sh_flags"] & _ALLOC and section["sh_type"] != "SHT_NOBITS"
            and section["sh_size"]
        }
        self._symbols = list(_symbols(sections))
        self._data = {index: sections[index].data() for index in self._loaded}
        self._names = [section.name for section in sections]

    def find(self, name: str, where: str) -> Found:
        """Return a symbol.  Raises DescriptionError if there is none, or none with a place."""
        named = [symbol for symbol in self._symbols if symbol.name == name]
        # A local one of another file may have the same name.
        symbols = [one for one in named if one["st_info"]["bind"] != "STB_LOCAL"] or named
        if not symbols:
            raise DescriptionError(self._unknown(name, where))
        if len({symbol["st_value"] for symbol in symbols}) > 1:
            raise DescriptionError(UnknownSymbol(
                where, f"{self._path!r} has {name!r} {len(symbols)} times",
                "must be one place", "rename one, or make one of them global",
            ))
        return self._found(symbols[0], where)

    def at(self, address: int) -> str:
        """Return the label before a virtual address, such as ``kmain+0x1c``; empty if none is near.

        Near is: in the same section, and within the symbol's size if the source said one.
        """
        places = [
            (symbol["st_value"], symbol["st_size"], symbol.name) for symbol in self._symbols
            if symbol.name and symbol["st_value"] <= address and self._holds(symbol, address)
        ]
        for start, size, name in sorted(places, reverse=True)[:1]:
            if not size or address < start + size:
                return f"{name}+{address - start:#x}" if address > start else str(name)
        return ""

    def _holds(self, symbol: Any, address: int) -> bool:
        """Return whether an address is in the section of a symbol."""
        if symbol["st_shndx"] not in self._loaded:
            return False
        section = self._elf.get_section(symbol["st_shndx"])
        return bool(section["sh_addr"] <= address < section["sh_addr"] + section["sh_size"])

    def _found(self, symbol: Any, where: str) -> Found:
        index = symbol["st_shndx"]
        if index not in self._loaded:
            what = "has no bytes in the binary"
            what = "is a number and no place" if index == "SHN_ABS" else what
            section = "" if isinstance(index, str) else f", it lies in {self._names[index]}"
            raise DescriptionError(PatchMisplaced(
                where, f"{symbol.name!r} {what}{section}",
                "a patched field has bytes in the binary",
                "put it into .text or .data, with a value: .long 0",
            ))
        within = symbol["st_value"] - self._elf.get_section(index)["sh_addr"]
        return Found(
            offset=self._loaded[index] - min(self._loaded.values()) + within,
            size=symbol["st_size"],
            order="<" if self._elf.little_endian else ">",
            data=self._data[index][within:],
        )

    def _load_address(self, section: Any) -> int:
        """Return the section's LMA, as the binutils derive it from the segments."""
        segments = [one for one in self._elf.iter_segments() if one["p_type"] == "PT_LOAD"]
        filled = [one for one in segments if one["p_memsz"]]
        if len(filled) > 1 and not any(segment["p_paddr"] for segment in segments):
            return int(section["sh_addr"])  # a linker that knows no load addresses
        for segment in segments:
            if segment.section_in_segment(section):
                return int(segment["p_paddr"] + section["sh_offset"] - segment["p_offset"])
        return int(section["sh_addr"])

    def _unknown(self, name: str, where: str) -> Problem:
        from difflib import get_close_matches

        near = get_close_matches(name, {one.name for one in self._symbols if one.name}, 3)
        return UnknownSymbol(
            where, f"{self._path!r} has no symbol {name!r}",
            f"near it are {', '.join(map(repr, near))}" if near else "must be a label of its",
            f"write {near[0]!r}" if near else "correct the name, or link without --strip-all",
        )


_ALLOC = 0x2  # SHF_ALLOC


def _symbols(sections: list[Any]) -> Iterator[Any]:
    for section in sections:
        if section["sh_type"] == "SHT_SYMTAB":
            for symbol in section.iter_symbols():
                if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["type"] != "STT_FILE":
                    yield symbol


def _elffile(where: str) -> Any:
    try:
        from elftools.elf import elffile
    except ImportError:
        raise WorldError(ProgramMissing(
            where, "the package pyelftools is not installed",
            "must be there to read ELF files", "pip install 'doit_diskimg[elf]'",
        )) from None
    return elffile


def _wrong_kind(path: str, what: str, where: str) -> WorldError:
    return WorldError(SourceKind(
        where, f"{path!r} {what}", "must be the program that the flat binary was made of",
        "name the file that objcopy read, or leave elf out and give offsets",
    ))
