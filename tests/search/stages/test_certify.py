"""Certify: the last design of a plan that passed is kept, with what may be said of it."""

import numpy as np
import pytest

from search.report.record import Candidate, MethodResult
from search.stages.certify import certify, judge
from search.stages.watched import Watch
from tests.search.counting import Counting

EXACT_RIGHT, SEARCHED, CERTIFIED, MARGIN = 297, 300, 800, 0.01


def candidate(name, energy, right=EXACT_RIGHT):
    return Candidate(mapping={"layer": name}, energy=energy, area=1.0, right=(right,),
                     images=(SEARCHED,), evaluation=1)


EXACT = candidate("mul8u_exact", 1.0)
SAFE, BOLD = candidate("safe", 0.8), candidate("bold", 0.7)


def result(method="made-up"):
    return MethodResult(method=method, evaluations=2, seconds=0.0, accepted=BOLD, best=BOLD,
                        history=[SAFE, BOLD])


class Split:
    """A certify split on which each design loses the images it is told to."""

    def __init__(self, lost):
        self.labels, self._lost = np.zeros(CERTIFIED), lost

    def right(self, mapping, *, done):
        done(CERTIFIED)
        kept = np.ones(CERTIFIED, bool)
        kept[:self._lost.get(mapping.get("layer"), 0)] = False
        return kept


@pytest.mark.parametrize(("lost", "chosen", "kept"), [
    ({}, True, "bold"), ({"bold": 9}, True, "safe"), ({"bold": 9}, False, "safe"),
    ({"safe": 9, "bold": 9}, True, "mul8u_exact"), ({"safe": 9, "bold": 9}, False, None)])
def test_the_cheapest_design_that_passed_is_kept(lost, chosen, kept):
    progress = Counting()
    found = judge(result(), [SAFE, BOLD], [Split(lost)], EXACT, margins=[MARGIN], chosen=chosen,
                  done=progress.advance)
    assert progress.done == 3 * CERTIFIED
    assert (found.best and found.best.mapping["layer"]) == kept
    if kept is None:
        assert not found.certificate.certified
        assert found.certificate.lost == 9
    else:
        assert found.certificate.certified
        assert found.certificate.wording.startswith("zero-loss" if chosen else "separate")


def test_the_last_method_is_the_chosen_one():
    beside, chosen = certify(
        [result("beside"), result("chosen")], [[BOLD], [BOLD]], [Split({"bold": 9})], EXACT,
        margins=[MARGIN], watch=Watch())
    assert (beside.method, beside.best, chosen.method, chosen.best) == (
        "beside", None, "chosen", EXACT)
