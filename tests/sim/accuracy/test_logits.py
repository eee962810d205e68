"""Top-k of logits."""

import numpy as np
import pytest

from sim.accuracy.logits import top_k


@pytest.mark.parametrize(("k", "right"), [(1, 1), (2, 2), (3, 3)])
def test_top_k_counts_the_label_among_the_largest(k, right):
    logits = np.array([[3, 1, 2], [3, 1, 2], [3, 1, 2]], np.float32)
    assert top_k(logits, np.array([0, 1, 2]), k) == right
