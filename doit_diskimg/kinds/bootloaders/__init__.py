"""Ribs that boot: what they put on a disk, as segments with symbols."""
