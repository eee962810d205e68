"""Calibration: gains from probes, the check on random designs, when pairs of layers count."""

import numpy as np
import pytest

from search.measure.calibration import (
    CHECKED_DESIGNS,
    calibrate,
    calibration_charge,
    rank_correlation,
)
from search.measure.probes import relative_damage
from tests.search.counting import Counting
from tests.search.notes import Noted
from tests.search.synthetic import made_up_problem

IMAGES, CLASSES = 60, 5


class Layer:
    def __init__(self, name, macs):
        self.name, self.macs = name, macs


class Runs:
    """Each layer moves the logits in a direction of its own, by the root of gain x power."""

    def __init__(self, problem, power, gains, *, alike):
        generator = np.random.default_rng(3)
        self.problem, self.power, self.gains = problem, power, gains
        self.prepared = 0
        self.exact = 3 * generator.normal(size=(IMAGES, CLASSES))
        self.labels = self.exact.argmax(axis=1)
        common = generator.normal(size=(IMAGES, CLASSES))
        self.directions = []
        for layer in range(len(problem.layers)):
            own = generator.normal(size=(IMAGES, CLASSES))
            sign = 1 if layer % 2 else -1
            direction = alike * sign * common + (1 - alike) * own
            self.directions.append(direction / np.sqrt((direction ** 2).mean()))

    def logits(self, mapping):
        change = np.zeros((IMAGES, CLASSES))
        for layer, name in mapping.items():
            row = self.problem.layers.index(layer)
            power = self.power[row, self.problem.multipliers.index(name)]
            change += np.sqrt(self.gains[row] * power) * self.directions[row]
        return (self.exact + change).astype(np.float32)

    def prepare(self, mappings, *, done):
        self.prepared += len(mappings)
        done(len(mappings) * IMAGES)


@pytest.fixture
def problem():
    return made_up_problem(layers=6, multipliers=7)


def setting(problem, *, alike=0.0, notes=None, seed=0):
    generator = np.random.default_rng(1)
    power = np.linspace(0, 1, 7) * generator.uniform(0.5, 1.5, (6, 7))
    gains = generator.uniform(0.02, 0.3, 6)
    runs = Runs(problem, power, gains, alike=alike)
    progress = Counting()
    found = calibrate(problem, power, runs, seed=seed, notes=Noted() if notes is None else notes,
                      done=progress.advance)
    assert progress.done == (6 + CHECKED_DESIGNS) * IMAGES
    return runs, found


def test_damage_is_what_layers_alone_do(problem):
    runs, found = setting(problem)
    exact = runs.logits({})
    for row, layer in enumerate(problem.layers):
        for column, name in enumerate(problem.multipliers):
            assert found.damage.alone[row, column] == pytest.approx(
                relative_damage(runs.logits({layer: name}), exact), rel=1e-3, abs=1e-9)


def test_layers_that_do_not_meet_add_up(problem):
    _, found = setting(problem)
    assert found.additive > 0.9
    assert found.damage.interaction is None


def test_pairs_are_switched_on_where_layers_cancel(problem):
    _, found = setting(problem, alike=0.9)
    assert found.additive < 0.9 < found.pairwise
    assert found.damage.interaction is not None


def test_charge_is_one_pass_the_probes_suffixes_and_the_random_designs(problem):
    layers = [Layer(name, 10) for name in problem.layers]
    assert calibration_charge(layers, 0.5) == pytest.approx(
        0.5 * (1 + (6 + 5 + 4 + 3 + 2 + 1) / 6 + 16))


def test_hopeless_damage_never_kept_the_accuracy(problem):
    runs, found = setting(problem)
    exact = runs.logits({})
    right = (exact.argmax(axis=1) == runs.labels).sum()
    generator = np.random.default_rng([0, 1])
    designs = [problem.random(generator) for _ in range(16)]  # those that it measured
    for design in designs:
        logits = runs.logits(problem.to_mapping(design))
        if relative_damage(logits, exact) >= found.hopeless:
            assert (logits.argmax(axis=1) == runs.labels).sum() < right


def test_same_seed_same_calibration(problem):
    one, other = setting(problem)[1], setting(problem)[1]
    assert (one.additive, one.hopeless) == (other.additive, other.hopeless)


def test_what_is_noted_is_not_measured_again(problem):
    notes = Noted()
    (first, one), (again, other) = (setting(problem, alike=0.9, notes=notes) for _ in range(2))
    assert (first.prepared, again.prepared) == (6 + CHECKED_DESIGNS, 0)
    np.testing.assert_array_equal(one.damage.alone, other.damage.alone)
    np.testing.assert_array_equal(one.damage.interaction, other.damage.interaction)
    assert (one.additive, one.pairwise, one.hopeless) == (
        other.additive, other.pairwise, other.hopeless)


def test_notes_of_other_designs_are_not_taken(problem):
    notes = Noted()
    setting(problem, notes=notes, seed=1)
    runs, found = setting(problem, notes=notes)
    assert runs.prepared == 6 + CHECKED_DESIGNS
    assert found.additive == setting(problem)[1].additive


@pytest.mark.parametrize(("predicted", "measured", "expected"), [
    ([1, 2, 3], [2, 5, 9], 1.0), ([1, 2, 3], [9, 5, 2], -1.0)])
def test_rank_correlation(predicted, measured, expected):
    assert rank_correlation(predicted, measured) == pytest.approx(expected)


@pytest.mark.parametrize("measured", [[1.0], [2, 2]])
def test_rank_correlation_of_nothing_is_not_a_number(measured):
    assert np.isnan(rank_correlation([1, 2][:len(measured)], measured))
