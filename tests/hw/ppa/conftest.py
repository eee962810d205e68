"""Fixtures of the power, performance and area tests."""

import os
from pathlib import Path

import pytest

from tests.hw.ppa.tiny import tiny_technology


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The hand-written cell library of `tiny.py`."""
    return tiny_technology(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def asap7_liberty():
    """Folder of the published asap7 libraries, which the project does not ship."""
    root = Path(os.environ.get("AUTOAPPROX_DATA", Path(__file__).parents[4] / "shared" / "data"))
    folder = root / "liberty" / "asap7"
    if not folder.is_dir():
        pytest.skip("no asap7 Liberty files; AUTOAPPROX_DATA names the folder that holds them")
    return folder
