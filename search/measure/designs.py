"""Designs on the search splits: what a method may ask of the networks.

A design is measured once per run, whoever asks. Each method is still charged for what it asked:
counting is the business of `search.stages.search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class Measured(NamedTuple):
    """One pass of the search split of every network.

    right : images that are right (`search.measure.metric`), or the sum of their scores, of each
    network and part of the metric. lost : those that are only where it is exact. damages : mean
    squared change of each network's logits divided by the variance of its exact ones. seconds :
    what the pass took when it was made.
    """

    right: tuple[float, ...]
    lost: tuple[float, ...]
    damages: tuple[float, ...]
    seconds: float = 0.0

    @property
    def damage(self) -> float:
        """The damage of the design: that of all networks together."""
        return sum(self.damages)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Measured:
        """Restore what was stored as JSON under the names of the fields."""
        return cls(right=tuple(values["right"]), lost=tuple(values["lost"]),
                   damages=tuple(values["damages"]), seconds=values["seconds"])


Measure = Callable[[Sequence[Mapping[str, str]]], Sequence[Measured]]
"""Mappings of layer to multiplier name -> what is measured of each."""


def once(measure: Measure, known: Mapping[str, Measured] | None = None) -> Measure:
    """Return `measure` that asks for no mapping twice; known : earlier answers, by `key`."""
    answers = dict(known or {})

    def remembered(mappings: Sequence[Mapping[str, str]]) -> list[Measured]:
        wanted = {key(mapping): mapping for mapping in mappings}
        new = {name: mapping for name, mapping in wanted.items() if name not in answers}
        if new:
            answers.update(zip(new, measure(list(new.values())), strict=True))
        return [answers[key(mapping)] for mapping in mappings]

    return remembered


def key(mapping: Mapping[str, str]) -> str:
    """Return a text that equals for equal mappings, whatever their order."""
    return "\n".join(f"{layer}\t{mapping[layer]}" for layer in sorted(mapping))
