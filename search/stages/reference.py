"""Reference: the exact network on the search images, and how designs compare with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hw.common.progress import Task
from hw.multipliers import Multiplier
from search.measure.designs import Measured
from search.measure.evaluation import SplitRuns, Workers, split_runs
from search.measure.probes import relative_damage
from search.problem.space import Problem
from search.report.record import Candidate
from search.stages.records import Compensated, Quantised, Reference
from search.stages.watched import Watch
from sim.accuracy.doubt import doubt

Mappings = Sequence[Mapping[str, str]]


def on_split(split: str, network: Quantised, workers: Workers, fits: Compensated | None,
             multipliers: Mapping[str, Multiplier]) -> SplitRuns:
    """Return a network on one of its splits, with the constants of its fits where it has any."""
    return split_runs(workers, multipliers, getattr(network.splits, split), constants=fits,
                      name=network.splits.sources[split], prefix=network.prefix)


def refer(runs: Sequence[SplitRuns], *, watch: Watch) -> tuple[Reference, ...]:
    """Run each network exactly on its search images."""
    return watch.each("exact network on the search images", [len(one.labels) for one in runs],
                      _refer, runs)


def _refer(runs: SplitRuns, progress: Task) -> Reference:
    logits = runs.logits({}, done=progress.advance)
    found = logits.argmax(axis=1)
    return Reference(logits=logits, right=found == runs.labels, doubt=doubt(
        found, runs.labels, logits.shape[1], what="search images"))


def exact_design(problem: Problem, references: Sequence[Reference]) -> Candidate:
    """Return the design that everything is relative to: every layer on the exact array."""
    return Candidate(
        mapping=problem.to_mapping(problem.exact), energy=1.0, area=1.0, evaluation=0,
        right=tuple(int(one.right.sum()) for one in references),
        images=tuple(len(one.right) for one in references))


def compare(mappings: Mappings, *, runs: Sequence[SplitRuns], references: Sequence[Reference]
            ) -> list[Measured]:
    """Return how designs do beside the exact network, of every network.

    runs : of each network on its search split.
    """
    found = [_compared(mappings, *network) for network in zip(runs, references, strict=True)]
    return [Measured(right=right, lost=lost, damages=damages)
            for right, lost, damages in (zip(*design, strict=True)
                                         for design in zip(*found, strict=True))]


def _compared(mappings: Mappings, runs: SplitRuns, reference: Reference
              ) -> list[tuple[int, int, float]]:
    """Return (right, lost, damage) of one network under each mapping."""
    runs.prepare(mappings)
    found = []
    for mapping in mappings:
        logits = runs.logits(mapping)
        right = logits.argmax(axis=1) == runs.labels
        found.append((int(right.sum()), int((reference.right & ~right).sum()),
                      relative_damage(logits, reference.logits)))
    return found
