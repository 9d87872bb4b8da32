"""Ends what a failed test left running."""

import os
import signal
from contextlib import suppress

import pytest
from machines import STARTED


@pytest.fixture(autouse=True)
def end_what_was_started():
    yield
    for process in STARTED:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    STARTED.clear()
