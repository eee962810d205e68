"""Certify: what may be said of planned designs, on the images that nothing else has touched.

The same rule for every method: its designs are judged in order up to the first failure
(`search.certify.sequence`), and the last one that passed is kept. The chosen method's certificate
holds at 95 %; those of the others stand beside it, each for itself. Where several networks share
the bank, a design passes only if each of them does, on its own images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search.certify.paired_test import certify_in_sequence, compare, holds, identical
from search.measure.evaluation import SplitRuns
from search.report.record import Candidate, Certificate, MethodResult
from search.stages.watched import Watch
from sim.accuracy.trie import Done, ignore_progress


def certify(results: Sequence[MethodResult], plans: Sequence[Sequence[Candidate]],
            runs: Sequence[SplitRuns], exact: Candidate, *, margins: Sequence[float], watch: Watch
            ) -> list[MethodResult]:
    """Judge what was planned of each method, the chosen one last; see `judge`."""
    images = sum(len(one.labels) for one in runs)
    passes = sum(1 + len(designs) for designs in plans)  # with that of the exact network
    with watch.task("certifying on held-out images", images * passes) as progress:
        return [judge(result, designs, runs, exact, margins=margins, chosen=result is results[-1],
                      done=progress.advance)
                for result, designs in zip(results, plans, strict=True)]


def judge(result: MethodResult, designs: Sequence[Candidate], runs: Sequence[SplitRuns],
          exact: Candidate, *, margins: Sequence[float], chosen: bool,
          done: Done = ignore_progress) -> MethodResult:
    """Return the result with the cheapest of the planned designs that passed, and its certificates.

    When nothing passes, the chosen method falls back on the exact array, the same networks as
    before; another one keeps no design, and the certificates of the first that failed.

    runs : of each network on its certify split. margins : fixed before any was looked at. done :
    told of their images for the exact network and for each design.
    """
    images = sum(len(one.labels) for one in runs)
    right = [one.right({}, done=done) for one in runs]
    fallback = [identical(exact_right, margin=margin)
                for exact_right, margin in zip(right, margins, strict=True)]

    def certificates_of(candidate: Candidate) -> list[Certificate]:
        if candidate.mapping == exact.mapping:
            done(images)
            return fallback
        return [compare(exact_right, one.right(candidate.mapping, done=done),
                        margin=margin, separate=not chosen)
                for exact_right, one, margin in zip(right, runs, margins, strict=True)]

    judged = certify_in_sequence(designs, certificates_of)
    done((len(designs) - len(judged)) * images)  # what a failure spared
    passed = [entry for entry in judged if holds(entry[1])]
    if passed:
        best, certificates = passed[-1]
        return replace(result, best=best, certificates=tuple(certificates))
    if chosen:
        return replace(result, best=exact, certificates=tuple(fallback))
    return replace(result, best=None, certificates=tuple(judged[0][1]) if judged else ())
