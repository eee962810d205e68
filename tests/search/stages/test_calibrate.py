"""Calibration: gains from probes, the check on random designs, when pairs of layers count."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from search.measure.damage import Damage
from search.measure.probes import relative_damage
from search.measure.watched import Watch
from search.stages.calibrate import (
    CHECKED_DESIGNS,
    calibrate,
    calibrated,
    predict,
    rank_correlation,
)
from search.stages.records import Calibration
from sim.accuracy.trie import ignore_progress
from tests.search.counting import Counting
from tests.search.notes import Noted
from tests.search.synthetic import made_up_problem

IMAGES, CLASSES = 60, 5


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

    def logits(self, mappings, *, done=ignore_progress):
        self.prepared += sum(map(bool, mappings))
        done(len(mappings) * IMAGES)
        return [self.one(mapping) for mapping in mappings]

    def one(self, mapping):
        change = np.zeros((IMAGES, CLASSES))
        for layer, name in mapping.items():
            row = self.problem.layers.index(layer)
            power = self.power[row, self.problem.multipliers.index(name)]
            change += np.sqrt(self.gains[row] * power) * self.directions[row]
        return (self.exact + change).astype(np.float32)


@pytest.fixture
def problem():
    return made_up_problem(layers=6, multipliers=7)


def setting(problem, *, alike=0.0, notes=None, seed=0):
    generator = np.random.default_rng(1)
    power = np.linspace(0, 1, 7) * generator.uniform(0.5, 1.5, (6, 7))
    gains = generator.uniform(0.02, 0.3, 6)
    runs = Runs(problem, power, gains, alike=alike)
    progress = Counting()
    found = calibrated(problem, power, runs, seed=seed, notes=Noted() if notes is None else notes,
                       done=progress.advance)
    assert progress.done == (6 + CHECKED_DESIGNS) * IMAGES
    return runs, found


def test_damage_is_what_layers_alone_do(problem):
    runs, found = setting(problem)
    exact = runs.one({})
    for row, layer in enumerate(problem.layers):
        for column, name in enumerate(problem.multipliers):
            assert found.damage.alone[row, column] == pytest.approx(
                relative_damage(runs.one({layer: name}), exact), rel=1e-3, abs=1e-9)


def test_layers_that_do_not_meet_add_up(problem):
    _, found = setting(problem)
    assert found.additive > 0.9
    assert found.damage.interaction is None


def test_pairs_are_switched_on_where_layers_cancel(problem):
    _, found = setting(problem, alike=0.9)
    assert found.additive < 0.9 < found.pairwise
    assert found.damage.interaction is not None


def test_hopeless_damage_never_kept_the_accuracy(problem):
    runs, found = setting(problem)
    exact = runs.one({})
    right = (exact.argmax(axis=1) == runs.labels).sum()
    generator = np.random.default_rng([0, 1])
    designs = [problem.random(generator) for _ in range(16)]  # those that it measured
    for design in designs:
        logits = runs.one(problem.to_mapping(design))
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


def made_up(damage, *, hopeless):
    return Calibration(damage=Damage(alone=damage), additive=1.0, pairwise=1.0, hopeless=hopeless)


def test_predictions_of_networks_stand_one_below_the_other():
    one, other = np.full((2, 3), 0.1), np.full((1, 3), 0.2)
    found = predict([made_up(one, hopeless=0.5), made_up(other, hopeless=0.7)], None)
    np.testing.assert_array_equal(found.damage.alone, np.concatenate([one, other]))
    assert found.alone is found.damage.alone
    assert (found.hopeless, found.studied) == (0.7, False)


def test_a_study_is_what_is_reported_and_draws_predictions_towards_it():
    damage = np.linspace(0.1, 1, 5)[None]
    halves = np.stack([2 * damage, 2 * damage])
    found = predict([made_up(damage, hopeless=1.0)], halves)
    np.testing.assert_allclose(found.alone, 2 * damage)
    np.testing.assert_allclose(found.damage.alone, 2 * damage)
    assert found.studied
    assert predict([], halves).damage is None


@pytest.mark.parametrize(("predicted", "studied"), [(True, False), (False, True), (False, False)])
def test_only_what_is_asked_for_is_measured(predicted, studied):
    problem = replace(made_up_problem(layers=6, multipliers=7), starts=(0, 4))
    generator = np.random.default_rng(1)
    power, gains = generator.uniform(0.5, 1.5, (6, 7)), generator.uniform(0.02, 0.3, 6)
    power[:, 0] = 0
    parts = problem.networks
    runs = [Runs(problem.part(own), power[own], gains[own], alike=0.0) for own in parts]
    notes = Noted()
    found = calibrate(
        [SimpleNamespace(prefix=prefix) for prefix in ("a/", "b/")], [{}, {}],
        [SimpleNamespace(error_power=lambda own=own: power[own]) for own in parts], problem, runs,
        {}, predicted=predicted, studied=studied, seed=0, notes=notes, watch=Watch(of=("", "")))
    assert (found.damage is not None, found.studied) == (predicted, studied)
    assert {"a/probes", "b/probes"} <= notes.keys() if predicted else not (
        {"a/probes", "b/probes"} & notes.keys())
    for one, own in zip(runs, parts, strict=True):
        layers = own.stop - own.start
        assert one.prepared == predicted * (layers + CHECKED_DESIGNS) + studied * layers * 7
    if predicted or studied:
        for row, layer in enumerate(problem.layers):
            one = runs[row >= 4]
            alone = relative_damage(one.one({layer: problem.multipliers[3]}), one.one({}))
            assert found.alone[row, 3] == pytest.approx(alone, rel=1e-3)
