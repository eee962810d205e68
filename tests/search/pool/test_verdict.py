"""Labels of the differing images say what all labels would."""

import numpy as np
import pytest

from hw.common.errors import InputError
from search.certify.paired_test import compare
from search.pool.answers import answers_of, differing
from search.pool.verdict import judge, verdict_on

N, CLASSES, MARGIN = 800, 7, 0.02


def pool(seed, *changed, k=1):
    """Return labels, and the answers of an exact network and of designs that change some."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=N)
    logits = rng.normal(size=(N, CLASSES)) + 3 * np.eye(CLASSES)[labels]
    others = [np.where(rng.random((N, 1)) < share, rng.normal(size=(N, CLASSES)), logits)
              for share in changed]
    return labels, [answers_of(one.astype(np.float32), k) for one in (logits, *others)]


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("seed", range(4))
def test_the_verdict_is_that_of_all_labels(seed, k):
    labels, answers = pool(seed, 0.01, 0.02, k=k)
    union = differing(answers).any(axis=0)
    assert 0 < union.sum() < 0.04 * N
    right = [(one == labels[:, None]).any(axis=1) for one in answers]
    for found, own in zip(judge(answers, labels[union], MARGIN), right[1:], strict=False):
        known = compare(right[0], own, margin=MARGIN)
        assert (found.n, found.lost, found.gained) == (known.n, known.lost, known.gained)
        assert (found.lower_bound, found.certified, found.wording) == (
            known.lower_bound, known.certified, known.wording)


def test_designs_are_judged_up_to_the_first_failure():
    labels, answers = pool(1, 0.005, 0.9, 0.005)
    union = differing(answers).any(axis=0)
    judged = list(judge(answers, labels[union], MARGIN))
    assert [(one.design, one.certified) for one in judged] == [(1, True), (2, False)]


def test_the_same_answers_need_no_label():
    _, answers = pool(2, 0.0)
    [one] = judge(answers, np.zeros(0, np.int64), MARGIN)
    assert (one.differing, one.lost, one.gained, one.certified) == (0, 0, 0, True)


def test_other_labels_after_a_verdict_are_refused(tmp_path):
    labels, answers = pool(3, 0.05)
    own = labels[differing(answers).any(axis=0)]
    verdict = verdict_on(tmp_path, answers, own, MARGIN)
    assert verdict_on(tmp_path, answers, own, MARGIN) == verdict
    with pytest.raises(InputError, match="a verdict was reached on other labels"):
        verdict_on(tmp_path, answers, own[::-1].copy(), MARGIN)
