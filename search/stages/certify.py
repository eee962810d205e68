"""Certify: what may be said of planned designs, on the images that nothing else has touched.

Designs are judged in the order that was planned, by the fallback procedure
(`search.certify.paired_test`), and the last one that passed is handed over. Where several networks
share the bank, or several parts of a metric are kept, a design passes only if all of them do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from search.certify.paired_test import ALPHA, certify_in_order, compare, identical
from search.measure.evaluation import SplitRuns
from search.measure.metric import METRICS, Kept, kept
from search.measure.watched import Watch
from search.report.record import Candidate, Certificate, Judged
from search.stages.records import Verdict

FEW_CLASSES = 10  # of which top-5 says little


def certify(sequence: Sequence[Judged], runs: Sequence[SplitRuns], exact: Candidate, *,
            margins: Sequence[float], parts: Sequence[str] = METRICS["top1"], level: float = ALPHA,
            watch: Watch) -> Verdict:
    """Judge designs in their order; when none passes, the exact array is handed over.

    runs : of each network on its certify split. margins : of each network and part of the metric,
    fixed before any image was looked at. level : of all tests together.
    """
    images, metrics = sum(len(one.labels) for one in runs), [*parts] * len(runs)
    with watch.task("certifying on held-out images", images * (1 + len(sequence))) as progress:
        exact_logits = [one.logits([{}], done=progress.advance)[0] for one in runs]

        def right_of(found: Sequence[npt.NDArray[np.float32]]) -> list[Kept]:
            return [right for one, *logits in zip(runs, found, exact_logits, strict=True)
                    for right in kept(parts, logits[0], one.labels, logits[1])]

        exact_right = right_of(exact_logits)

        def with_shares(certificates: Sequence[Certificate],
                        found: Sequence[npt.NDArray[np.float32]]) -> list[Certificate]:
            shares = iter([shares for one, *logits in zip(runs, found, exact_logits, strict=True)
                           for shares in (_shares(one.labels, *logits), *[{}] * (len(parts) - 1))])
            return [replace(one, beside=next(shares)) for one in certificates]

        def certificates_of(planned: Judged, own: float) -> list[Certificate]:
            found = [one.logits([planned.design.mapping], done=progress.advance)[0]
                     for one in runs]
            return with_shares([compare(before, after, margin=margin, metric=metric, level=own)
                                for before, after, margin, metric in zip(
                                    exact_right, right_of(found), margins, metrics, strict=True)],
                               found)

        judged = [replace(planned, certificates=tuple(found))
                  for planned, found in certify_in_order(sequence, certificates_of, level=level)]
    passed = [one for one in judged if one.certified]
    if passed:
        return Verdict(kept=passed[-1].design, certificates=passed[-1].certificates,
                       judged=judged)
    return Verdict(kept=exact, judged=judged, certificates=tuple(with_shares([
        identical(right, margin=margin, metric=metric)
        for right, margin, metric in zip(exact_right, margins, metrics, strict=True)],
        exact_logits)))


def _shares(labels: npt.NDArray[np.int64], logits: npt.NDArray[np.float32],
            exact: npt.NDArray[np.float32]) -> dict[str, tuple[float, float]]:
    """Return top1 and top5 -> shares that the exact network and a design have right.

    Nothing where there are ten classes or fewer, or labels are none of them.
    """
    classes = logits.shape[1]
    if classes <= FEW_CLASSES or not ((labels >= 0) & (labels < classes)).all():
        return {}
    both = [kept(METRICS["top1+top5"], some, labels, exact) for some in (exact, logits)]
    return {part: (float(before.mean()), float(after.mean()))
            for part, before, after in zip(METRICS["top1+top5"], *both, strict=True)}
