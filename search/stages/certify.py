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

from search.certify.paired_test import certify_in_order, compare, identical
from search.measure.evaluation import SplitRuns
from search.measure.metric import METRICS, kept
from search.measure.watched import Watch
from search.report.record import Candidate, Certificate, Judged
from search.stages.records import Verdict


def certify(sequence: Sequence[Judged], runs: Sequence[SplitRuns], exact: Candidate, *,
            margins: Sequence[float], parts: Sequence[str] = METRICS["top1"], watch: Watch
            ) -> Verdict:
    """Judge designs in their order; when none passes, the exact array is handed over.

    runs : of each network on its certify split. margins : of each network and part of the metric,
    fixed before any image was looked at.
    """
    images, metrics = sum(len(one.labels) for one in runs), [*parts] * len(runs)
    with watch.task("certifying on held-out images", images * (1 + len(sequence))) as progress:
        exact_logits = [one.logits({}, done=progress.advance) for one in runs]

        def right_of(found: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.bool_]]:
            return [right for one, *logits in zip(runs, found, exact_logits, strict=True)
                    for right in kept(parts, logits[0], one.labels, logits[1])]

        exact_right = right_of(exact_logits)

        def certificates_of(planned: Judged, level: float) -> list[Certificate]:
            found = [one.logits(planned.design.mapping, done=progress.advance) for one in runs]
            return [compare(before, after, margin=margin, metric=metric, level=level)
                    for before, after, margin, metric
                    in zip(exact_right, right_of(found), margins, metrics, strict=True)]

        judged = [replace(planned, certificates=tuple(found))
                  for planned, found in certify_in_order(sequence, certificates_of)]
    passed = [one for one in judged if one.certified]
    if passed:
        return Verdict(kept=passed[-1].design, certificates=passed[-1].certificates,
                       judged=judged)
    return Verdict(kept=exact, judged=judged, certificates=tuple(
        identical(right, margin=margin, metric=metric)
        for right, margin, metric in zip(exact_right, margins, metrics, strict=True)))
