"""What all tests share: a cache, or one of their own, and what a run says about itself."""

import os
from pathlib import Path

import pytest

from hw.common import cache
from tests.outside_data import notice

# Of the checkout, also for commands that are started elsewhere.
os.environ.setdefault(cache.VARIABLE, str(Path(__file__).resolve().parents[1] / cache.DEFAULT))


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Return the folder of a cache that holds what this test computes and nothing else."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_told", set())
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def module_cache(tmp_path_factory):
    """Let the tests of a module share such a cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_report_header():
    return notice()


def pytest_terminal_summary(terminalreporter):
    if terminalreporter.verbosity < 0:  # pytest -q shows no header
        terminalreporter.write_line(notice())
