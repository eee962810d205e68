"""The study of every multiplier in every layer alone, and how noise is drawn out of it."""

import numpy as np
import pytest

from search.measure.probes import relative_damage
from search.measure.study import shrunk, study
from sim.accuracy.trie import ignore_progress
from tests.search.counting import Counting
from tests.search.notes import Noted


class Runs:
    """Logits that a layer changes in proportion to the number in the multiplier's name."""

    def __init__(self, images=40):
        generator = np.random.default_rng(0)
        self.exact = generator.normal(size=(images, 5)).astype(np.float32)
        self.labels = self.exact.argmax(axis=1)
        self.noise = generator.normal(size=(2, images, 5)).astype(np.float32)
        self.prepared = 0

    def logits(self, mappings, *, done=ignore_progress):
        self.prepared += sum(map(bool, mappings))
        done(len(mappings) * len(self.labels))
        changes = [sum(self.noise[int(layer)] * int(name) for layer, name in mapping.items())
                   for mapping in mappings]
        return [self.exact + np.float32(0.01) * change for change in changes]


LAYERS, MULTIPLIERS = ["0", "1"], ["0", "1", "2", "3"]


def test_halves_are_told_apart_and_their_mean_is_the_damage():
    runs = Runs()
    halves = study(LAYERS, MULTIPLIERS, runs, notes=Noted())
    assert halves.shape == (2, 2, 4)
    assert (halves[0] != halves[1]).any()
    for row, layer in enumerate(LAYERS):
        for column, name in enumerate(MULTIPLIERS):
            whole = relative_damage(runs.logits([{layer: name}])[0], runs.exact)
            assert halves[:, row, column].mean() == pytest.approx(whole)


def test_rows_that_were_kept_are_not_measured_again():
    notes = Noted()
    first = study(LAYERS[:1], MULTIPLIERS, Runs(), notes=notes)
    runs = Runs()
    progress = Counting()
    again = study(LAYERS, MULTIPLIERS, runs, notes=notes, done=progress.advance)
    assert progress.done == len(LAYERS) * len(MULTIPLIERS) * len(runs.labels)
    assert runs.prepared == len(MULTIPLIERS)  # those of the second layer
    np.testing.assert_array_equal(again[:, 0], first[:, 0])


def noisy(noise, *, spread, seed=0, columns=400):
    """Return truth, prediction and the measured halves of one layer."""
    generator = np.random.default_rng(seed)
    predicted = np.exp(generator.normal(size=(1, columns)))
    truth = 3 * predicted * np.exp(spread * generator.normal(size=(1, columns)))
    return truth, predicted, truth * np.exp(noise * generator.normal(size=(2, 1, columns)))


@pytest.mark.parametrize("spread", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("noise", [0.2, 0.6])
def test_shrunk_is_nearer_to_the_truth_than_what_was_measured(noise, spread):
    truth, predicted, halves = noisy(noise, spread=spread)

    def error(values):
        return float((np.log(values / truth) ** 2).mean())

    assert error(shrunk(halves, predicted)) < error(halves.mean(axis=0))
    assert error(shrunk(halves, predicted)) < error(3 * predicted) + 0.01


def test_exact_measurements_are_believed():
    truth, predicted, halves = noisy(0.0, spread=0.5)
    np.testing.assert_allclose(shrunk(halves, predicted), truth)


def test_nothing_predicted_nothing_left():
    halves, predicted = np.ones((2, 1, 4)), np.array([[0, 1.0, 2.0, 3.0]])
    assert shrunk(halves, predicted)[0, 0] == 0
