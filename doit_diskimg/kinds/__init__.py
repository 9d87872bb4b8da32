"""One file or folder for each kind of thing that a disk can have."""
