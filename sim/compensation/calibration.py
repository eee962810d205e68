"""Fitting compensations: one exact pass, cached, and one approximate pass per fit.

Both networks go through the calibration images layer by layer. Three images of four give the
least-squares lines; the fourth is held out and decides which constants are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, unknown_name
from hw.common.progress import task
from sim.compensation.correction import Correction, with_weights
from sim.compensation.divergence import logit_divergence
from sim.compensation.fold import fold
from sim.compensation.moments import Line, Moments
from sim.compensation.record import (
    Compensation,
    LayerFit,
    inexact,
    network_digest,
    table_digest,
)
from sim.compensation.weight_map import act_counts, weight_map
from sim.network.layer import MappedLayer
from sim.network.quant_network import Images, QuantNetwork, State
from sim.tables import Table

# What may be changed: the weights, and how the requantiser is fitted.
KINDS: Mapping[str, tuple[bool, str | None]] = {
    "affine": (False, "affine"), "bias": (False, "bias"), "weights": (True, None),
    "weights+bias": (True, "bias"), "weights+affine": (True, "affine")}
HOLD_OUT_EVERY = 4  # every fourth image is held out
# Networks are confident on training images: at 1 a few of the held-out images would decide.
HOLD_OUT_TEMPERATURE = 2.0
SLOPES = (0.25, 4.0)  # limits of a plausible slope
KEPT_BYTES = 2**30
FITTED_ROWS = 2**17  # of a layer, over all images; more hardly change a line or a mean

NONE = "none"

Sums = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float32]


class Calibration:
    """A network on calibration images, run exactly once for any number of fits.

    Parameters
    ----------
    network : QuantNetwork
    images : float32[n, c, h, w]
        At least 4. Images are held out by position, so files may be sorted by class.
    kept_bytes : int
        Memory for the exact sums (default 1 GiB). If they do not fit, or a layer has more than
        `FITTED_ROWS`, evenly spaced output positions are kept, and fits see only those.
    """

    def __init__(self, network: QuantNetwork, images: Images, *, kept_bytes: int = KEPT_BYTES,
                 quiet: bool = True) -> None:
        if len(images) < HOLD_OUT_EVERY:
            raise InputError(f"Calibration images must be at least {HOLD_OUT_EVERY} (every fourth "
                             f"is held out), not {len(images)}")
        self.network = network
        held_out = np.arange(len(images)) % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1
        self.fitted_images, self.held_out_images = int((~held_out).sum()), int(held_out.sum())
        batches = [list(network.batches(images[chosen]))
                   for chosen in (~held_out, held_out)]
        self._kept_bytes = kept_bytes
        self._fitting = len(batches[0])  # batches before this one are for fitting
        self._batches = [batch for part in batches for batch in part]
        # Of each batch, the images of its part before it.
        self._before = [sum(map(len, part[:index])) for part in batches
                        for index in range(len(part))]
        size = 4 * len(images) * sum(layer.positions * layer.groups * layer.n
                                     for layer in network.layers)
        self._strides = {
            layer.name: _stride(layer, math.ceil(max(
                size / kept_bytes, len(images) * layer.positions / FITTED_ROWS)))
            for layer in network.layers}
        self._sums: dict[str, list[Sums]] = {layer.name: [] for layer in network.layers}
        self._outputs: dict[str, list[npt.NDArray[np.generic]]] = {  # held out
            layer.name: [] for layer in network.layers}
        self._logits = self._run_exactly(quiet)
        self._digest = network_digest(network)

    def fit(self, tables: Mapping[str, Table], kind: str = "affine", *, measured: bool = True,
            quiet: bool = True) -> Compensation:
        """Return the compensation for layer -> product table int32[256, 256].

        Every layer that is named and not exact is fitted, in order, on inputs that the layers
        before it computed approximately and corrected. A layer keeps what brings its output
        nearest to the exact network's on the held-out images, nothing included; all of it is kept
        only when the logits are nearer, too.

        Parameters
        ----------
        tables : mapping of str to int32[256, 256]
        kind : str
            One of `KINDS`.
        measured : bool
            The weight map weighs activations by how often the layer sees them on the fitted
            images, instead of equally.
        quiet : bool
            Show no progress.

        Raises InputError for an unknown kind or layer.
        """
        if kind not in KINDS:
            raise unknown_name("kind of compensation", kind, KINDS)
        network = self.network
        tables = inexact(network.check_tables(tables))
        fits: dict[str, LayerFit] = {}
        with task("compensating", len(network.layers), quiet=quiet) as progress:
            states: list[State] = [network.start(batch) for batch in self._batches]
            done = 0
            for layer in network.layers:
                step = network.layer_steps[layer.name]
                states = [network.advance(state, done, step, {}) for state in states]
                if layer.name in tables:
                    chosen = self._fit_layer(layer, tables[layer.name], states, kind, measured)
                    fits[layer.name], states = chosen
                else:
                    states = [network.advance(state, step, step + 1, {}) for state in states]
                done = step + 1
                progress.advance(note=layer.name)
            logits = [network.finish(network.advance(state, done, network.step_count, {}))
                      for state in states[self._fitting:]]
        plain = [network.run(batch, tables) for batch in self._batches[self._fitting:]]
        plain_divergence, divergence = (
            logit_divergence(self._logits, np.concatenate(parts), HOLD_OUT_TEMPERATURE)
            for parts in (plain, logits))
        return Compensation(
            kind=kind, network=self._digest, layers=fits, fitted_images=self.fitted_images,
            held_out_images=self.held_out_images, plain_divergence=plain_divergence,
            divergence=divergence)

    def alone(self, tables: Mapping[str, Mapping[str, Table]], kind: str = "affine", *,
              measured: bool = True) -> Iterator[tuple[str, dict[str, LayerFit]]]:
        """Yield each layer's name with its fit for every table, all other layers being exact.

        The constants of a layer then depend on its own table alone, so the fits serve any mapping,
        at the cost of one pass over the images per table. Those of `fit` are better: they also
        correct the error of earlier layers. Logits decide nothing here.

        tables : layer -> name -> int32[256, 256]; layers that are not named are passed over.
        kind, measured : as for `fit`.
        """
        if kind not in KINDS:
            raise unknown_name("kind of compensation", kind, KINDS)
        network, done = self.network, 0
        states: list[State] = [network.start(batch) for batch in self._batches]
        for layer in network.layers:
            if layer.name not in tables:
                continue
            step, own = network.layer_steps[layer.name], tables[layer.name]
            different = inexact(own)
            states = [network.advance(state, done, step, {}) for state in states]
            counts = self._counts(layer, states, kind, measured)
            yield layer.name, {
                name: self._choose(layer, table, states, kind, counts)[0]
                if name in different else LayerFit(
                    table=table_digest(table), kept=NONE, plain_error=0.0, error=0.0,
                    correction=None)
                for name, table in own.items()}
            done = step

    def _fit_layer(self, layer: MappedLayer, table: Table, states: Sequence[State], kind: str,
                   measured: bool) -> tuple[LayerFit, list[State]]:
        """Return the fit to keep in a layer, and the states after it."""
        fit, kept = self._choose(layer, table, states, kind,
                                 self._counts(layer, states, kind, measured))
        return fit, [self.network.put(state, layer, kept.layer.finish(*kept.sums(index)))
                     for index, state in enumerate(states)]

    def _counts(self, layer: MappedLayer, states: Sequence[State], kind: str, measured: bool
                ) -> Counts | None:
        """Return how often the layer sees each byte, if the weight map is weighted by it."""
        if not (KINDS[kind][0] and measured):
            return None
        return np.asarray(np.sum([act_counts(state[layer.input])
                                  for state in states[:self._fitting]], axis=0))

    def _choose(self, layer: MappedLayer, table: Table, states: Sequence[State], kind: str,
                counts: Counts | None) -> tuple[LayerFit, _Option]:
        """Return the fit to keep in a layer, and the layer with it; counts : of its input bytes."""
        mapped, fitted = KINDS[kind]
        codes: list[Codes | None] = [None]
        if mapped:
            codes.append(weight_map(table, layer.act_values, layer.weight_values, counts))
        options = [option for code in codes
                   for option in self._options(layer, table, states, code, fitted)]
        errors = [self._error(layer, option) for option in options]
        best = int(np.argmin(errors))  # the first of equals, and changing nothing comes first
        kept = options[best]
        return LayerFit(
            table=table_digest(table), kept=kept.label, plain_error=errors[0], error=errors[best],
            correction=Correction.of(kept.layer, kept.codes) if best else None), kept

    def _options(self, layer: MappedLayer, table: Table, states: Sequence[State],
                 codes: Codes | None, fitted: str | None) -> list[_Option]:
        """Return a layer with other weights, or its own, before and after fitting its sums."""
        base = layer if codes is None else with_weights(layer, codes)
        sums = _Sums(self.network, base, table, states, self._kept_bytes)
        label = NONE if codes is None else "weights"
        options = [_Option(label, base, codes, sums)]
        if fitted == "bias" or (fitted == "affine" and not layer.sums_as_int32):
            moments = Moments(layer.bias.size)
            for index in range(self._fitting):
                some = self._sampled(layer, sums(index)[0], index)
                moments.add(some, self._sums[layer.name][index])
            line = (moments.line(*SLOPES) if fitted == "affine"
                    else Line(np.ones(layer.bias.size), moments.shift()))
            label = fitted if codes is None else f"weights+{fitted}"
            options.append(_Option(label, fold(base, line), codes, sums))
        return options

    def _error(self, layer: MappedLayer, option: _Option) -> float:
        """Return the mean squared difference from the exact network's output, held out."""
        total, count = 0.0, 0
        for index, wanted in enumerate(self._outputs[layer.name], self._fitting):
            sums = self._sampled(layer, option.sums(index)[0], index)
            apart = np.subtract(option.layer.finish(sums, sums.shape), wanted, dtype=np.float64)
            total += float(np.square(apart, out=apart).sum())
            count += apart.size
        return total / count

    def _sampled(self, layer: MappedLayer, sums: Sums, index: int) -> Sums:
        """Return evenly spaced rows of a batch, the same ones however images are cut."""
        stride = self._strides[layer.name]
        return sums[-self._before[index] * layer.positions % stride::stride]

    def _run_exactly(self, quiet: bool) -> Logits:
        """Keep the sums and held-out outputs of every layer; return the held-out logits."""
        network, logits = self.network, []
        with task("exact sums", len(self._batches), quiet=quiet) as progress:
            for index, batch in enumerate(self._batches):
                held_out = index >= self._fitting
                state, done = network.start(batch), 0
                for layer in network.layers:
                    step = network.layer_steps[layer.name]
                    state = network.advance(state, done, step, {})
                    sums, shape = network.sums(layer, state)
                    some = np.ascontiguousarray(self._sampled(layer, sums, index))
                    if held_out:
                        self._outputs[layer.name].append(layer.finish(some, some.shape))
                    else:
                        self._sums[layer.name].append(some)
                    state = network.put(state, layer, layer.finish(sums, shape))
                    done = step + 1
                if held_out:
                    state = network.advance(state, done, network.step_count, {})
                    logits.append(network.finish(state))
                progress.advance()
        return np.concatenate(logits)


