"""The second opinion: reads an image with other code than wrote it.

Nothing here imports `plan`, `ondisk`, `disk` or `kinds`: a mistake there must not be able to hide
here.  In reading order:

    finding        what can be reported, and in what words
    catalogue      every code with its severity, its meaning and its remedy
    source         the image as bytes: bounded reads, holes, how much is read at most
    judge          what is on the disk: a table or a bare volume; the order of the checks
    partitions     what every table must keep
    mbr_reader, gpt_reader      the tables
    boot_sector    FAT: the boot sector, what follows from it, and whether it is one
    allocation     FAT: the tables and the chains in them
    name_reader    FAT: characters, short names, long names
    directory      FAT: the entries of one directory
    tree_reader    FAT: all directories from the root down
    volume_reader  FAT: one volume from the boot sector to the last lost cluster
    witnesses      fsck.fat, sgdisk and pyfatfs, who are asked too
    pyfat_reader   what pyfatfs reads
    survey         a volume as plain data, to be compared with what it must hold
"""
