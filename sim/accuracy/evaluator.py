"""Accuracy of many mappings on the same images, computing nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, unknown_name
from hw.common.memory import KEPT
from hw.multipliers import EXACT, Multiplier, get
from sim.accuracy.trie import Done, chunk_logits, ignore_progress
from sim.data import Images
from sim.network.layer import MappedLayer
from sim.network.quant_network import QuantNetwork, State
from sim.tables import Table, pe_table

Constants = Callable[[MappedLayer, str], MappedLayer]


class Evaluator:
    """A network on fixed images; `logits` is a pure function of the mapping.

    The live tensors before each layer are kept (`hw.common.memory.KEPT`), so a mapping is computed
    from the first layer in which it differs from one seen lately; changing late layers is cheap.

    Parameters
    ----------
    network : QuantNetwork
    images : float32[n, c, h, w] or Images
        Unread ones are read batch by batch, whenever they are needed.
    labels : int64[n]
        In [0, classes); checked at the first evaluation.
    multipliers : mapping of str to Multiplier, optional
        What mappings may name (default: the catalogue); unnamed layers are exact in any case.
    constants : callable, optional
        Layer and the name of its multiplier -> the layer with the constants that it has there,
        as `sim.compensation` finds them; asked for named layers only, always to the same answer.
    """

    def __init__(self, network: QuantNetwork, images: npt.NDArray[np.float32] | Images,
                 labels: npt.NDArray[np.int64], *,
                 multipliers: Mapping[str, Multiplier] | None = None,
                 constants: Constants | None = None) -> None:
        if labels.shape != (len(images),):
            raise InputError(f"Labels must be one per image ({len(images)}), "
                             f"not of shape {list(labels.shape)}")
        self.network, self.labels = network, labels
        if multipliers is not None and EXACT in multipliers and not multipliers[EXACT].is_exact:
            raise InputError(f"Multiplier {EXACT!r} must be exact: it stands for unnamed layers")
        self._batches = list(network.batches(images))
        self._multipliers, self._constants = multipliers, constants
        self._own = object()  # of the keys of its tensors
        self._logits: dict[tuple[str, ...], npt.NDArray[np.float32]] = {}
        self._lock = threading.Lock()  # batches run side by side
        self.layer_runs = 0  # layers computed so far, times batches: what reuse saves

    def logits(self, mapping: Mapping[str, str], *, done: Done = ignore_progress
               ) -> npt.NDArray[np.float32]:
        """Return float32[n, classes] under layer -> multiplier name; unnamed layers are exact.

        done : told of images when they are computed, from several threads, or known already.

        Raises InputError for an unknown layer or multiplier, with the nearest name, for a
        multiplier that no PE takes, and for a layer whose operands its PE does not take.
        """
        names, tables = self._resolve(mapping)
        if names in self._logits:
            done(len(self.labels))
            return self._logits[names]
        view = self._view(mapping)

        def run(batch: int) -> npt.NDArray[np.float32]:
            found = self._run(view, batch, names, tables)
            done(len(found))
            return found

        self._keep_logits(names, np.concatenate(
            self.network.each(range(len(self._batches)), run)))
        return self._logits[names]

    def prepare(self, mappings: Iterable[Mapping[str, str]], *,
                done: Done = ignore_progress) -> None:
        """Compute the logits of many mappings; `logits` then has them.

        Several are walked as a trie, one chunk of images after the other: layers that mappings
        begin with alike are computed once, however many mappings there are and however little is
        kept. Of a chunk, the tensors of one path through the trie are held at a time.
        done : as for `logits`, of the images of every mapping.
        """
        mappings = list(mappings)
        if len(mappings) == 1:
            self.logits(mappings[0], done=done)
            return
        wanted: dict[tuple[str, ...], dict[str, Table]] = {}
        views: dict[tuple[str, ...], QuantNetwork] = {}
        for mapping in mappings:
            names, tables = self._resolve(mapping)
            if names in self._logits or names in wanted:
                done(len(self.labels))
            else:
                wanted[names], views[names] = tables, self._view(mapping)
        if not wanted:
            return
        parts = self.network.each(self._batches, lambda batch: chunk_logits(
            self.network, np.asarray(batch), wanted, views=views, done=done))
        self.layer_runs += sum(runs for _found, runs in parts)
        for names in wanted:
            self._keep_logits(names, np.concatenate([found[names] for found, _runs in parts]))

    def forget(self) -> None:
        """Keep no logits; those that were returned stay as they are."""
        self._logits.clear()

    def right(self, mapping: Mapping[str, str]) -> npt.NDArray[np.bool_]:
        """Return which images are classified correctly, bool[n]."""
        logits = self.logits(mapping)
        self._check_labels(logits.shape[1])
        return np.asarray(logits.argmax(axis=1) == self.labels)

    def accuracy(self, mapping: Mapping[str, str]) -> float:
        """Return the fraction of images classified correctly."""
        return float(self.right(mapping).mean())

    def _resolve(self, mapping: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, Table]]:
        """Return the multiplier of every layer, and the tables of those that are named."""
        tables = {layer: pe_table(self._multiplier(name), self.network.rows)
                  for layer, name in mapping.items()}
        self.network.check_tables(tables)
        return tuple(mapping.get(layer.name, EXACT) for layer in self.network.layers), tables

    def _view(self, mapping: Mapping[str, str]) -> QuantNetwork:
        """Return the network with the constants that its layers have under a mapping."""
        if self._constants is None:
            return self.network
        return self.network.with_layers({
            layer.name: self._constants(layer, mapping[layer.name])
            for layer in self.network.layers if layer.name in mapping})

    def _keep_logits(self, names: tuple[str, ...], logits: npt.NDArray[np.float32]) -> None:
        logits.setflags(write=False)
        self._logits[names] = logits

    def _multiplier(self, name: str) -> Multiplier:
        if self._multipliers is None:
            return get(name)
        if name not in self._multipliers:
            raise unknown_name("multiplier", name, self._multipliers)
        return self._multipliers[name]

    def _check_labels(self, classes: int) -> None:
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise InputError(f"Labels must be 0 to {classes - 1}, "
                             f"not {self.labels.min()} to {self.labels.max()}")

    def _run(self, network: QuantNetwork, batch: int, names: tuple[str, ...],
             tables: Mapping[str, Table]) -> npt.NDArray[np.float32]:
        steps = [network.layer_steps[layer.name] for layer in network.layers]
        depth, state = self._deepest(batch, names)
        if state is None:
            images = np.asarray(self._batches[batch])
            state = network.advance(network.start(images), 0, steps[0], tables)
            self._keep(batch, (), state)
        ends = [*steps[1:], network.step_count]
        for index in range(depth, len(names)):
            state = network.advance(state, steps[index], ends[index], tables)
            if index + 1 < len(names):
                self._keep(batch, names[:index + 1], state)
        with self._lock:
            self.layer_runs += len(names) - depth
        return network.finish(state)

    def _deepest(self, batch: int, names: tuple[str, ...]) -> tuple[int, State | None]:
        """Return the longest prefix of multipliers that was kept, and the tensors after it."""
        for depth in range(len(names) - 1, -1, -1):
            state = KEPT.get((self._own, batch, names[:depth]))
            if state is not None:
                return depth, state
        return 0, None

    def _keep(self, batch: int, prefix: tuple[str, ...], state: State) -> None:
        KEPT.put((self._own, batch, prefix), state,
                 sum(tensor.nbytes for tensor in state.values()))
