"""Reference: the exact network on its search images, and how designs compare with it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import InputError
from search.measure.probes import relative_damage
from search.measure.watched import Watch
from search.stages.reference import compare, exact_design, refer
from sim.network.onnx.float_run import float_logits
from tests.search.synthetic import made_up_problem
from tests.sim.nets import NetBuilder

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1] * 4)


def network(original):
    images = np.eye(4, dtype=np.float32)[LABELS]
    return SimpleNamespace(network=SimpleNamespace(original=original),
                           splits=SimpleNamespace(search=SimpleNamespace(images=images)))


def swapping():
    """A float network that takes class 0 for 1 and 1 for 0."""
    turned = np.eye(4, dtype=np.float32)[[1, 0, 2, 3]]
    net = NetBuilder((4,))
    net.add("MatMul", net.given(turned))
    return net.model()


NETWORKS = [network(None), network(swapping())]


class Runs:
    """A network that is right on all its images but the first; designs lose some, gain that one."""

    def __init__(self, loses):
        self.labels, self.loses, self.prepared, self.name = LABELS, loses, [], "s"

    def each(self, mappings):
        self.prepared += mappings
        for where in (slice(20, 32), slice(0, 20)):
            for index, logits in enumerate(self.logits(mappings)):
                yield index, where, logits[where]

    def float_logits(self, model):
        return float_logits(model, np.eye(4, dtype=np.float32)[LABELS])

    def logits(self, mappings, *, done=lambda images: None):
        return [self.one(mapping, done) for mapping in mappings]

    def one(self, mapping, done):
        answers = self.labels.copy()
        answers[0] += 1
        if mapping:
            answers[0] -= 1
            answers[-self.loses[mapping["layer"]]:] += 1
        done(len(answers))
        return np.eye(4, dtype=np.float32)[answers]


@pytest.fixture
def runs():
    return [Runs({"bold": 5, "safe": 1}), Runs({"bold": 2, "safe": 1})]


@pytest.fixture
def references(runs):
    return refer(NETWORKS, runs, watch=Watch(of=("", "")))


def test_what_the_exact_network_has_right_is_what_designs_are_held_to(references):
    assert [int(one.right[0].sum()) for one in references] == [31, 31]
    assert not references[0].right[0][0]
    assert [one.doubt for one in references] == ["", ""]
    assert [one.float_right for one in references] == [(), ((LABELS == 2).sum(),)]
    problem = made_up_problem()
    exact = exact_design(problem, references)
    assert set(exact.mapping.values()) == {problem.multipliers[problem.reference]}
    assert (exact.right, exact.images, exact.energy, exact.area) == ((31, 31), (32, 32), 1.0, 1.0)
    halved = replace(problem, baseline_pj=problem.baseline_energy_pj / 2,
                     baseline_um2=problem.area_um2[problem.reference] / 4)
    exact = exact_design(halved, references)
    assert (exact.energy, exact.area) == pytest.approx((2.0, 4.0))


def test_a_network_that_guesses_is_doubted(runs):
    runs[1].labels = (LABELS + 2) % 3
    runs[1].logits = lambda mappings, *, done: [np.eye(4, dtype=np.float32)[LABELS]]
    known, guessing = refer(NETWORKS, runs, watch=Watch(of=("", "")))
    assert not known.doubt
    assert "0 of 32 search images right" in guessing.doubt


def test_each_network_is_compared_with_itself(runs, references):
    bold, safe = compare([{"layer": "bold"}, {"layer": "safe"}], runs=runs, references=references)
    assert (bold.right, bold.lost) == ((27, 30), (5, 2))  # one image is gained
    assert (safe.right, safe.lost) == ((31, 31), (1, 1))
    assert bold.damages[1] == relative_damage(runs[1].logits([{"layer": "bold"}])[0],
                                              references[1].logits)
    assert all(len(one.prepared) == 2 for one in runs)  # together


def test_every_part_of_a_metric_is_counted_of_every_network(runs):
    parts = ("top1", "agreement")
    references = refer(NETWORKS, runs, parts=parts, watch=Watch(of=("", "")))
    assert exact_design(made_up_problem(), references).right == (31, 32, 31, 32)
    one, = compare([{"layer": "bold"}], runs=runs, references=references, parts=parts)
    # The image that is gained is answered otherwise, too.
    assert (one.right, one.lost) == ((27, 26, 30, 29), (5, 6, 2, 3))
    assert len(one.damages) == 2


def test_five_answers_of_four_classes_are_refused(runs):
    with pytest.raises(InputError, match=r"^s: metric top5 must have more than 5 classes, not 4$"):
        refer(NETWORKS, runs, parts=["top5"], watch=Watch(of=("", "")))
