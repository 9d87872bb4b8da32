"""FAT12, FAT16 and FAT32 with long names, planned whole and never edited.

In the order of the work: `volume` is what the user writes, `check` finds what is wrong with its
fields, `choose` finds type and cluster size, `geometry` the other numbers.  `populate` decides
everything else with the help of `tree` (merges the sources), `names` (short names) and `allocate`
(clusters); `build` draws the bytes.
"""
