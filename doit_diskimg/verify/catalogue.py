"""Every code that `verify` can report: how bad it is, what it means, what to do.

``python -m doit_diskimg.verify.catalogue`` prints the reference page docs/reference/findings.md.

A rule is an **error** where a reader that keeps to the standard may lose data, read something
else than was meant, or refuse the image; a **warning** where all readers known to us cope.
"""

from typing import NamedTuple

ERROR, WARNING = "error", "warning"


class Rule(NamedTuple):
    """One code."""

    severity: str
    meaning: str
    remedy: str
    """What to do in general; the finding says what is wrong in particular."""


_REBUILD = "build the image anew"
_FSCK = "copy the files into a new volume, or let fsck.fat repair it"

_IMAGE = {
    "unknown": (WARNING, "There is neither a partition table nor a FAT volume: nothing was "
                "checked, and the command ends with 2. A disk of boot code alone is one.",
                "name the right file, or say with `--offset` where the volume begins"),
    "limit": (ERROR, "Something is larger than what is read of an image that may be hostile, so a "
              "part of it was not checked.", "look whether so much was meant"),
    "witness": (WARNING, "fsck.fat, sgdisk or pyfatfs finds a fault and we find none: one of us is "
                "wrong. The exit code is the same whether they are installed or not.",
                "read what it says; if the image is right, report it to us"),
    "witness-silent": (WARNING, "fsck.fat, sgdisk or pyfatfs was asked and gave no answer: too "
                       "little memory or time, or it crashed. What it thinks is unknown.",
                       "run it by hand, or with more memory"),
    "not-as-planned": (ERROR, "Bytes of the image differ from the plan.",
                       "run doit again; if it stays, report it to us"),
    "not-zero": (ERROR, "Bytes that belong to no part of the disk are not zero.",
                 "run doit again; if it stays, report it to us"),
    "file-differs": (ERROR, "A file in a volume is missing, unexpected or not its source.",
                     "run doit again; if it stays, report it to us"),
}  # fmt: skip

_TABLES = {
    "part-overlap": (ERROR, "Two partitions share sectors: to write one is to destroy the other.",
                     "move or shrink one of them"),
    "part-beyond": (ERROR, "A partition runs past the end of the disk.",
                    "make the image longer or the partition shorter"),
    "part-none": (WARNING, "The table has no partitions, so there was nothing but the table itself "
                  "to check.", "name the right file, if there should be some"),
    "part-empty": (ERROR, "A partition has a type and no sectors.", "remove the entry"),
    "part-on-table": (WARNING, "A partition covers the sectors of the table itself.",
                      "start it behind the table; images for optical disks do this on purpose"),
    "part-not-fat": (WARNING, "The partition's type says FAT and there is no FAT volume in it.",
                     "format it, or give it another type"),
    "part-type-fat": (WARNING, "The partition's type says another FAT than the volume is, or says "
                      "nothing of FAT. Most boot firmware looks at one of the two only.",
                      "give the partition the type that fits its volume"),
}  # fmt: skip

_MBR = {
    "mbr-signature": (ERROR, "Sector 0 has partitions and lacks 55 AA at its end: no BIOS starts "
                      "it, and no system reads its partitions.", "write 55 AA at byte 510"),
    "mbr-indicator": (ERROR, "A boot indicator is neither 0x00 nor 0x80; BIOSes take the table "
                      "for garbage.", "write one of the two"),
    "mbr-active": (WARNING, "More than one partition is active; boot code of the usual kind "
                   "refuses that.", "leave one active, unless the disk's own boot code wants more"),
    "mbr-unused": (WARNING, "An entry of type 0, which means unused, has a place.",
                   "give it a type, or clear it"),
    "ebr-signature": (ERROR, "A sector in the chain of logical partitions lacks 55 AA.",
                      "make the table anew"),
    "ebr-loop": (ERROR, "The chain of logical partitions comes back to a sector that it had.",
                 "make the table anew"),
    "ebr-outside": (ERROR, "The chain of logical partitions, or one of them, leaves the extended "
                    "partition.", "make the table anew"),
    "ebr-covered": (ERROR, "A logical partition covers a sector of the chain: who fills it loses "
                    "the partitions behind it.", "move or shrink it"),
    "ebr-extended": (ERROR, "There is more than one extended partition.", "keep one"),
}  # fmt: skip

