"""Certify: the last design of a plan that passed is kept, with what may be said of it."""

from contextlib import nullcontext

import numpy as np
import pytest

from search.measure.watched import Watch
from search.report.record import Candidate, Judged
from search.stages.certify import certify
from tests.search.counting import Counting

EXACT_RIGHT, SEARCHED, CERTIFIED, MARGIN = 297, 300, 800, 0.01


def candidate(name, energy, right=EXACT_RIGHT):
    return Candidate(mapping={"layer": name}, energy=energy, area=1.0, right=(right,),
                     images=(SEARCHED,), evaluation=1)


EXACT = candidate("mul8u_exact", 1.0)
SAFE, BOLD = candidate("safe", 0.8), candidate("bold", 0.7)


class Split:
    """A certify split on which each design loses the images it is told to."""

    def __init__(self, lost, classes=7):
        self.labels, self._lost = np.zeros(CERTIFIED, int), lost
        self._classes = classes

    def logits(self, mappings, *, done):
        [mapping] = mappings
        done(CERTIFIED)
        answers = np.zeros(CERTIFIED, int)
        answers[:self._lost.get(mapping.get("layer"), 0)] = 1
        return [np.eye(self._classes, dtype=np.float32)[answers]]


def judged(lost, *designs, parts=("top1",), classes=7):
    return certify([Judged(design=design, found_by=("made-up",), chance=0.5, lost=(1.0,),
                           gained=(1.0,)) for design in designs], [Split(lost, classes)], EXACT,
                   margins=[MARGIN] * len(parts), parts=parts, watch=Watch())


@pytest.mark.parametrize(("lost", "kept", "verdicts"), [
    ({}, "bold", ["certified", "certified"]),
    ({"bold": 9}, "safe", ["certified", "not certified"]),
    ({"safe": 9}, "bold", ["not certified", "certified"]),
    ({"safe": 9, "bold": 9}, "mul8u_exact", ["not certified", "not certified"])])
def test_the_last_design_that_passed_is_kept(lost, kept, verdicts):
    found = judged(lost, SAFE, BOLD)
    assert found.kept.mapping["layer"] == kept
    assert [one.verdict for one in found.judged] == verdicts
    assert [one.lost for one in found.judged[0].certificates] == [lost.get("safe", 0)]
    assert found.judged[0].certificates[0].level == 0.025
    certificate, = found.certificates
    assert certificate.certified
    assert (certificate.wording.startswith("zero-loss (exact array")) == (kept == "mul8u_exact")


def test_without_a_plan_the_exact_array_is_kept():
    found = judged({})
    assert (found.kept, found.judged) == (EXACT, [])
    assert found.certificates[0].n == CERTIFIED


def test_every_pass_is_told_of(monkeypatch):
    progress = Counting()
    monkeypatch.setattr(Watch, "task", lambda _self, _label, _steps: nullcontext(progress))
    judged({"safe": 9}, SAFE, BOLD)
    assert progress.done == 3 * CERTIFIED


def test_both_parts_of_a_metric_must_hold():
    """The first of equal logits that are not the largest count: the label is among five."""
    found = judged({"safe": 9}, SAFE, parts=("top1", "top5"))
    first, fifth = found.judged[0].certificates
    assert (first.metric, first.lost, first.certified) == ("top1", 9, False)
    assert (fifth.metric, fifth.lost, fifth.certified) == ("top5", 0, True)
    assert found.kept == EXACT
    assert [one.metric for one in found.certificates] == ["top1", "top5"]


def test_agreement_looks_at_no_label():
    """By 800 images of which 3 change, at most 1 % do: exact binomial."""
    few, more = (judged({"safe": changed}, SAFE, parts=("agreement",)) for changed in (3, 4))
    certificate, = few.certificates
    assert certificate.wording == "at most 1.0 % answered otherwise (certified, 95 %)"
    assert (certificate.exact_right, certificate.lost, certificate.gained) == (CERTIFIED, 3, 0)
    assert more.kept == EXACT


def test_top1_and_top5_are_told_of_more_than_ten_classes():
    found = judged({"safe": 8}, SAFE, parts=("top5",), classes=11)
    [certificate] = found.judged[0].certificates
    assert certificate.beside == {"top1": (1.0, 1 - 8 / CERTIFIED), "top5": (1.0, 1.0)}
    first, second = judged({"safe": 8}, SAFE, parts=("top1", "top5"), classes=11).certificates
    assert (first.beside["top1"], second.beside) == ((1.0, 1.0), {})  # of the exact array
    assert judged({"safe": 8}, SAFE, classes=10).certificates[0].beside == {}


def test_a_score_is_judged_by_bets(tmp_path):
    """A score that falls from 1 to 0.9 on 80 of 800 images: a mean of 0.01 is lost."""
    path = tmp_path / "score.py"
    path.write_text("def mine(outputs, label):\n    return 0.9 + outputs[label] / 10\n")
    few, more = (judged({"safe": images}, SAFE, parts=(f"score:{path}:mine",))
                 for images in (8, 80))
    [certificate] = few.certificates
    assert certificate.wording == "at most 1.0 points of the score lost (certified, 95 %)"
    assert (certificate.lost, certificate.gained) == (pytest.approx(0.8), 0)
    assert -0.01 <= certificate.lower_bound < -0.001
    assert more.kept == EXACT
    assert more.judged[0].certificates[0].wording == "not certified"
