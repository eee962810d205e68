"""A quantised network, computed layer by layer with any multiplier in any layer.

Convolutions and matrix products with constant weights run on table products; everything
between them runs exactly as the file says, in ONNX Runtime without optimisations, so that no
operator is fused into another with different rounding.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError, unknown_name
from hw.common.memory import KEPT
from hw.machine.design import BankConfig
from hw.machine.operands import check_operands
from sim.data import Images as UnreadImages
from sim.kernels.jit.workers import available, run_all
from sim.network.compute import explain, layer_output, layer_sums
from sim.network.layer import MAX_ROWS_BYTES, PRODUCT_BYTES, MappedLayer
from sim.network.onnx.batch import free_batch
from sim.network.onnx.calibrators import DEFAULT
from sim.network.onnx.file import load_model
from sim.network.onnx.graph import has_products, is_quantised, network_input
from sim.network.onnx.quantise import Quantised, load_ranges, quantise
from sim.network.onnx.runtime import reason
from sim.network.outside import host_elements, outside
from sim.network.scales import rescaled
from sim.network.steps import cut
from sim.network.unmapped import Outside, listed
from sim.tables import Product, Table, exact_table, patterns, pe_kind

Images = npt.NDArray[np.float32]
State = dict[str, npt.NDArray[Any]]  # live tensors between two steps
Rows = TypeVar("Rows", npt.NDArray[np.float32], npt.NDArray[np.float32] | UnreadImages)
Batch = TypeVar("Batch")
Result = TypeVar("Result")
MAX_BATCH = 256
FEWEST_ROWS = 2048  # of a typical layer: with fewer for each thread, threads share layers
Prepare = Callable[[MappedLayer, Table], Product]
OutputCheck = Callable[[tuple[int, ...]], None]
NO_LAYER = "network must have a quantised convolution or matrix product with constant weights"
AS_GIVEN = "as given"  # instead of a calibrator, of networks that were quantised before
WEIGHTS_IN_MEMORY = 10  # times the file: bytes, values, and as kernels pack them
COUNT = ""  # among live tensors: images of a batch that is filled up; no tensor has an empty name


def any_output(outputs: tuple[int, ...]) -> None:
    """Accept every shape of output."""


class QuantNetwork:
    """A quantised ONNX network with its mapped layers.

    Use `load`. `layers` are the layers that an array can run, in order; `unmapped` are the products
    that run exactly instead, by name. `calibrator` names what found the ranges of activations, and
    `original` is the float network that was quantised, if one was. `rows` are those of the arrays,
    on which sums of approximate adders depend. Where the file fixes the batch
    (`fixed_batch`), images are computed that many at a time, the last one repeated to fill a batch.
    """

    def __init__(self, model: onnx.ModelProto, *, source: str, threads: int | None = None,
                 calibrator: str = AS_GIVEN, original: onnx.ModelProto | None = None) -> None:
        self.source = source
        self.calibrator, self.original = calibrator, original
        self.rows = BankConfig.rows
        self.model = model
        self.threads = threads or os.cpu_count() or 1
        self.input, self.input_shape = network_input(model)
        self.fixed_batch = self.input_shape[0]
        self._prepare: Prepare = MappedLayer.product
        self._changed = False  # by `with_layers` or `with_products`
        self._steps, reasons = cut(model)
        self._last_use = self._last_uses()
        self._measure_positions()
        self.layers = tuple(step for step in self._steps if isinstance(step, MappedLayer))
        if not self.layers:
            why = "".join(f"; {name}: {reason}" for name, reason in reasons.items())
            raise InputError(f"{source}: {NO_LAYER}{why[:200]}")
        self.unmapped = outside(model, reasons)

    @classmethod
    def load(cls, path: Path, calibration: Images | None = None, *, ranges: Path | None = None,
             calibrator: str | None = None, symmetric: bool = False, shape: Sequence[int] = (),
             check_output: OutputCheck = any_output, threads: int | None = None) -> QuantNetwork:
        """Read a network; a float one is quantised on `calibration` float32[n, c, h, w].

        The first images are run through the file's own operators before: what does not run, or
        gives no row of numbers for each, is refused before anything takes long.

        shape : of an image, where the file leaves sizes open and there are no calibration images.
        check_output : called with the shape of an image's output, just as early; may raise.
        ranges : scales and zero points of activations that training found (`load_ranges`), for a
        float network. calibrator : what else finds ranges, one of
        `sim.network.onnx.calibrators.CHOICES` (default: `DEFAULT` there). symmetric : a float
        network gets int8 activations with zero point 0, as signed multipliers need, instead of
        uint8. threads : of the kernels (default: all cores); results do not depend on it. Raises
        InputError naming the file.
        """
        path = Path(path)
        model = load_model(path, shape if calibration is None else calibration.shape[1:])
        if calibration is not None:
            _check_images(calibration, network_input(model)[1], f"{path}: images")
        if not has_products(model):
            raise InputError(f"{path}: {NO_LAYER}")
        model, outputs = free_batch(model, calibration, path)
        check_output(outputs)
        original = None
        found = Quantised(model, AS_GIVEN)
        if not is_quantised(model):
            original = model
            found = _quantised(path, model, calibration, ranges, calibrator or DEFAULT,
                               symmetric=symmetric)
        elif ranges is not None or symmetric or calibrator:
            what = ranges or (f"calibrator {calibrator}" if calibrator
                              else "symmetric activations")
            raise InputError(f"{path}: network must be float to take {what}, not quantised")
        try:
            return cls(found.model, source=str(path), threads=threads,
                       calibrator=found.calibrator, original=original)
        except InputError as error:
            message = str(error)
            raise InputError(message if str(path) in message else f"{path}: {message}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process has it: by its file, for operators between layers cannot go.

        `original` stays behind. Raises TypeError for a network with other layers or products.
        """
        if self._changed:
            raise TypeError("Network with other layers or products must not be sent")
        return _sent, (self.model.SerializeToString(deterministic=True), self.source,
                       self.threads, self.calibrator, self.rows)

    def __copy__(self) -> QuantNetwork:
        """Return a view in this process, which shares everything."""
        view = object.__new__(QuantNetwork)
        vars(view).update(vars(self))
        return view

    # --- running ------------------------------------------------------------------

    def run(self, images: Images, tables: Mapping[str, Table] | None = None) -> Images:
        """Return the logits float32[n, classes] of images float32[n, c, h, w].

        tables : layer name -> `sim.tables.pe_table` of a multiplier, int32[256, 256] of
        magnitudes if that is unsigned; layers that are not named run exactly. Raises InputError
        for an unknown layer, and for one whose operands a signed multiplier does not take.
        """
        chosen = self.check_tables(tables)
        _check_images(images, self.input_shape)
        return np.concatenate(self.each(list(self.batches(images)), lambda batch: self.finish(
            self.advance(self.start(batch), 0, len(self._steps), chosen))))

    def layer_operands(self, images: Images, tables: Mapping[str, Table] | None = None
                       ) -> dict[str, npt.NDArray[np.int16]]:
        """Return what enters the array in each layer, int16[groups, m, k], padding as 0."""
        found: dict[str, list[npt.NDArray[np.int16]]] = {layer.name: [] for layer in self.layers}
        for layer, rows in self.layer_rows(images, tables):
            found[layer.name].append(layer.act_values[rows])
        return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}

    def accumulators(self, images: Images, tables: Mapping[str, Table] | None = None
                     ) -> dict[str, npt.NDArray[np.int32]]:
        """Return each layer's sums before bias, int32[m, groups * n]."""
        chosen = self.check_tables(tables)
        found: dict[str, list[npt.NDArray[np.int32]]] = {layer.name: [] for layer in self.layers}
        for layer, rows in self.layer_rows(images, chosen):
            product = self.product(layer, chosen.get(layer.name))
            found[layer.name].append(layer.accumulate(rows, product, threads=self.threads))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def layer_rows(self, images: Images, tables: Mapping[str, Table] | None = None
                   ) -> Iterator[tuple[MappedLayer, npt.NDArray[np.uint8]]]:
        """Yield every layer with the bytes that enter it, uint8[groups, m, k], batch by batch.

        A product of activations has the weights of the batch.
        """
        chosen = self.check_tables(tables)
        _check_images(images, self.input_shape)
        for batch in self.batches(images):
            state = self.start(batch)
            for index, step in enumerate(self._steps):
                if isinstance(step, MappedLayer):
                    yield step.bound(state), step.act_rows(state[step.input].view(np.uint8))[0]
                state = self.advance(state, index, index + 1, chosen)

    # --- pieces, for evaluators that keep what they have computed -------------------

    @property
    def step_count(self) -> int:
        """Number of steps; a layer is one, operators between layers are one."""
        return len(self._steps)

    @property
    def layer_steps(self) -> Mapping[str, int]:
        """Step of each layer."""
        return {step.name: index for index, step in enumerate(self._steps)
                if isinstance(step, MappedLayer)}

    def layer_at(self, step: int) -> MappedLayer | None:
        """Return the layer that a step is, None for operators between layers."""
        found = self._steps[step]
        return found if isinstance(found, MappedLayer) else None

    def start(self, images: Images) -> State:
        """Return the live tensors before the first step, for float32[n, c, h, w].

        A fixed batch is filled up; `finish` leaves out what filled it.
        """
        if self.fixed_batch in (None, len(images)):
            return {self.input: images}
        missing = self.fixed_batch - len(images)
        return {self.input: np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]),
                COUNT: np.array(len(images))}

    def advance(self, state: State, first: int, last: int, tables: Mapping[str, Table]) -> State:
        """Return the live tensors after steps `first` to `last` - 1; `state` is not changed."""
        state = dict(state)
        for index in range(first, last):
            step = self._steps[index]
            if isinstance(step, MappedLayer):
                product = self.product(step, tables.get(step.name))
                state[step.output] = layer_output(step.bound(state), state[step.input], product,
                                                  threads=self.threads)
            else:
                state.update(step.run(state))
            for name in self._last_use[index]:
                state.pop(name, None)
        return state

    def sums(self, layer: MappedLayer, state: State, table: Table | None = None
             ) -> tuple[npt.NDArray[np.int32], tuple[int, ...]]:
        """Return a layer's sums before bias, int32[m, groups * n], and the shape of its output.

        layer : of this network, or one that replaces it. state : before the layer's step.
        """
        product = self.product(layer, table)
        return layer_sums(layer.bound(state), state[layer.input], product, threads=self.threads)

    def row_sums(self, layer: MappedLayer, rows: npt.NDArray[np.uint8],
                 table: Table | None = None) -> npt.NDArray[np.int32]:
        """Return a layer's sums before bias, int32[m, groups * n], of rows uint8[groups, m, k].

        layer : of this network, or one that replaces it; a product of activations with weights.
        """
        return layer.accumulate(rows, self.product(layer, table), threads=self.threads)

    def put(self, state: State, layer: MappedLayer, values: npt.NDArray[np.generic]) -> State:
        """Return the live tensors after a layer whose output tensor is `values`."""
        after = {**state, layer.output: values}
        for name in self._last_use[self.layer_steps[layer.name]]:
            after.pop(name, None)
        return after

    def explain(self, tables: Mapping[str, Table] | None = None, *, images: int = 32
                ) -> dict[str, str]:
        """Return in words how each layer's sums are computed, for so many images at a time."""
        chosen = self.check_tables(tables)
        return {layer.name: explain(layer, self.product(layer, chosen.get(layer.name)), images)
                for layer in self.layers}

    def explain_operators(self) -> dict[str, str]:
        """Return in words how the operators between layers are computed, by what they write."""
        return {", ".join(step.outputs): step.explain() for step in self._steps
                if not isinstance(step, MappedLayer)}

    def host_elements(self) -> dict[str, int]:
        """Return the elements an image that operators beside the arrays write, by operator."""
        return host_elements(self.model)

    def with_layers(self, layers: Mapping[str, MappedLayer]) -> QuantNetwork:
        """Return this network with other constants in the named layers, such as weights or bias.

        Operators between layers and prepared kernels are shared, so this costs nothing.
        Raises InputError for an unknown layer.
        """
        for name in layers:
            if name not in self.layer_steps:
                raise unknown_name("layer", name, self.layer_steps)
        view = copy(self)
        view._steps = [layers.get(step.name, step) if isinstance(step, MappedLayer) else step
                       for step in self._steps]
        view.layers = tuple(step for step in view._steps if isinstance(step, MappedLayer))
        view._changed = True
        return view

    def with_scales(self, factors: Mapping[str, float]) -> QuantNetwork:
        """Return this network with some scales of activations multiplied, other ranges therefore.

        factors : of `sim.network.scales.activation_scales`. Of `original` nothing changes.
        """
        return QuantNetwork(rescaled(self.model, factors), source=self.source,
                            threads=self.threads, calibrator=f"{self.calibrator}, then searched",
                            original=self.original).with_rows(self.rows)

    def with_rows(self, rows: int) -> QuantNetwork:
        """Return this network on arrays of so many rows; everything is shared."""
        view = copy(self)
        view.rows = rows
        return view

    def with_threads(self, threads: int) -> QuantNetwork:
        """Return this network with its products on so many threads; everything is shared."""
        view = copy(self)
        view.threads = threads
        return view

    def with_products(self, prepare: Prepare) -> QuantNetwork:
        """Return this network with its sums computed by what `prepare(layer, table)` returns.

        table : the exact one, of magnitudes, for layers that run exactly.
        """
        view = copy(self)
        view._prepare = prepare
        view._changed = True
        return view

    def finish(self, state: State) -> Images:
        """Return the logits float32[n, classes] from the state after the last step."""
        logits = state[self.model.graph.output[0].name]
        count = int(state[COUNT]) if COUNT in state else len(logits)
        return np.asarray(logits[:count], np.float32).reshape(count, -1)

    @property
    def outside(self) -> list[Outside]:
        """The products of `unmapped` with their shares of all multiplications."""
        return listed(self.unmapped, sum(layer.macs for layer in self.layers))

    def batches(self, images: Rows) -> Iterable[Rows]:
        """Cut images into batches whose im2col stays small, a few for each thread if possible."""
        n = len(images)
        if self.fixed_batch is not None:
            return (images[first:first + self.fixed_batch]
                    for first in range(0, n, self.fixed_batch))
        widest = max((layer.positions * layer.groups * layer.k for layer in self.layers), default=1)
        count = -(-n // max(1, min(MAX_BATCH, MAX_ROWS_BYTES // max(widest, 1))))
        threads = available(self.threads)
        if n * self._typical_positions >= threads * FEWEST_ROWS:
            count = min(-(-count // threads) * threads, n)
        size = -(-n // max(count, 1))
        return (images[first:first + size] for first in range(0, n, size))

    @cached_property
    def _typical_positions(self) -> int:
        """Rows per image of the layers in whose like half of the multiplications are done."""
        layers = sorted(self.layers, key=lambda layer: layer.positions)
        macs = np.cumsum([layer.macs for layer in layers])
        return layers[int(np.searchsorted(macs, macs[-1] / 2))].positions

    def each(self, batches: Sequence[Batch], work: Callable[[Batch], Result]) -> list[Result]:
        """Return `work(batch)` for every batch.

        Batches run side by side where every thread has one: they need not wait for each other
        after every layer. Otherwise, and with other backends, threads share a layer.
        """
        found: list[Result | None] = [None] * len(batches)

        def one(index: int) -> None:
            found[index] = work(batches[index])

        alone = len(batches) >= self.threads and self._prepare is MappedLayer.product
        run_all([partial(one, index) for index in range(len(batches))],
                self.threads if alone else 1)
        return cast(list[Result], found)

    def check_tables(self, tables: Mapping[str, Table] | None) -> Mapping[str, Table]:
        """Return `tables`, refusing names that are no layer and layers that do not fit."""
        layers = {layer.name: layer for layer in self.layers}
        for name, table in (tables or {}).items():
            if name not in layers:
                raise unknown_name("layer", name, layers)
            check_operands(layers[name], pe_kind(table))
        return tables or {}

    # --- preparation --------------------------------------------------------------

    def product(self, layer: MappedLayer, table: Table | None) -> Product:
        """Return what multiplies a layer's rows under a table, the exact one by default."""
        chosen = exact_table() if table is None else table
        if self._prepare is MappedLayer.product:
            return layer.product(chosen)  # which keeps it for all layers alike
        products = patterns(chosen)
        return KEPT.of((self._prepare, layer.name, id(products), type(chosen)), lambda: (
            products, self._prepare(layer, chosen)), PRODUCT_BYTES)[1]

    def _last_uses(self) -> list[list[str]]:
        """Return, per step, the tensors that nothing after it reads."""
        seen = {entry.name for entry in self.model.graph.output}
        last: list[list[str]] = []
        for step in reversed(self._steps):
            reads = step.reads if isinstance(step, MappedLayer) else step.inputs
            writes = (step.output,) if isinstance(step, MappedLayer) else step.outputs
            last.append([name for name in (*reads, *writes) if name not in seen])
            seen.update(reads)
        return last[::-1]

    def _measure_positions(self) -> None:
        """Run one black image to learn each layer's output size, and that the network runs."""
        shape = self.input_shape
        if len(shape) < 2 or any(dim is None for dim in shape[1:]):
            raise InputError("network input must have fixed sizes but for the batch, "
                             f"not {list(shape)}")
        count = self.fixed_batch or 1
        state: State = {self.input: np.zeros((count, *[dim or 1 for dim in shape[1:]]),
                                             np.float32)}
        for index, step in enumerate(self._steps):
            try:
                if isinstance(step, MappedLayer):
                    rows, out = step.act_rows(state[step.input].view(np.uint8))
                    self._steps[index] = replace(step, positions=rows.shape[1] // count)
                    sums = np.zeros((rows.shape[1], step.groups * step.n), np.int32)
                    state = self.put(state, step, step.finish(sums, out))  # sizes matter, not sums
                else:
                    state = self.advance(state, index, index + 1, {})
            except Exception as error:  # ONNX Runtime has no common class of errors
                raise InputError(f"network does not run on an image of {list(shape[1:])} "
                                 f"({reason(error)})") from None
        output = self.model.graph.output[0].name
        if output not in state:
            raise InputError(f"network output {output!r} must depend on the input, not be constant")


def _sent(model: bytes, source: str, threads: int, calibrator: str, rows: int) -> QuantNetwork:
    """Return a network that another process sent, the same one as long as it is kept."""
    key = hashlib.sha256(model).digest()
    return KEPT.of((_sent, key, source, threads, calibrator, rows), lambda: QuantNetwork(
        onnx.ModelProto.FromString(model), source=source, threads=threads,
        calibrator=calibrator).with_rows(rows),
        WEIGHTS_IN_MEMORY * len(model))


def _quantised(path: Path, model: onnx.ModelProto, calibration: Images | None,
               ranges: Path | None, calibrator: str, *, symmetric: bool) -> Quantised:
    if ranges is not None and symmetric:
        raise InputError(f"{path}: activations must be symmetric or of {ranges}, not both")
    if calibration is None:
        raise InputError(f"{path}: a float network must come with calibration images "
                         "(--calibrate)")
    known = None if ranges is None else load_ranges(ranges)
    try:
        found = quantise(model, calibration, known, calibrator=calibrator, symmetric=symmetric)
        return found if ranges is None else found._replace(
            calibrator=f"{found.calibrator}, ranges of {ranges.name}")
    except InputError as error:
        raise InputError(f"{ranges or path}: {error}") from None
    except Exception as error:  # ONNX Runtime has a class per failure and no common one
        raise InputError(f"{path}: cannot be quantised ({reason(error)})") from None


def _check_images(images: Images, shape: tuple[int | None, ...], subject: str = "Images") -> None:
    """Refuse images that the network cannot take; subject : what messages call them."""
    wanted = list(shape[1:])
    fits = images.ndim == len(shape) and all(
        dim is None or dim == size for dim, size in zip(wanted, images.shape[1:], strict=True))
    if not fits or not len(images):
        raise InputError(f"{subject} must have shape [n, {', '.join(map(str, wanted))}], "
                         f"not {list(images.shape)}")
    if images.dtype != np.float32:
        raise InputError(f"{subject} must be float32, not {images.dtype}")
