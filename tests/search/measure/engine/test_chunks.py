"""Chunks: whole units, one for each worker at least, about a second of a core."""

import pytest

from search.measure.engine.chunks import TASK_MACS, UNIT, chunk_size


@pytest.mark.parametrize(("images", "macs", "width", "size"), [
    (300, 1e6, 2, 160), (300, 1e6, 1, 320), (10, 1e6, 8, UNIT), (50_000, 4.1e9, 100, UNIT),
    (9000, 41e6, 2, UNIT * round(TASK_MACS / (41e6 * UNIT)))])
def test_sizes(images, macs, width, size):
    assert chunk_size(images, macs, width) == size
