"""What the tests of the outside world share."""

import os
import resource
import sys
import time
from contextlib import contextmanager, suppress

import pytest

_watchers = []


def _audit(event, arguments):
    """Python reports every file that is opened; a hook like this one stays for ever."""
    if event == "open":
        for watcher in _watchers:
            watcher(arguments[0])


sys.addaudithook(_audit)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def opened(here):
    """The files of the current directory that were opened, in order."""
    paths = []

    def note(path):
        if isinstance(path, str) and not os.path.isabs(path):
            paths.append(path)

    _watchers.append(note)
    yield paths
    _watchers.remove(note)


@pytest.fixture
def on_open():
    """A function that calls another one just before a path is opened for the first time."""
    added = []

    def call_when(path, action):
        def watcher(opening):
            if opening == path:
                _watchers.remove(watcher)
                action()

        _watchers.append(watcher)
        added.append(watcher)

    yield call_when
    for watcher in added:
        with suppress(ValueError):
            _watchers.remove(watcher)


@pytest.fixture
def settle():
    """A function that waits until a time stamp of now is old enough to be trusted."""
    return lambda: time.sleep(0.03)


@pytest.fixture
def no_file_over():
    """A context in which the system refuses to write any file beyond a length."""

    @contextmanager
    def limited(length):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
