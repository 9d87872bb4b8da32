"""What a build costs, beside the tools that people use for the same work.

`doit bench`, or ``python -m benchmarks --help`` in the project's folder.  In reading order:
`workloads` makes the files, `contenders` are the programs, `measure` times whole processes in
turn, `questions` says which are compared, `report` writes docs/reference/benchmarks.md.
"""
