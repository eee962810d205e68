"""What is kept, image by image, against a ranking by hand."""

import numpy as np
import pytest

from hw.common.errors import InputError
from search.measure.metric import METRICS, check_classes, kept

LABELS = np.array([0, 5, 6, 2])
EXACT = np.eye(7, dtype=np.float32)[[0, 5, 1, 3]]
LOGITS = np.array([[9, 1, 1, 1, 1, 1, 1],   # label first
                   [1, 2, 3, 4, 5, 0, 0],   # label sixth, the first of two equal ones
                   [2, 9, 2, 2, 2, 0, 3],   # label second, the answer of the exact network
                   [1, 1, 1, 1, 1, 1, 1]],  # all equal: label third
                  np.float32)


@pytest.mark.parametrize(("metric", "wanted"), [
    ("top1", [[1, 0, 0, 0]]), ("top5", [[1, 0, 1, 1]]),
    ("top1+top5", [[1, 0, 0, 0], [1, 0, 1, 1]]), ("agreement", [[1, 0, 1, 0]])])
def test_by_hand(metric, wanted):
    found = kept(METRICS[metric], LOGITS, LABELS, EXACT)
    assert [one.tolist() for one in found] == [[bool(x) for x in row] for row in wanted]


def test_top5_is_the_rank_of_the_label():
    generator = np.random.default_rng(0)
    logits = generator.integers(0, 6, (500, 12)).astype(np.float32)  # with many ties
    labels = generator.integers(0, 12, 500)
    own = logits[np.arange(500), labels]
    before = (logits > own[:, None]).sum(axis=1) + (
        (logits == own[:, None]) & (np.arange(12) < labels[:, None])).sum(axis=1)
    [found] = kept(["top5"], logits, labels, logits)
    np.testing.assert_array_equal(found, before < 5)


def test_five_of_five_classes_say_nothing():
    check_classes(["top1"], 5, "images")
    check_classes(["top1", "top5"], 6, "images")
    with pytest.raises(InputError, match=r"^images: metric top5 must have more than 5 classes"):
        check_classes(["top5"], 5, "images")
