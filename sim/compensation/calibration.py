"""Fitting compensations: one exact pass, cached, and one approximate pass per fit.

Both networks go through the calibration images layer by layer. Three images of four give the
weights and the least-squares lines; the fourth is held out and decides which constants are kept.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from hw.common.errors import InputError, unknown_name
from hw.common.progress import task
from sim.compensation.chosen_weights import Products, Terms, check_terms, choose_weights
from sim.compensation.correction import Correction, with_weights
from sim.compensation.divergence import logit_divergence
from sim.compensation.fold import fold
from sim.compensation.kinds import CHOSEN, KINDS, OWN
from sim.compensation.moments import SLOPES, Line, Moments
from sim.compensation.record import (
    Compensation,
    LayerFit,
    inexact,
    network_digest,
    table_digest,
)
from sim.compensation.weight_map import act_counts, weight_map
from sim.kernels.jit.workers import run_all
from sim.network.layer import MappedLayer
from sim.network.quant_network import Images, QuantNetwork, State
from sim.tables import Table, code_table

HOLD_OUT_EVERY = 4  # every fourth image is held out
# Networks are confident on training images: at 1 a few of the held-out images would decide.
HOLD_OUT_TEMPERATURE = 2.0
KEPT_BYTES = 2**30
FITTED_ROWS = 3 * 2**12  # of a layer, over all images; more hardly change a line or a weight

NONE = "none"

Sums = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float32]
FitLayer = Callable[[MappedLayer, Table, Sequence[State]], LayerFit]


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
        self._quiet = quiet
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

        Raises InputError for an unknown kind or layer, or one with more terms than memory for them.
        """
        self._check(kind, tables)

        def fit_layer(layer: MappedLayer, table: Table, states: Sequence[State]) -> LayerFit:
            with threadpool_limits(limits=1, user_api="blas"):
                inputs = self._inputs(layer, states, counted=measured)
                return self._choose(inputs, table, kind)

        tables = inexact(self.network.check_tables(tables))
        fits, logits = self._in_order(tables, fit_layer, quiet=quiet)
        held_out = self._batches[self._fitting:]
        plain = np.concatenate([self.network.run(batch, tables) for batch in held_out])
        return self._compensation(kind, fits, plain, logits)

    def refit(self, tables: Mapping[str, Table], fits: Mapping[str, LayerFit], *,
              quiet: bool = True) -> Compensation:
        """Return fits of layers alone with new lines, in order, on the inputs that they will have.

        Weights stay as they were chosen. What is `plain` in the result is the network with the
        fits as they were: the new lines are kept where held-out logits gain, all of them or none.

        fits : of every layer of `tables` that is not exact, as `alone` makes them.
        """
        def fit_layer(layer: MappedLayer, table: Table, states: Sequence[State]) -> LayerFit:
            fit = fits[layer.name]
            if fit.correction is None or not fit.kept.endswith("affine"):
                return fit
            inputs, chosen = self._inputs(layer, states), fit.correction.weight_codes is not None
            base = (with_weights(layer, fit.correction.apply(layer).weight_codes) if chosen
                    else layer)
            new = self._fitted(base, table, inputs, "affine")
            return replace(fit, correction=Correction.of(new, weights=chosen), error=inputs.error(
                _Option(fit.kept, new, inputs.held_out.sums(self.network, new, table))))

        def known(layer: MappedLayer, _table: Table, _states: Sequence[State]) -> LayerFit:
            return fits[layer.name]

        tables = inexact(self.network.check_tables(tables))
        (_, before), (found, after) = (self._in_order(tables, one, quiet=quiet)
                                       for one in (known, fit_layer))
        return self._compensation("refit", found, before, after)

    def _in_order(self, tables: Mapping[str, Table], fit_layer: FitLayer, *, quiet: bool
                  ) -> tuple[dict[str, LayerFit], Logits]:
        """Return the fits of all layers of `tables`, and the held-out logits with them.

        fit_layer : asked for each in turn, with the states before it on each batch.
        """
        network = self.network
        fits: dict[str, LayerFit] = {}
        with task("compensating", len(network.layers), quiet=quiet) as progress:
            states: list[State] = [network.start(batch) for batch in self._batches]
            done = 0
            for layer in network.layers:
                step, view = network.layer_steps[layer.name], network
                states = [network.advance(state, done, step, {}) for state in states]
                if layer.name in tables:
                    fits[layer.name] = fit = fit_layer(layer, tables[layer.name], states)
                    if fit.correction is not None:
                        view = network.with_layers({layer.name: fit.correction.apply(layer)})
                states = [view.advance(state, step, step + 1, tables) for state in states]
                done = step + 1
                progress.advance(note=layer.name)
        return fits, np.concatenate([
            network.finish(network.advance(state, done, network.step_count, {}))
            for state in states[self._fitting:]])

    def _compensation(self, kind: str, fits: Mapping[str, LayerFit], plain: Logits, logits: Logits
                      ) -> Compensation:
        """Return fits with the divergence of held-out logits without and with them."""
        plain_divergence, divergence = (
            logit_divergence(self._exact.logits, one, HOLD_OUT_TEMPERATURE)
            for one in (plain, logits))
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
        self._check(kind, tables)
        network, done = self.network, 0
        states: list[State] = [network.start(batch) for batch in self._batches]
        for layer in network.layers:
            if layer.name not in tables:
                continue
            step, own = network.layer_steps[layer.name], tables[layer.name]
            different = inexact(own)
            states = [network.advance(state, done, step, {}) for state in states]
            inputs = self._inputs(layer, states, counted=measured, exact=True)
            found = {name: LayerFit(table=table_digest(table), kept=NONE, plain_error=0.0,
                                    error=0.0, correction=None) for name, table in own.items()}

            def choose(name: str, table: Table, inputs: _Inputs = inputs,
                       found: dict[str, LayerFit] = found) -> None:
                found[name] = self._choose(inputs, table, kind)

            with threadpool_limits(limits=1, user_api="blas"):
                if different and KINDS[kind][0] == CHOSEN and not layer.image_weights:
                    # Found once, before threads ask for them.
                    assert inputs.terms
                    assert len(inputs.wanted) == layer.groups
                run_all([partial(choose, name, table) for name, table in different.items()],
                        network.threads)
            yield layer.name, found
            done = step

    def _check(self, kind: str, layers: Container[str]) -> None:
        """Refuse a kind that there is not, and layers that are too large to choose weights of."""
        if kind not in KINDS:
            raise unknown_name("kind of compensation", kind, KINDS)
        if KINDS[kind][0] == CHOSEN:
            for layer in self.network.layers:
                if layer.name in layers and not layer.image_weights:
                    check_terms(layer.name, layer.k)

    def _inputs(self, layer: MappedLayer, states: Sequence[State], *, counted: bool = False,
                exact: bool = False) -> _Inputs:
        """Return what enters a layer at the positions that are fitted on.

        exact : the states are the exact network's, which then need not be run before.
        """
        fitting = self._fitting
        rows = [self._sampled(layer, layer.act_rows(state[layer.input].view(np.uint8))[0], index)
                for index, state in enumerate(states)]
        weights = [self._sampled_weights(layer.bound(state), index)
                   for index, state in enumerate(states)] if layer.image_weights else []
        fitted, held_out = (_Rows(
            codes=np.concatenate(rows[part], axis=1),
            weights=np.concatenate(weights[part]) if weights else None)
            for part in (slice(fitting), slice(fitting, None)))
        if exact:
            sums, others = (part.sums(self.network, layer) for part in (fitted, held_out))
            outputs = layer.finish(others, others.shape)
        else:
            sums, outputs = self._exact.sums[layer.name], self._exact.outputs[layer.name]
        return _Inputs(
            network=self.network, layer=layer, fitted=fitted, held_out=held_out, sums=sums,
            outputs=outputs, exact=exact, counts=np.asarray(np.sum(
                [act_counts(state[layer.input]) for state in states[:fitting]], axis=0))
            if counted else None)

    def _choose(self, inputs: _Inputs, table: Table, kind: str) -> LayerFit:
        """Return the option to keep in a layer; the first leaves it as it is."""
        layer = inputs.layer
        options = list(self._options(layer, table, inputs, kind))
        errors = [inputs.error(option) for option in options]
        best = int(np.argmin(errors))  # the first of equals
        kept = options[best]
        return LayerFit(
            table=table_digest(table), kept=kept.label, plain_error=errors[0], error=errors[best],
            correction=Correction.of(
                kept.layer, weights=kept.layer.weight_codes is not layer.weight_codes)
            if best else None)

    def _options(self, layer: MappedLayer, table: Table, inputs: _Inputs, kind: str
                 ) -> Iterator[_Option]:
        """Yield a layer with its own weights and others, before and after fitting its sums."""
        fitted = KINDS[kind][1]
        for label, base in self._weights(layer, table, inputs, kind):
            held_out = inputs.held_out.sums(self.network, base, table)
            yield _Option(label or NONE, base, held_out)
            if fitted is not None and not (fitted == "affine" and layer.sums_as_int32):
                yield _Option(f"{label}+{fitted}" if label else fitted,
                              self._fitted(base, table, inputs, fitted), held_out)

    def _fitted(self, base: MappedLayer, table: Table, inputs: _Inputs, fitted: str
                ) -> MappedLayer:
        """Return a layer whose requantiser brings its sums nearest to the exact network's."""
        moments = Moments(base.bias.size)
        moments.add(inputs.fitted.sums(self.network, base, table), inputs.sums)
        return fold(base, moments.line(*SLOPES) if fitted == "affine"
                    else Line(np.ones(base.bias.size), moments.shift()))

    def _weights(self, layer: MappedLayer, table: Table, inputs: _Inputs, kind: str
                 ) -> Iterator[tuple[str, MappedLayer]]:
        """Yield the layer with each kind of weights that a kind of fit considers, and its label."""
        weights = KINDS[kind][0]
        yield "", layer
        if weights == OWN or layer.image_weights:  # two activations: there are none to choose
            return
        low, high = layer.weight_range  # which every array takes that takes the layer
        offered = np.flatnonzero((layer.weight_values >= low) & (layer.weight_values <= high))
        codes = weight_map(table, layer.act_values, layer.weight_values, offered, inputs.counts)
        yield "weights", with_weights(layer, codes[layer.weight_codes])
        if weights == CHOSEN:
            products = Products.of(
                code_table(table, layer.act_values, layer.weight_values), offered)
            product = self.network.product(layer, table)
            yield "chosen", with_weights(layer, np.stack([
                choose_weights(terms, products, own, target, partial(product.matmul, rows))
                for terms, own, target, rows in zip(
                    inputs.terms, layer.weights.astype(np.float32), inputs.wanted,
                    inputs.fitted.codes,
                    strict=True)]))

    def _sampled(self, layer: MappedLayer, rows: npt.NDArray[Any], index: int
                 ) -> npt.NDArray[Any]:
        """Return evenly spaced rows [..., m, n] of a batch, the same however images are cut.

        Of a product of two activations those of evenly spaced images.
        """
        run = layer.positions if layer.image_weights else 1
        apart = rows.reshape(*rows.shape[:-2], -1, run, rows.shape[-1])
        chosen = apart[..., self._spaced(layer, index), :, :]
        return chosen.reshape(*rows.shape[:-2], -1, rows.shape[-1])

    def _sampled_weights(self, layer: MappedLayer, index: int) -> Codes:
        """Return the weights of the images whose rows `_sampled` returns."""
        return layer.weight_codes[self._spaced(layer, index)]

    def _spaced(self, layer: MappedLayer, index: int) -> slice:
        """Return which rows of a batch, or images that bring weights of their own, are kept."""
        stride = self._strides[layer.name]
        before = self._before[index] * (1 if layer.image_weights else layer.positions)
        return slice(-before % stride, None, stride)

    @cached_property
    def _exact(self) -> _Exact:
        """The exact network's sums and outputs, which fits of layers alone find themselves."""
        network, logits = self.network, []
        kept, outputs = dict[str, Sums](), dict[str, npt.NDArray[np.generic]]()
        sums: dict[str, list[Sums]] = defaultdict(list)
        with task("exact sums", len(self._batches), quiet=self._quiet) as progress:
            for index, batch in enumerate(self._batches):
                state, done = network.start(batch), 0
                for layer in network.layers:
                    step = network.layer_steps[layer.name]
                    state = network.advance(state, done, step, {})
                    found, shape = network.sums(layer, state)
                    sums[layer.name].append(
                        np.ascontiguousarray(self._sampled(layer, found, index)))
                    state = network.put(state, layer, layer.finish(found, shape))
                    done = step + 1
                if index >= self._fitting:
                    state = network.advance(state, done, network.step_count, {})
                    logits.append(network.finish(state))
                progress.advance()
        for layer in network.layers:
            parts = sums.pop(layer.name)
            kept[layer.name] = np.concatenate(parts[:self._fitting])
            held_out = np.concatenate(parts[self._fitting:])
            outputs[layer.name] = layer.finish(held_out, held_out.shape)
        return _Exact(sums=kept, outputs=outputs, logits=np.concatenate(logits))


