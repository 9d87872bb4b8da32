"""Partition tables, one file per kind; each fits `doit_diskimg.disk.model.Table`.

To add one, write a module with a frozen dataclass that has the methods of that port, its test and
its page.  What all tables ask of a description is in `described`.
"""
