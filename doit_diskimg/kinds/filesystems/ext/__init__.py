"""ext2, ext3 and ext4 volumes, made by mke2fs and debugfs.

In the order of the work: `volume` is the description, `check` its fields, `tree` the sources at
their paths, `make` the recipe for the programs.
"""
