"""FAT12, FAT16 and FAT32 with long names, planned whole and never edited.

In the order of the work: `volume` is what the user writes, `geometry` turns a size into numbers,
`tree` merges the sources, `names` finds short names, `allocate` gives out clusters, `build` draws
the bytes.
"""
