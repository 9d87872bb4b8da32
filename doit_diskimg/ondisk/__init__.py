"""On-disk structures as bytes, and nothing else.

Each module declares the structs of one standard: the format beside the field names, the size
asserted, `pack()`, and `unpack()` of what is read too.  What a value should be, and where a struct
lies, is not known here.  This is the only folder with inclusive sector numbers (``first_lba``,
``last_lba``).
"""
