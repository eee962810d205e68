"""A network on one split: chunks of images, and mappings that share what they begin with.

A task is some mappings on one chunk; it depends on nothing but its arguments. Logits are of single
images, so they depend neither on how images are cut nor on where a chunk is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError
from hw.common.memory import KEPT
from hw.multipliers import Multiplier
from models.data import Labelled
from search.measure.engine.base import Engine
from search.measure.engine.chunks import chunk_size
from search.problem.workload import own_layers
from sim.accuracy.evaluator import Evaluator
from sim.accuracy.trie import Done, ignore_progress
from sim.compensation.correction import Correction
from sim.data import Images, LabelledImages
from sim.network.layer import MappedLayer
from sim.network.onnx.float_run import float_logits
from sim.network.quant_network import QuantNetwork

Logits = npt.NDArray[np.float32]
Mappings = Sequence[Mapping[str, str]]
Constants = Mapping[tuple[str, str], Correction]  # of layers on multipliers


class Fits(Protocol):
    """Constants that layers have under mappings, such as `search.stages.records.Compensated`."""

    def corrections(self, mapping: Mapping[str, str]) -> Mapping[str, Correction]:
        """Return the constants of the layers that a mapping changes."""

    def has_own(self, mapping: Mapping[str, str]) -> bool:
        """Return whether they are this design's alone, not what any design has in those layers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """A network where its tasks are done, with what mappings of it may name.

    network, multipliers : as tasks take them. constants : by layer and multiplier, what holds
    those that were asked for so far; several in one.
    """

    engine: Engine
    network: QuantNetwork
    multipliers: Mapping[str, Multiplier]
    macs: int  # of an image
    constants: dict[tuple[str, str], Constants] = field(default_factory=dict)

    def holding(self, wanted: Constants) -> list[Constants]:
        """Return what holds these constants, and maybe others."""
        new = {pair: one for pair, one in wanted.items() if pair not in self.constants}
        if new:
            self.constants.update(dict.fromkeys(new, self.engine.held(lambda: new)))
        return list({id(one): one for one in map(self.constants.__getitem__, wanted)}.values())


def place(engine: Engine, network: QuantNetwork, multipliers: Mapping[str, Multiplier]) -> Placed:
    """Place a network, whose products take one thread each."""
    return Placed(engine=engine, network=engine.held(lambda: network.with_threads(1)),
                  multipliers=engine.held(lambda: dict(multipliers)),
                  macs=sum(layer.macs for layer in network.layers))


def split_runs(placed: Placed, data: Labelled | LabelledImages, *, name: str,
               fits: Fits | None = None, prefix: str = "") -> SplitRuns:
    """Return a network on the images of one split.

    data : images float32[n, c, h, w], read or not, and labels int64[n]. name : of the split or its
    file, for messages. fits : the constants that layers have. prefix : of the layers of this
    network in mappings; others are those of other networks.
    """
    n = len(data.labels)
    size = chunk_size(n, placed.macs, placed.engine.width)
    return SplitRuns(placed=placed, data=data, name=name, fits=fits, prefix=prefix, chunks=[
        slice(first, min(first + size, n)) for first in range(0, n, size)])


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitRuns:
    """A network on the images of one split, as `split_runs` cuts them in chunks.

    held : the chunks that were asked for so far, as tasks take them.
    """

    placed: Placed
    data: Labelled | LabelledImages
    name: str
    fits: Fits | None
    prefix: str
    chunks: Sequence[slice]
    held: dict[int, Chunk] = field(default_factory=dict)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The labels of the images, int64[n]."""
        return self.data.labels

    def each(self, mappings: Mappings, *, done: Done = ignore_progress
             ) -> Iterator[tuple[int, slice, Logits]]:
        """Yield the logits float32[chunk, classes] of every mapping on every chunk, in any order,
        with the place of the mapping and of the images.

        Mappings name multipliers by layer; layers that are not named run exactly. Those that have
        constants of their own are walked alone, the others together. done : told of images of each.
        """
        own = [own_layers(self.prefix, mapping) for mapping in mappings]
        alone = [index for index, one in enumerate(own)
                 if self.fits is not None and self.fits.has_own(one)]
        together = [index for index in range(len(own)) if index not in alone]
        tasks = [(group, chunk) for group in (together, *([index] for index in alone)) if group
                 for chunk in self.chunks]

        def calls() -> Iterator[tuple[Any, ...]]:
            for group, chunk in tasks:
                wanted = [own[index] for index in group]
                yield (self.placed.network, self.placed.multipliers, self._held(chunk),
                       self._constants(wanted, shared=group is together), wanted,
                       group is together)

        try:
            for task, found in self.placed.engine.each("evaluate", chunk_logits, calls()):
                group, where = tasks[task]
                done(len(group) * (where.stop - where.start))
                for index, logits in zip(group, found, strict=True):
                    yield index, where, logits
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None

    def logits(self, mappings: Mappings, *, done: Done = ignore_progress) -> list[Logits]:
        """Return float32[n, classes] of each mapping; see `each`."""
        found: list[dict[int, Logits]] = [{} for _mapping in mappings]
        for index, where, logits in self.each(mappings, done=done):
            found[index][where.start] = logits
        return [np.concatenate([parts[first] for first in sorted(parts)]) for parts in found]

    def float_logits(self, model: onnx.ModelProto) -> Logits:
        """Return the logits float32[n, classes] of a float network, run as its file says."""
        engine = self.placed.engine
        held = engine.held(lambda: model)
        found = dict(engine.each("float", chunk_float_logits, (
            (held, self._held(where)) for where in self.chunks)))
        return np.concatenate([found[index] for index in sorted(found)])

    def _held(self, where: slice) -> Chunk:
        if where.start not in self.held:
            self.held[where.start] = self.placed.engine.held(
                lambda: Chunk(self.data.images[where], self.data.labels[where]))
        return self.held[where.start]

    def _constants(self, mappings: Mappings, *, shared: bool) -> list[Constants]:
        if self.fits is None:
            return []
        wanted = {(layer, mapping[layer]): correction for mapping in mappings
                  for layer, correction in self.fits.corrections(mapping).items()}
        return self.placed.holding(wanted) if shared else [
            self.placed.engine.held(lambda: wanted)]


