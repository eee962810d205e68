"""A network that knows nothing is doubted, one that knows something is not."""

import numpy as np
import pytest

from sim.accuracy.doubt import REMEDY, doubt, is_chance_level
from sim.data import PRESETS


@pytest.mark.parametrize(("right", "images", "classes", "guessing"), [
    (0, 50, 1000, True), (1, 200, 1000, True), (5, 200, 1000, False), (0, 1, 2, True),
    (100, 1000, 10, True), (130, 1000, 10, False), (55, 100, 2, True), (95, 100, 2, False)])
def test_what_guessing_would_do(right, images, classes, guessing):
    assert is_chance_level(right, images, 1 / classes) == guessing


def answered(labels, right, wrong_answer):
    """Return answers of which the first `right` are right."""
    answers = np.full_like(labels, wrong_answer)
    answers[:right] = labels[:right]
    return answers


EVEN = np.arange(1000) % 10
RARE = np.where(np.arange(1000) % 20, 0, 1 + np.arange(1000) % 9)  # 95 % are of class 0


@pytest.mark.parametrize(("answers", "labels", "classes", "reason"), [
    (EVEN, EVEN, 10, ""),
    ((EVEN + 1) % 10, EVEN, 10, "has 0 of 1,000 images right, as guessing among 10 classes would"),
    (np.zeros(1000, int), RARE, 10,
     "has 950 of 1,000 images right, as always answering the most frequent label would"),
    (np.zeros(1000, int), EVEN, 10, "has 100 of 1,000 images right, as guessing among 10 classes"),
    (RARE, RARE, 10, ""),
    (np.where(np.arange(1000) < 40, EVEN, 9), EVEN, 10,
     "has 136 of 1,000 images right and answers class 9 to 964 of them"),
    (np.zeros(40, int), np.zeros(40, int), 10, ""),  # all are of one class: no more can be asked
    (np.ones(40, int), np.zeros(40, int), 10, "has 0 of 40 images right, as guessing among 10"),
    (np.zeros(0, int), np.zeros(0, int), 10, ""),
])
def test_reasons(answers, labels, classes, reason):
    found = doubt(answers, labels, classes)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(("right", "doubted"), [(950, True), (955, True), (975, False)])
def test_rare_classes_must_be_known_to_be_believed(right, doubted):
    answers = answered(np.sort(RARE), right, 0)
    assert bool(doubt(answers, np.sort(RARE), 10)) == doubted


def test_the_remedy_names_every_preset():
    assert all(name in REMEDY for name in PRESETS)