class _Option(NamedTuple):
    """A layer as it could be."""

    label: str
    layer: MappedLayer
    codes: Codes | None
    sums: _Sums


class _Sums:
    """A layer's sums on every batch, computed when asked for, and kept where they fit."""

    def __init__(self, network: QuantNetwork, layer: MappedLayer, table: Table,
                 states: Sequence[State], kept_bytes: int) -> None:
        self._network, self._layer, self._table, self._states = network, layer, table, states
        self._kept: dict[int, tuple[Sums, tuple[int, ...]]] = {}
        self._free = kept_bytes

    def __call__(self, index: int) -> tuple[Sums, tuple[int, ...]]:
        """Return int32[m, channels] of a batch and the shape of the output."""
        if index in self._kept:
            return self._kept[index]
        found = self._network.sums(self._layer, self._states[index], self._table)
        if found[0].nbytes <= self._free:
            self._free -= found[0].nbytes
            self._kept[index] = found
        return found


def _stride(layer: MappedLayer, at_least: int) -> int:
    """Return a step through output positions that does not stay in one column of the image."""
    step = at_least
    while math.gcd(step, layer.positions) > 1:
        step += 1
    return step


def fit(network: QuantNetwork, tables: Mapping[str, Table], images: Images, kind: str = "affine",
        *, measured: bool = True, quiet: bool = True) -> Compensation:
    """Return the compensation of a network on calibration images; see `Calibration.fit`.

    For several mappings keep a `Calibration` instead: it runs the exact network once.
    """
    calibration = Calibration(network, images, quiet=quiet)
    return calibration.fit(tables, kind, measured=measured, quiet=quiet)
