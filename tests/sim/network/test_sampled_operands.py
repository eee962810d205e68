"""Sampled operands: whole runs, evenly spread."""

import numpy as np

from sim.network.sampled_operands import spread


def test_part_of_the_rows_is_whole_runs_over_all_images():
    acts = np.arange(10_000, dtype=np.int16)[None, :, None]
    found = spread(acts, 1024)[0, :, 0]
    assert found.size == 1024
    assert (found[0], found[-1]) == (0, 9_999)
    assert (np.diff(found) != 1).sum() == 3
    assert (spread(acts, 100)[0, :, 0] == np.arange(100)).all()
    assert spread(acts[:, :50], 100).shape == (1, 50, 1)