_GPT = {
    "gpt-primary": (ERROR, "The header in sector 1 is missing or damaged; only its backup holds.",
                    "restore it from the backup, for example with sgdisk"),
    "gpt-backup": (ERROR, "The backup header is damaged, or not where the primary says.",
                   "restore it from the primary, for example with sgdisk -e"),
    "gpt-no-backup": (WARNING, "There is no backup: if sector 1 is damaged, the table is lost. "
                      "Some boards want it so.", "write one, for example with sgdisk -e"),
    "gpt-backup-place": (ERROR, "The backup header is not in the last sector of the disk.",
                         "move it there (sgdisk -e), or cut the image where the backup ends"),
    "gpt-header": (ERROR, "A field of a header is out of its range.", _REBUILD),
    "gpt-header-crc": (ERROR, "The CRC of a header is not that of its bytes.", _REBUILD),
    "gpt-array-crc": (ERROR, "The CRC of an entry array is not that of its bytes.", _REBUILD),
    "gpt-array-place": (ERROR, "An entry array lies in the usable sectors, on a header, or beyond "
                        "the disk.", _REBUILD),
    "gpt-differ": (ERROR, "The two headers, or the two arrays, do not say the same.", _REBUILD),
    "gpt-entry": (ERROR, "An entry ends before it begins.", "correct the entry"),
    "gpt-outside": (ERROR, "A partition lies outside the usable sectors.", "move it"),
    "gpt-guid-twice": (ERROR, "Two partitions, or a partition and the disk, have one GUID: systems "
                       "mount the wrong one.", "give one of them another"),
    "gpt-guid-zero": (WARNING, "A GUID that should tell apart is all zero.", "give it one"),
    "gpt-name": (WARNING, "A partition's name is not UTF-16.", "name it anew"),
    "gpt-attributes": (WARNING, "A partition has attributes that UEFI reserves (bits 3 to 47).",
                       "clear them"),
    "pmbr-missing": (ERROR, "Sector 0 does not protect the GPT: firmware takes the disk for one "
                     "with an MBR, and old tools for an empty one.",
                     "write a protective MBR, for example with sgdisk"),
    "pmbr-wrong": (WARNING, "The protective entry is not what UEFI 2.10 (table 5.4) wants.",
                   "write it anew"),
    "pmbr-active": (WARNING, "The protective entry is active; some UEFI firmware then refuses the "
                    "disk.", "clear the flag, unless an old BIOS needs it"),
    "hybrid-differs": (ERROR, "A partition of the hybrid MBR is missing in the GPT.",
                       "make the hybrid MBR anew"),
}  # fmt: skip

_FAT_BOOT = {
    "fat-signature": (ERROR, "The boot sector lacks 55 AA at byte 510.", "write it there"),
    "fat-jump": (WARNING, "The boot sector does not begin with a jump (EB xx 90 or E9 xx xx); "
                 "Windows does not mount it then.", "write one"),
    "fat-sector-size": (ERROR, "The bytes per sector are not 512, 1024, 2048 or 4096.", _REBUILD),
    "fat-cluster-size": (ERROR, "The sectors per cluster are not a power of two.", _REBUILD),
    "fat-cluster-large": (WARNING, "Clusters are larger than 32 KiB; not every reader takes them.",
                          "make them smaller"),
    "fat-reserved": (ERROR, "There are no reserved sectors, though the boot sector is one.",
                     _REBUILD),
    "fat-copies": (ERROR, "The volume has no FAT, or more than readers know.", "make it two"),
    "fat-root": (ERROR, "The root directory's size or place is impossible.", _REBUILD),
    "fat-sectors": (ERROR, "The number of sectors is missing, or its two fields disagree.",
                    _REBUILD),
    "fat-beyond": (ERROR, "The volume is longer than its partition, or than the image. Who fills "
                   "it writes over what follows.", "make the partition longer, or the volume anew"),
    "fat-table-small": (ERROR, "A FAT has no room for all clusters.", _REBUILD),
    "fat-type": (ERROR, "The layout is that of another FAT type than the number of clusters says. "
                 "Firmware counts clusters; others look at the layout.",
                 "choose a type that goes with the size"),
    "fat-type-text": (WARNING, "The text in the boot sector names another FAT type. No reader "
                      "should read it; some do.", "write the right one"),
    "fat-no-clusters": (ERROR, "The volume has no room for a single cluster.", _REBUILD),
    "fat-media": (ERROR, "The media byte is invalid, or differs from that in FAT[0].",
                  "write 0xF8 (0xF0 on a floppy) in both places"),
    "fat-first-entry": (ERROR, "FAT[0] lacks bits that are always set; fsck.fat takes the FAT for "
                        "garbage.", _FSCK),
    "fat-second-entry": (WARNING, "FAT[1] lacks bits that are always set.", _FSCK),
    "fat-dirty": (WARNING, "The volume was not unmounted, or a disk error was seen.",
                  "unmount it, or let fsck.fat look"),
    "fat-geometry": (WARNING, "Sectors per track or heads are 0; mtools refuses such a volume.",
                     "write 63 and 255, or what the disk has"),
    "fat-hidden": (WARNING, "The hidden sectors are not those before the partition; boot code "
                   "that adds them reads other sectors.", "write the partition's first sector"),
    "fat-version": (ERROR, "A version of FAT32 other than 0.0; drivers must not mount it.",
                    _REBUILD),
    "fat-fsinfo": (ERROR, "FSInfo is not where it must be, or lacks a signature.", _FSCK),
    "fat-fsinfo-free": (ERROR, "FSInfo counts the free clusters wrongly; drivers believe it.",
                        _FSCK),
    "fat-fsinfo-next": (ERROR, "FSInfo's next free cluster does not exist.", _FSCK),
    "fat-backup-boot": (WARNING, "The backup boot sector is not a copy of the boot sector, as "
                        "after syslinux; tools may restore it one day.",
                        "copy the boot sector there"),
    "fat-backup-place": (ERROR, "The backup boot sector is not in the reserved sectors.", _REBUILD),
}  # fmt: skip

