"""The project's own Makefile: `doit list` shows what there is, `doit` alone checks everything."""

import sys

DOIT_CONFIG = {"default_tasks": ["lint", "types", "test"], "verbosity": 2}

PYTHON = sys.executable


def task_lint():
    """Style and common mistakes, by ruff."""
    return {"actions": [[PYTHON, "-m", "ruff", "check", "."]]}


def task_types():
    """Types, by mypy in strict mode."""
    return {"actions": [[PYTHON, "-m", "mypy"]]}


def task_test():
    """The tests that start no program; `tests/run` runs all in an environment of its own."""
    return {"actions": [[PYTHON, "-m", "pytest", "-n", "auto", "-m", "pure or host"]]}


def task_test_all():
    """All tests; boots the examples in QEMU."""
    return {"actions": [[PYTHON, "-m", "pytest"]]}


def task_docs():
    """The page of errors, from the docstrings and from real messages; CI compares it."""
    return {"actions": [[PYTHON, "docs/catalogue.py"]]}


def task_helpers():
    """The EFI applications behind warm firmware, from their C source; a test compares them."""
    return {"actions": ["doit_diskimg/host/qemu/warm/build.sh"]}


def task_package():
    """The wheel and the source archive, into dist/."""
    return {"actions": [[PYTHON, "-m", "build", "--outdir", "dist"]]}


def task_bench():
    """What builds cost beside other tools; writes docs/reference/benchmarks.md (20 minutes)."""
    page = "docs/reference/benchmarks.md"
    return {"actions": [[PYTHON, "-m", "benchmarks", "--write", page]]}
