"""An image of GRUB's own: the core with the modules that it has from the start.

Pure: what `grub-mkimage` (GRUB's util/mkimage.c) is told, and which files of GRUB's go into what it
makes.  `host.grub` runs it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath

from doit_diskimg.disk.fields import is_path, shown
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.recipe import Program

VERSION = ("--version",)
"""What makes grub-mkimage say which it is."""

FORMATS = {
    "i386-pc": "grub-pc-bin",
    "i386-pc-eltorito": "grub-pc-bin",
    "x86_64-efi": "grub-efi-amd64-bin",
    "i386-efi": "grub-efi-ia32-bin",
    "arm64-efi": "grub-efi-arm64-bin",
}
"""GRUB's name of a platform -> the Debian package that has its files."""

MODULES = (
    "part_gpt", "part_msdos", "fat", "ext2", "normal", "configfile", "search", "echo", "boot",
    "serial", "terminal",
)  # fmt: skip
"""What every platform has: enough to find a menu on a partition, and to show it."""

LOADERS = {
    "i386-pc": ("biosdisk", "multiboot", "multiboot2", "linux"),
    "i386-pc-eltorito": ("biosdisk", "iso9660", "multiboot", "multiboot2", "linux"),
    "x86_64-efi": ("multiboot", "multiboot2", "linux", "chain"),
    "i386-efi": ("multiboot", "multiboot2", "linux", "chain"),
    "arm64-efi": ("linux", "chain"),
}
"""What boots a kernel, and reads a disk, on each."""

_NEEDED = {
    "i386-pc": ("boot.img", "diskboot.img", "kernel.img", "lzma_decompress.img"),
    "i386-pc-eltorito": ("cdboot.img", "diskboot.img", "kernel.img", "lzma_decompress.img"),
}
"""The files of a platform that every image has beside its modules; EFI's have one."""


@dataclass(frozen=True)
class GrubImage:
    """What goes into an image of GRUB's, and the file that it becomes.

    ``path`` is the file to make.  ``prefix`` is where GRUB finds its menu (``grub.cfg``) and the
    modules that it does not have, such as ``"(,gpt2)/boot/grub"``: the second partition of the
    disk that it was booted from.  ``modules`` are in the image from the start, with whatever they
    need themselves.  ``config`` are commands that run before the menu is looked for: the path of a
    file, or bytes.  ``directory`` has GRUB's files, ``program`` is its grub-mkimage.
    """

    path: str | PathLike[str]
    _: KW_ONLY
    format: str
    prefix: str = "/boot/grub"
    modules: Sequence[str] | None = None
    config: str | PathLike[str] | bytes | None = None
    directory: str | PathLike[str] | None = None
    program: str = "grub-mkimage"

    def problems(self, where: str = "") -> Iterator[Problem]:
        """Yield what is wrong with the description itself; ``where`` begins each place in it."""
        if not is_path(self.path) or not fspath(self.path):
            yield BadValue(f"{where}path", f"{shown(self.path)} is not a path",
                           "must be the file to make", 'write for example "build/core.img"')
        if not isinstance(self.format, str) or self.format not in FORMATS:
            yield BadValue(f"{where}format", f"{shown(self.format)} is unknown",
                           f"must be {' or '.join(map(repr, FORMATS))}", "choose one")
        if not isinstance(self.prefix, str) or not self.prefix.isprintable() or not self.prefix:
            yield BadValue(f"{where}prefix", f"{shown(self.prefix)} is not a path of GRUB's",
                           "must be where it finds grub.cfg",
                           'write for example "(,gpt2)/boot/grub"')
        yield from self._modules_problems(where)
        if self.directory is not None and not is_path(self.directory):
            yield BadValue(f"{where}directory", f"{shown(self.directory)} is not a path",
                           "must be the folder with GRUB's files", "leave it out for Debian's")
        if not isinstance(self.program, str) or not self.program:
            yield BadValue(f"{where}program", f"{shown(self.program)} is not a program",
                           "must be a name in PATH, or a path", "leave it out for grub-mkimage")
        yield from self._config_problems(where)

    def _config_problems(self, where: str) -> Iterator[Problem]:
        if self.config is not None and not isinstance(self.config, bytes):
            if not is_path(self.config):
                yield BadValue(f"{where}config", f"{shown(self.config)} is not a source",
                               "must be the path of a file, or bytes", 'write b"..." for commands')
            elif "\n" in fspath(self.config):
                yield BadValue(f"{where}config", f"{shown(self.config)} is not a path", "text "
                               "names a file, bytes are the commands themselves", 'write b"..."')

    def _modules_problems(self, where: str) -> Iterator[Problem]:
        modules = self.modules
        if modules is None:
            return
        is_list = isinstance(modules, Sequence) and not isinstance(modules, (str, bytes))
        if not is_list or not all(_is_module(name) for name in modules):
            yield BadValue(f"{where}modules", f"{shown(modules)} has something else in it",
                           "must be a list of names of modules", 'write for example ["normal"]')

    @property
    def package(self) -> str:
        """The Debian package that has GRUB's files for this platform."""
        return FORMATS[self.format]

    @property
    def mkimage(self) -> Program:
        """The program that makes the image."""
        return Program(self.program, "grub-common", VERSION)

    @property
    def folder(self) -> str:
        """Where GRUB's files for this platform are."""
        if isinstance(self.directory, (str, PathLike)):
            return fspath(self.directory)
        return f"/usr/lib/grub/{self.format.removesuffix('-eltorito')}"

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the modules, as described."""
        if self.modules is None:
            return (*MODULES, *LOADERS[self.format])
        return tuple(self.modules)

    def arguments(self, folder: str, output: str, config: str | None) -> tuple[str, ...]:
        """Return the arguments of grub-mkimage; ``config`` is the file with the commands."""
        early = () if config is None else ("-c", config)
        place = ("-O", self.format, "-d", folder, "-p", self.prefix)
        return (*place, *early, "-o", output, "--", *self.chosen)

    def ingredients(self, depends: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the names of the files that go into the image.

        ``depends`` is GRUB's list of modules, see `dependencies`.  A module that is not in it needs
        no other.
        """
        found, queue = set[str](), list(self.chosen)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += depends.get(name, ())
        needed = _NEEDED.get(self.format, ("kernel.img",))
        return [*needed, "moddep.lst", *(f"{name}.mod" for name in sorted(found))]


def dependencies(text: str) -> dict[str, list[str]]:
    """Return the modules that each module needs, from GRUB's ``moddep.lst``."""
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): needed.split() for name, _, needed in lines}


def _is_module(name: object) -> bool:
    return isinstance(name, str) and name.replace("_", "").isalnum() and name.isascii()