class Chunk:
    """Images where their tasks are done, with what earlier tasks left to be used again."""

    def __init__(self, images: npt.NDArray[np.float32] | Images, labels: npt.NDArray[np.int64]
                 ) -> None:
        self.images, self.labels = images, labels
        self._evaluators: dict[Any, tuple[Any, ...]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process has not the files of images that are unread.
        return Chunk, (np.asarray(self.images), self.labels)

    def evaluator(self, network: QuantNetwork, multipliers: Mapping[str, Multiplier],
                  constants: Sequence[Constants], *, shared: bool) -> Evaluator:
        """Return an evaluator of the images; one for all calls that share their constants.

        Where there are constants, layers without one are as they are where there are none.
        """
        known: dict[tuple[str, str], Correction] = {}

        def constant(layer: MappedLayer, name: str) -> MappedLayer:
            return corrected(layer, known.get((layer.name, name)))

        # With its network at hand, which therefore is no other one with the same identity.
        found = network, known, Evaluator(
            network, self.images, self.labels, multipliers=multipliers,
            constants=constant)
        if shared:
            found = self._evaluators.setdefault((id(network), bool(constants)), found)
        for some in constants:
            found[1].update(some)
        return found[2]


def chunk_logits(network: QuantNetwork, multipliers: Mapping[str, Multiplier], chunk: Chunk,
                 constants: Sequence[Constants], mappings: Mappings, shared: bool
                 ) -> list[Logits]:
    """Return the logits float32[n, classes] of a chunk under each mapping: a task.

    shared : constants are what any mapping has of these layers and multipliers, so that layers
    that mappings of earlier calls began with alike need not be computed again.
    """
    evaluator = chunk.evaluator(network, multipliers, constants, shared=shared)
    evaluator.prepare(mappings)
    found = [evaluator.logits(mapping) for mapping in mappings]
    evaluator.forget()
    return found


def chunk_float_logits(model: onnx.ModelProto, chunk: Chunk) -> Logits:
    """Return the logits float32[n, classes] of a float network on a chunk: a task."""
    return float_logits(model, chunk.images, threads=1)


def corrected(layer: MappedLayer, correction: Correction | None) -> MappedLayer:
    """Return a layer with other constants, the same one as long as it is kept."""
    if correction is None:
        return layer
    # With its correction at hand, which therefore is no other one with the same identity.
    return KEPT.of((Correction, id(correction)), lambda: (
        correction, correction.apply(layer)), layer.kept_bytes)[1]
