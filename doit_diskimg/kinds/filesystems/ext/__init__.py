"""ext2, ext3 and ext4 volumes, made by mke2fs and debugfs.

`ext_volume` is the description, `ext_check` finds what is wrong with its fields, `mke2fs` writes
the recipe for the programs.
"""
