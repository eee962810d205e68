"""Labels against the shape of a network's output."""

from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.accuracy.labels import class_scores_check


@pytest.mark.parametrize("outputs", [(10,), (10, 1, 1)])
def test_labels_that_name_classes_are_accepted(outputs):
    class_scores_check(Path("net.onnx"), [("a.npz", np.array([0, 9]))])(outputs)


@pytest.mark.parametrize(("outputs", "message"), [
    ((4, 4), r"^net\.onnx: network output must be a score of each class, \[n, classes\], not"),
    ((9,), r"^a\.npz: ")])
def test_others_are_refused_by_name(outputs, message):
    with pytest.raises(InputError, match=message):
        class_scores_check(Path("net.onnx"), [("a.npz", np.array([0, 9]))])(outputs)
