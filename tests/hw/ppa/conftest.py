"""Fixtures of the power, performance and area tests."""

import pytest

from tests.hw.ppa.tiny import tiny_technology, tiny_with_adder
from tests.outside_data import outside


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The hand-written cell library of `tiny.py`."""
    return tiny_technology(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def adders(tmp_path_factory):
    """That library with a full adder."""
    return tiny_with_adder(tmp_path_factory.mktemp("adders"))


@pytest.fixture(scope="session")
def liberty():
    """Folder of published Liberty libraries, which the project does not ship."""
    return outside("liberty")


@pytest.fixture(scope="session")
def asap7_liberty(liberty):
    """Folder of the published asap7 libraries."""
    return liberty / "asap7"