class _Exact(NamedTuple):
    """By layer, the exact sums of images that are fitted on and the outputs of those held out;
    the logits of these.
    """

    sums: dict[str, Sums]
    outputs: dict[str, npt.NDArray[np.generic]]
    logits: Logits


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Rows that enter a layer, uint8[groups, m, k].

    weights : those of a product of two activations, uint8[images, groups, k, n].
    """

    codes: Codes
    weights: Codes | None

    def sums(self, network: QuantNetwork, layer: MappedLayer, table: Table | None = None) -> Sums:
        """Return the sums before bias, int32[m, channels], of the layer with some constants."""
        return network.row_sums(layer if self.weights is None else layer.with_codes(self.weights),
                                self.codes, table)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Inputs:
    """What enters a layer on images that are fitted on and on those held out.

    sums : of the exact network for the former, int32[m, groups * n]. outputs : its outputs for the
    latter. exact : what enters is the exact network's. counts : of the bytes that it
    reads, int64[256], where weights are mapped by them.
    """

    network: QuantNetwork
    layer: MappedLayer
    fitted: _Rows
    held_out: _Rows
    sums: Sums
    outputs: npt.NDArray[np.generic]
    exact: bool
    counts: Counts | None

    @cached_property
    def wanted(self) -> list[Sums]:
        """The exact products' sums of the fitted rows, of each group."""
        sums = self.sums if self.exact else self.fitted.sums(self.network, self.layer)
        return np.split(sums, self.layer.groups, axis=1)

    def error(self, option: _Option) -> float:
        """Return the mean squared difference from the exact network's output, held out."""
        sums = option.held_out
        apart = np.subtract(option.layer.finish(sums, sums.shape), self.outputs, dtype=np.float64)
        return float(np.square(apart, out=apart).mean())

    @cached_property
    def terms(self) -> list[Terms]:
        """What choosing weights needs to know of each group."""
        return [Terms.of(rows, self.layer.act_values) for rows in self.fitted.codes]


class _Option(NamedTuple):
    """A layer as it could be, with its sums on images held out, int32[m, channels]."""

    label: str
    layer: MappedLayer
    held_out: Sums


def _stride(layer: MappedLayer, at_least: int) -> int:
    """Return a step through output positions that does not stay in one column of the image.

    Or through images that bring weights of their own.
    """
    if layer.image_weights:
        return at_least
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
