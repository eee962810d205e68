"""Reference: the exact network on the search images, and how designs compare with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain

import numpy as np

from hw.common.progress import Task
from search.measure.designs import Measured
from search.measure.evaluation import Placed, SplitRuns, split_runs
from search.measure.metric import (
    METRICS,
    Kept,
    check_classes,
    kept,
    lost_of,
    needs_margin,
    total,
)
from search.measure.probes import Float, changes, variance
from search.measure.watched import Watch
from search.problem.space import Problem
from search.report.record import Candidate
from search.stages.records import Compensated, Quantised, Reference
from sim.accuracy.doubt import doubt

Mappings = Sequence[Mapping[str, str]]


def on_split(split: str, network: Quantised, placed: Placed, fits: Compensated | None
             ) -> SplitRuns:
    """Return a network on one of its splits, with the constants of its fits where it has any."""
    return split_runs(placed, getattr(network.splits, split), fits=fits,
                      name=network.splits.sources[split], prefix=network.prefix)


def refer(networks: Sequence[Quantised], runs: Sequence[SplitRuns], *,
          parts: Sequence[str] = METRICS["top1"], watch: Watch) -> tuple[Reference, ...]:
    """Run each network exactly on its search images, and in float where it was quantised here.

    parts : of the metric.
    """
    return watch.each("exact network on the search images", [len(one.labels) for one in runs],
                      partial(_refer, parts), networks, runs)


def _refer(parts: Sequence[str], network: Quantised, runs: SplitRuns, progress: Task) -> Reference:
    [logits] = runs.logits([{}], done=progress.advance)
    check_classes(parts, logits.shape[1], runs.name)
    original = network.network.original
    in_float = [] if original is None else kept(
        parts, runs.float_logits(original), runs.labels, logits)
    return Reference(
        logits=logits, spread=variance(logits), right=kept(parts, logits, runs.labels, logits),
        float_right=tuple(map(total, in_float)),
        doubt="" if any(map(needs_margin, parts)) else doubt(
            logits.argmax(axis=1), runs.labels, logits.shape[1], what="search images"))


def exact_design(problem: Problem, references: Sequence[Reference]) -> Candidate:
    """Return the design that changes nothing: every layer on the exact array."""
    return Candidate(
        mapping=problem.to_mapping(problem.exact), energy=problem.exact_energy,
        area=problem.relative_area(problem.exact), evaluation=0,
        right=tuple(total(right) for one in references for right in one.right),
        images=tuple(len(right) for one in references for right in one.right))


def compare(mappings: Mappings, *, runs: Sequence[SplitRuns], references: Sequence[Reference],
            parts: Sequence[str] = METRICS["top1"]) -> list[Measured]:
    """Return how designs do beside the exact network, of every network.

    runs : of each network on its search split. parts : of the metric.
    """
    found = [_compared(mappings, parts, *network)
             for network in zip(runs, references, strict=True)]
    return [Measured(right=tuple(chain.from_iterable(right)), lost=tuple(chain.from_iterable(lost)),
                     damages=damages)
            for right, lost, damages in (zip(*design, strict=True)
                                         for design in zip(*found, strict=True))]


def _compared(mappings: Mappings, parts: Sequence[str], runs: SplitRuns, reference: Reference
              ) -> list[tuple[list[float], list[float], float]]:
    """Return (right, lost, damage) of one network under each mapping, counts of each part."""
    found: list[dict[int, tuple[list[Kept], Float]]] = [{} for _mapping in mappings]
    for design, where, logits in runs.each(mappings):
        exact = reference.logits[where]
        found[design][where.start] = (
            kept(parts, logits, runs.labels[where], exact, where.start), changes(logits, exact))
    return [_joined([parts[first] for first in sorted(parts)], reference) for parts in found]


def _joined(chunks: Sequence[tuple[list[Kept], Float]], reference: Reference
            ) -> tuple[list[float], list[float], float]:
    """Return what the chunks of a split tell together, in the order of the images."""
    right = [np.concatenate(part) for part in zip(*(right for right, _changes in chunks),
                                                  strict=True)]
    changed = np.concatenate([own for _right, own in chunks])
    return ([total(one) for one in right],
            [lost_of(exact, one) for exact, one in zip(reference.right, right, strict=True)],
            float(changed.sum() / reference.logits.size / reference.spread))
