"""Files made of a finished image, one module per kind; each fits `doit_diskimg.disk.model.Output`.

To add one, write a module with a frozen dataclass that has the members of that socket
(`output_file.OutputFile` has those that are always the same), its test, its section on the page,
and its name in the package's `__init__`.  An output opens no file and starts no program: it asks
`sockets.Work` to.
"""
