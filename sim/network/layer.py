"""One layer that the arrays run: its operands, its sums, its requantisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hw.common.memory import KEPT
from hw.machine.layer_streams import GroupedWeights
from sim.kernels import ChainProduct, PackedWeights, TableProduct
from sim.kernels.few_rows import look_up
from sim.kernels.jit.workers import run_all
from sim.kernels.loops.requantize import RequantizeConstants
from sim.network.requantize import Requantizer
from sim.network.windows import Window
from sim.tables import (
    ApproximateSums,
    Product,
    SignedTable,
    Table,
    code_table,
    code_values,
    patterns,
)

Bytes = npt.NDArray[np.uint8]
MAX_ROWS_BYTES = 2**26  # of im2col of a batch
PRODUCT_BYTES = 2**20  # of a prepared kernel: its table, split, and by weight code
WEIGHT_BYTES = 10  # of a weight: its byte, its value, and as kernels pack both


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedLayer(GroupedWeights):
    """A convolution or matrix product with constant weights, on stored bytes.

    Parameters
    ----------
    name : str
        Name of the node in the ONNX file; the name in every mapping.
    kind : str
        `conv`, `depthwise` or `linear`; `product` of two activations.
    input, output : str
        Tensors read and written.
    weight_codes : uint8[groups, k, n]
        Stored bytes of the weights.
    weights : int16[groups, k, n]
        The values they stand for.
    weight_signed, act_signed : bool
        Bytes are int8.
    act_zero_point, weight_zero_point : int
        Stored codes of the value 0.
    bias : int32[groups * n]
        Added to the accumulators, in units of act_scale * weight_scale.
    sum_scale : float64[groups * n]
        act_scale * weight_scale: the value of one unit of the accumulator.
    window : Window or None
        Geometry of a convolution; None for a matrix product.
    requantizer : Requantizer or None
        None when the network wants the sums themselves.
    sums_as_int32 : bool
        Without a requantiser the output is the sums, int32; otherwise they are scaled to float32.
    positions : int
        Output positions per image.
    fed_by : str or None
        The layer that writes its input, or "" for the host, where nothing else reads it.
    """

    name: str
    kind: str
    input: str
    output: str
    weight_codes: Bytes = field(repr=False)
    weights: npt.NDArray[np.int16] = field(repr=False)
    weight_signed: bool
    act_signed: bool
    act_zero_point: int
    bias: npt.NDArray[np.int32] = field(repr=False)
    sum_scale: npt.NDArray[np.float64] = field(repr=False)
    window: Window | None
    requantizer: Requantizer | None = field(repr=False)
    weight_zero_point: int = 0
    sums_as_int32: bool = False
    positions: int = 0
    fed_by: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process is sent: what kernels keep beside it are places in memory."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def reads(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.input,)

    def bound(self, _state: Mapping[str, npt.NDArray[Any]]) -> MappedLayer:
        """Return the layer with the weights that it has among live tensors: its own."""
        return self

    def with_codes(self, codes: Bytes) -> Self:
        """Return the layer with other stored weights, of the shape of `weight_codes`."""
        return replace(self, weight_codes=codes, weights=self.weight_values[codes])

    def program_rows(self, rows: Bytes) -> Bytes:
        """Return rows uint8[groups, m, k] as programs count groups: the same."""
        return rows

    @property
    def macs(self) -> int:
        """Multiplications per image."""
        return self.positions * self.groups * self.k * self.n

    @cached_property
    def act_values(self) -> npt.NDArray[np.int16]:
        """Value of each activation byte, int16[256]."""
        return code_values(self.act_zero_point, signed=self.act_signed)

    @cached_property
    def weight_values(self) -> npt.NDArray[np.int16]:
        """Value of each weight byte, int16[256]; the zero point is that of `weights`."""
        return code_values(self.weight_zero_point, signed=self.weight_signed)

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is convolved alone, into one."""
        if self.window is None or self.n != 1:
            return False
        return self.k == self.window.kernel[0] * self.window.kernel[1]

    @property
    def padding_code(self) -> int:
        """The stored byte that stands for 0."""
        return int(np.array(self.act_zero_point).astype(np.uint8))  # int8 -1 is byte 255

    @cached_property
    def requantize_constants(self) -> RequantizeConstants:
        """The requantisation, bias included, for the compiled loops."""
        assert self.requantizer is not None, self.name
        return self.requantizer.constants(self.bias)

    @cached_property
    def packed_weights(self) -> list[PackedWeights]:
        """Weights of each group, in the order of the file."""
        return [PackedWeights(codes) for codes in self.weight_codes]

    @cached_property
    def depthwise_weights(self) -> Bytes:
        """Weights of a depthwise layer, uint8[channels, k]."""
        return np.require(self.weight_codes[:, :, 0], None, ["C", "W"])

    @cached_property
    def gathered_weights(self) -> list[PackedWeights]:
        """Weights of each group, in the order of `Window.gather`."""
        assert self.window is not None, self.name
        return [PackedWeights(self.window.gather_order(codes)) for codes in self.weight_codes]

    def output_shape(self, codes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output, channels last, for codes of that shape.

        Raises ValueError for codes of other channels than the weights have.
        """
        channels, wanted = ((codes[-1], self.k) if self.window is None else (
            codes[1], self.groups * self.k // math.prod(self.window.kernel)))
        if channels != wanted:
            raise ValueError(f"layer {self.name!r} must have {wanted} input channels, "
                             f"not {channels}")
        if self.window is None:
            return (*codes[:-1], self.n)
        height, width = codes[2:] if len(codes) == 4 else (1, codes[2])
        size = self.window.size(height, width)
        return (codes[0], *size[4 - len(codes):], self.groups * self.n)

    def product(self, table: Table) -> TableProduct | ChainProduct:
        """Return the kernel for a multiplier's table.

        Layers whose bytes stand for the same values share it, as long as it is kept.
        """
        products = patterns(table)
        chain = (table.adder, table.rows) if isinstance(table, ApproximateSums) else None

        def prepared() -> TableProduct | ChainProduct:
            codes = code_table(table, self.act_values, self.weight_values)
            return (TableProduct(codes, self.act_values, self.weight_values) if chain is None
                    else ChainProduct(codes, *chain))

        # With its table at hand, which therefore is no other one with the same identity.
        return KEPT.of(
            (MappedLayer, id(products), isinstance(table, SignedTable), chain, self.act_zero_point,
             self.act_signed, self.weight_zero_point, self.weight_signed),
            lambda: (products, prepared()), PRODUCT_BYTES)[1]

    @property
    def kept_bytes(self) -> int:
        """What it takes in memory, with what kernels keep of its weights."""
        return WEIGHT_BYTES * self.weights.size

    def act_rows(self, codes: Bytes) -> tuple[Bytes, tuple[int, ...]]:
        """Return what enters the array, uint8[groups, m, k], and the shape of the output.

        codes : stored bytes of the input, [n, c, h, w], [n, c, w] or [..., k].
        """
        shape = self.output_shape(codes.shape)
        if self.window is None:
            return np.ascontiguousarray(codes.reshape(1, -1, self.k)), shape
        image = codes[:, :, None] if codes.ndim == 3 else codes  # one row high
        rows, _size = self.window.rows(image, self.padding_code, self.groups)
        return rows, shape

    def accumulate(self, rows: Bytes, product: Product, *,
                   threads: int) -> npt.NDArray[np.int32]:
        """Return the accumulators before bias, int32[m, groups * n]."""
        if isinstance(product, TableProduct):
            parts = [product.matmul(own, weights, threads=threads)
                     for own, weights in zip(rows, self.packed_weights, strict=True)]
        else:
            parts = [product.matmul(own, weights, threads=threads)
                     for own, weights in zip(rows, self.weight_codes, strict=True)]
        return parts[0] if self.groups == 1 else np.concatenate(parts, axis=1)

    def finish(self, acc: npt.NDArray[np.int32],
               shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Return the layer's output tensor: codes, or the sums without a requantiser."""
        total = acc + self.bias
        return self.tensor(total if self.requantizer is None else self.requantizer.apply(total),
                           shape)

    def tensor(self, values: npt.NDArray[np.generic],
               shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Return the output tensor of stored codes [m, groups * n].

        values : without a requantiser the sums with bias, int32. shape : of the output,
        channels last.
        """
        if self.requantizer is None and not self.sums_as_int32:
            values = (np.asarray(values, np.float64) * self.sum_scale).astype(np.float32)
        values = values.reshape(shape)
        if self.window is None:
            return values
        return np.ascontiguousarray(np.moveaxis(values, -1, 1))  # channels first


@dataclass(frozen=True, kw_only=True, eq=False)
class ActivationProduct(MappedLayer):
    """A product of two activations, as in attention: each image brings its own weights.

    A MatMul [images, ..., m, k] x [images, ..., k, n] of stored bytes; groups are the `...`. The
    first operand streams through the array, the second is loaded as weights: k x n codes for each
    image and group, seldom met by many rows.

    `weight_codes` and `weights` are [images, groups, k, n]: of no image in a network, of those at
    hand in what `bound` returns. Rows are [groups, images * m, k], sums [images * m, groups * n],
    so constants belong to a column of a group, whatever the image.

    weight_input : the tensor read as weights.
    """

    weight_input: str

    @property
    def reads(self) -> tuple[str, ...]:
        """Tensors read."""
        return self.input, self.weight_input

    def bound(self, state: Mapping[str, npt.NDArray[Any]]) -> ActivationProduct:
        """Return the product with the weights that it has among live tensors."""
        codes = np.require(state[self.weight_input], None, ["C"]).view(np.uint8)
        return self.with_codes(codes.reshape(-1, self.groups, self.k, self.n))

    def output_shape(self, codes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output for codes of that shape."""
        return (*codes[:-1], self.n)

    def act_rows(self, codes: Bytes) -> tuple[Bytes, tuple[int, ...]]:
        """Return what enters the array, uint8[groups, images * m, k], and the output's shape."""
        apart = codes.reshape(len(codes), self.groups, -1, self.k).swapaxes(0, 1)
        return (np.ascontiguousarray(apart).reshape(self.groups, -1, self.k),
                self.output_shape(codes.shape))

    def accumulate(self, rows: Bytes, product: Product, *, threads: int) -> npt.NDArray[np.int32]:
        """Return the accumulators before bias, int32[images * m, groups * n].

        rows : of the images whose weights it has.
        """
        images = len(self.weight_codes)
        apart = rows.reshape(self.groups, images, -1, self.k)
        sums = np.empty((images, apart.shape[2], self.groups, self.n), np.int32)
        table = product if isinstance(product, TableProduct) else None

        def compute(image: int) -> None:
            for group in range(self.groups):
                acts, weights = apart[group, image], self.weight_codes[image, group]
                sums[image, :, group] = product.matmul(acts, weights) if table is None \
                    else look_up(acts, weights, table)

        run_all([partial(compute, image) for image in range(images)],
                1 if table is None else threads)
        return sums.reshape(-1, self.groups * self.n)

    def tensor(self, values: npt.NDArray[np.generic],
               shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Return the output tensor of stored codes [images * m, groups * n]."""
        flat = super().tensor(values, values.shape)
        if shape == values.shape:  # wanted as they are
            return flat
        apart = flat.reshape(shape[0], -1, self.groups, self.n).swapaxes(1, 2)
        return np.ascontiguousarray(apart).reshape(shape)

    def program_rows(self, rows: Bytes) -> Bytes:
        """Return rows as programs count groups, image by image: uint8[images * groups, m, k]."""
        apart = rows.reshape(self.groups, len(self.weights), -1, self.k)
        return np.ascontiguousarray(apart.swapaxes(0, 1)).reshape(
            len(self.weights) * self.groups, -1, self.k)
