"""How Hypothesis runs: without a deadline, since machines differ; the same examples wherever CI is.

A run of CI judges a change and not the luck of the day; at home every run looks for new examples.

And Ctrl-C: a shell that starts the tests in the background lets them ignore it, and with them all
that they start; some of them press it.
"""

import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings
from needs import NEEDS, forbid_programs, need_of

settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    for need, meaning in NEEDS.items():
        config.addinivalue_line("markers", f"{need}: {meaning}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(need_of(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with forbid_programs(item):
        return (yield)


@pytest.fixture(autouse=True)
def same_folder() -> Iterator[None]:
    """Fail a test that leaves this process elsewhere: its own folder is removed, if it passed, and
    the tests that follow would stand nowhere.
    """
    before = os.getcwd()
    yield
    try:
        after = os.getcwd()
    except FileNotFoundError:
        after = ""
    os.chdir(before)
    assert after == before, "it leaves this process in another folder"