_FAT_CHAINS = {
    "fat-differ": (ERROR, "The copies of the FAT differ.", _FSCK),
    "fat-cross-link": (ERROR, "Two files have a cluster in common.", _FSCK),
    "fat-loop": (ERROR, "A chain comes back to a cluster that it had.", _FSCK),
    "fat-chain-range": (ERROR, "A chain leads to a cluster that does not exist.", _FSCK),
    "fat-chain-free": (ERROR, "A chain leads into a free cluster: who writes next takes it.",
                       _FSCK),
    "fat-chain-bad": (ERROR, "A chain leads into a cluster that is marked bad.", _FSCK),
    "fat-chain-short": (ERROR, "A file has fewer clusters than its size needs.", _FSCK),
    "fat-chain-long": (ERROR, "A file has more clusters than its size needs.", _FSCK),
    "fat-lost": (ERROR, "Clusters are in use, and no file has them.", _FSCK),
}  # fmt: skip

_FAT_DIRECTORIES = {
    "fat-dir-start": (ERROR, "A directory has no cluster.", _FSCK),
    "fat-dir-size": (ERROR, "A directory has a size; it must say 0.", _FSCK),
    "fat-dir-large": (ERROR, "A directory has more than 65,536 entries (2 MiB).", _FSCK),
    "fat-dir-content": (ERROR, "The clusters of a directory hold something else, such as a file: "
                        "its entries are impossible, and are not read.", _FSCK),
    "fat-dir-tail": (ERROR, "There are entries behind the end of a directory. Windows and DOS stop "
                     "before them, Linux and fsck.fat read on and find names there.", _FSCK),
    "fat-dot": (ERROR, "The entries . and .. are missing, misplaced, or point elsewhere.", _FSCK),
    "fat-short-char": (ERROR, "A short name has a character that it can't have, or a space in "
                       "front.", "rename it"),
    "fat-short-lower": (ERROR, "A short name has lower-case letters; no reader finds it.",
                        "rename it"),
    "fat-short-twice": (ERROR, "A directory has a short name twice.", "rename one"),
    "fat-name-twice": (ERROR, "Two names of a directory differ in case only, or a long name is "
                       "the short name of another: readers find either.", "rename one"),
    "fat-long-char": (ERROR, "A long name has a character that it can't have.", "rename it"),
    "fat-long-end": (WARNING, "A long name ends with a dot or a space; Windows can't open it.",
                     "rename it"),
    "fat-long-order": (ERROR, "The pieces of a long name are not in order, or too many.", _FSCK),
    "fat-long-checksum": (ERROR, "The checksum of a long name is not that of its short name; "
                          "readers ignore the long name.", _FSCK),
    "fat-long-orphan": (ERROR, "Pieces of a long name belong to no entry.", _FSCK),
    "fat-long-fill": (ERROR, "A long name is empty, has no end or something behind it, or fields "
                      "of a piece that must be 0 are not.", _FSCK),
    "fat-label-char": (WARNING, "The label is blank, or has a character that no name can have; "
                       "fsck.fat removes such a label.", "set a different label"),
    "fat-label-twice": (ERROR, "The root directory has more than one volume label.",
                        "remove one, for example with mlabel"),
    "fat-label-place": (ERROR, "A volume label lies in a subdirectory, or has clusters.",
                        "remove it"),
    "fat-label-differs": (WARNING, "The label in the boot sector is not the one in the root "
                          "directory; some tools show one, some the other.",
                          "set it with fatlabel, which writes both"),
    "fat-attributes": (WARNING, "An entry has bits set that must be 0.", "clear them"),
    "fat-time": (WARNING, "A date or a time of an entry does not exist.", "touch the file"),
}  # fmt: skip

SECTIONS = {
    "The image as a whole": _IMAGE,
    "Any partition table": _TABLES,
    "Master boot record": _MBR,
    "GUID partition table": _GPT,
    "FAT: the boot sector": _FAT_BOOT,
    "FAT: tables and chains": _FAT_CHAINS,
    "FAT: directories": _FAT_DIRECTORIES,
}
"""Title of a section of the reference page -> code -> severity, meaning, remedy."""

RULES = {code: Rule(*rule) for rules in SECTIONS.values() for code, rule in rules.items()}
"""Code -> rule, in the order of the reference page."""


def page() -> str:
    """Return the reference page, as Markdown."""
    lines = [
        "# What `verify` can find", "",
        "<!-- written by: python -m doit_diskimg.verify.catalogue -->", "",
        "A code stays what it is from version to version; the text of a finding may change.", "",
    ]  # fmt: skip
    for title, codes in SECTIONS.items():
        lines += [f"## {title}", "", "| code | | what it means | what to do |", "|---|---|---|---|"]
        for code in codes:
            rule = RULES[code]
            lines.append(f"| `{code}` | {rule.severity} | {rule.meaning} | {rule.remedy} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  # what it is for
