"""FAT12, FAT16 and FAT32 with long names, planned whole and never edited.

`volume` is what the user writes, `planner` the door to the work.  In its order:

    fat_check   what is wrong with the fields
    contents    the tree with its marks, with `names` (short names) and `reserved` (what lies before
                the tables, a boot sector of the user's among it)
    sizing      how large a volume is, with `fat_type` (type and cluster size) and `geometry` (all
                other numbers, and which clusters everything gets)
    encode      the bytes

`engines` are other people's programs that make the same volume, `fat_image` puts files into a
existing volume.
"""
