"""A network on one split, on all cores.

The kernels of one network scale poorly over threads at the size of a split, so the images are
cut into one shard per core, each with its own evaluator. The logits do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from hw.common.errors import InputError
from hw.multipliers import Multiplier
from models.data import Labelled
from search.problem.workload import own_layers
from sim.accuracy.evaluator import Constants, Evaluator
from sim.accuracy.trie import Done, ignore_progress
from sim.data import LabelledImages
from sim.network.quant_network import QuantNetwork

MIN_SHARD = 32  # images; smaller shards cost more than they save

T = TypeVar("T")
OwnConstants = Callable[[Mapping[str, str]], Constants | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Workers:
    """A network whose products take one thread each, and the threads that it is run on."""

    network: QuantNetwork
    count: int
    pool: ThreadPoolExecutor
    interrupted: Event = field(default_factory=Event)

    def check(self) -> None:
        """Raise KeyboardInterrupt once the main thread was interrupted; asked before every layer.

        Python waits for its threads before it ends.
        """
        if self.interrupted.is_set():
            raise KeyboardInterrupt


def start_workers(network: QuantNetwork, count: int) -> Workers:
    """Return so many workers for a network.

    From here on the process computes its matrix products on one thread each: the shards keep
    all cores busy, and threads of theirs would only wait for each other.
    """
    threadpool_limits(limits=1, user_api="blas")
    return Workers(network=network.with_threads(1), count=count, pool=ThreadPoolExecutor(count))


def split_runs(workers: Workers, multipliers: Mapping[str, Multiplier],
               data: Labelled | LabelledImages, *, name: str, constants: Constants | None = None,
               prefix: str = "") -> SplitRuns:
    """Return a network on the images of one split.

    multipliers : what mappings may name. data : images float32[n, c, h, w], read or not, and labels
    int64[n]. name : of the split or its file, for messages. constants : what each layer has on
    each multiplier, as for `sim.accuracy.evaluator.Evaluator`. prefix : of the layers of this
    network in mappings; others are those of other networks.
    """
    shards = max(1, min(workers.count, len(data.labels) // MIN_SHARD))
    edges = np.linspace(0, len(data.labels), shards + 1).astype(int)
    return SplitRuns(labels=data.labels, workers=workers, name=name, prefix=prefix, evaluators=[
        Evaluator(workers.network, data.images[first:last], data.labels[first:last],
                  multipliers=multipliers, constants=constants, check=workers.check)
        for first, last in pairwise(edges)])


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitRuns:
    """A network on the images of one split, as `split_runs` cuts them in shards.

    own_constants : of the layers' own mapping, the constants that this design alone has, None
    where it has those that its layers have on their multipliers in any design.
    """

    labels: npt.NDArray[np.int64]
    workers: Workers
    name: str
    prefix: str
    evaluators: Sequence[Evaluator]
    own_constants: OwnConstants = lambda _mapping: None

    def logits(self, mapping: Mapping[str, str], *, done: Done = ignore_progress
               ) -> npt.NDArray[np.float32]:
        """Return float32[n, classes] under layer -> multiplier name; unnamed layers are exact.

        done : told of images, from several threads.
        """
        own = own_layers(self.prefix, mapping)
        constants = self.own_constants(own)
        return np.concatenate(self._everywhere(lambda evaluator: (
            evaluator if constants is None else evaluator.with_constants(constants)
        ).logits(own, done=done)))

    def prepare(self, mappings: Sequence[Mapping[str, str]], *, done: Done = ignore_progress
                ) -> None:
        """Compute the logits of many mappings together; `logits` then has them.

        Those with constants of their own share nothing: they are passed over.

        done : as for `logits`, of the images of every mapping.
        """
        own = [own_layers(self.prefix, mapping) for mapping in mappings]
        own = [mapping for mapping in own if self.own_constants(mapping) is None]
        self._everywhere(lambda evaluator: evaluator.prepare(own, done=done))

    def _everywhere(self, work: Callable[[Evaluator], T]) -> list[T]:
        """Return what `work` returns for each shard."""
        try:
            return list(self.workers.pool.map(work, self.evaluators))
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None
        except KeyboardInterrupt:
            self.workers.interrupted.set()
            raise
