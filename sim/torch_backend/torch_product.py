"""Table products in torch, on a GPU or the CPU, bit for bit those of `sim.kernels`."""

from __future__ import annotations

from enum import Enum
from importlib.util import find_spec
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, ToolError
from sim.network.layer import MappedLayer
from sim.torch_backend.convolution import DeviceLayer, tensor_of
from sim.torch_backend.sums import FloatSum, GatherSum, Int8Sum, LookupSum
from sim.torch_backend.terms import INT32_MAX, candidates, int8_terms

MANY_TERMS = 64  # int8 products per table product beyond which looking up is faster on a GPU


class Method(Enum):
    """How products are summed; all give the same bits."""

    INT8 = "int8"  # matrix products of int8 factors
    FLOAT = "float"  # matrix product of integer factors in float32 or float64
    LOOKUP = "lookup"  # exact matrix product and a Triton kernel for the error; CUDA only
    GATHER = "gather"  # the table indexed in torch; any table, any device


def torch_device(name: str) -> Any:
    """Return the torch device; ToolError where torch or the GPU is missing."""
    try:
        import torch
    except ImportError:
        raise ToolError(f"Device {name!r} must have torch; run: pip install torch") from None
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"Device must be one that torch knows, such as cpu or cuda, "
                         f"not {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ToolError(f"Device {name!r} must be a GPU that torch can use, but there is none")
    return device


class TorchProduct:
    """`out[m, n] = sum over k of table[acts[m, k], weights[k, n]]` on stored bytes, in torch.

    A table of small rank becomes one matrix product of recoded operands, int8 on a GPU and
    float32 on a CPU, with integer factors and in slices of k whose partial sums stay exact.
    Other tables are looked up.

    Parameters
    ----------
    table : int32[256, 256]
        Product of each pair of stored bytes, `[act, weight]`; see `sim.tables.code_table`.
    act_values, weight_values : int16[256]
        Value of each byte. They only steer the split: a poor choice is slower, never wrong.
    device : str
        `cpu`, `cuda`, `cuda:1`, ...
    method : Method or None
        None chooses by device and rank; see `explain`.

    Raises
    ------
    ToolError
        torch, the GPU or Triton is missing.
    ValueError
        `method` cannot compute this table on this device.
    """

    def __init__(self, table: npt.NDArray[np.int32], act_values: npt.NDArray[np.int16],
                 weight_values: npt.NDArray[np.int16], *, device: str = "cpu",
                 method: Method | None = None) -> None:
        if table.shape != (256, 256):
            raise ValueError(f"Product table must have shape (256, 256), not {table.shape}")
        self.device = torch_device(device)
        table = np.ascontiguousarray(table, np.int32)
        self._table = tensor_of(table.reshape(-1), self.device)
        self._layers: WeakKeyDictionary[MappedLayer, DeviceLayer] = WeakKeyDictionary()
        self._largest = int(np.abs(table.astype(np.int64)).max())
        self.method, self._sum, self._reason = self._choose(table, act_values, weight_values,
                                                            method)

    @property
    def terms(self) -> int:
        """Multiplications per table product; 1 where it is looked up."""
        return self._sum.terms

    def explain(self) -> str:
        """Return the choice and its reason, one line."""
        return f"{self.device}: {self._sum.describe()} ({self._reason})"

    def matmul(self, acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8], *,
               threads: int = 1) -> npt.NDArray[np.int32]:
        """Return int32[m, n] for acts uint8[m, k] and weights uint8[k, n].

        threads : taken for the sake of `TableProduct`'s interface; torch has its own.

        Raises
        ------
        ValueError
            The shapes do not fit, or k times the largest product exceeds int32.
        """
        operands = [tensor_of(codes, self.device) for codes in (acts, weights)]
        result: npt.NDArray[np.int32] = self.matmul_tensors(*operands).cpu().numpy()
        return result

    def matmul_tensors(self, acts: Any, weights: Any) -> Any:
        """Return the tensor int32[m, n] of tensors uint8[m, k] and uint8[k, n] on the device."""
        import torch

        if acts.ndim != 2 or weights.ndim != 2 or acts.shape[1] != weights.shape[0]:
            raise ValueError(f"Matrix shapes must fit, not {tuple(acts.shape)} and "
                             f"{tuple(weights.shape)}")
        if acts.dtype != torch.uint8 or weights.dtype != torch.uint8:
            raise ValueError(f"Operands must be stored bytes, not {acts.dtype}, {weights.dtype}")
        (m, k), n = acts.shape, weights.shape[1]
        self._check_sums(k)
        out = torch.zeros((m, n), dtype=torch.int32, device=self.device)
        if m and k and n:
            self._sum.add(acts, weights, out)
        return out

    def layer_sums(self, layer: MappedLayer,
                   codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """See `sim.network.compute.LayerProduct`."""
        return self._layer(layer).sums(codes, self.matmul_tensors, self._table)

    def layer_codes(self, layer: MappedLayer,
                    codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """See `sim.network.compute.LayerProduct`."""
        return self._layer(layer).codes(codes, self.matmul_tensors, self._table)

    def _layer(self, layer: MappedLayer) -> DeviceLayer:
        self._check_sums(layer.k)
        if layer not in self._layers:
            self._layers[layer] = DeviceLayer.of(layer, self.device)
        return self._layers[layer]

    def _check_sums(self, k: int) -> None:
        if k * self._largest > INT32_MAX:
            raise ValueError(f"Accumulators must fit in int32, but {k} products of up to "
                             f"{self._largest} may not")

    def _choose(self, table: npt.NDArray[np.int32], act_values: npt.NDArray[np.int16],
                weight_values: npt.NDArray[np.int16], method: Method | None
                ) -> tuple[Method, FloatSum | Int8Sum | LookupSum | GatherSum, str]:
        on_gpu = self.device.type == "cuda"
        found = [] if method in (Method.LOOKUP, Method.GATHER) else candidates(
            table, act_values, weight_values)
        reason = "as asked"
        if method is None:
            terms = [int8_terms(factors) for factors in found]
            usable = any(term.slice and term.count <= MANY_TERMS for term in terms)
            if not found:
                reason = "rank of the error is high"
            elif on_gpu and not usable:
                reason = f"more than {MANY_TERMS} int8 products"
            else:
                reason = "rank is low"
            if on_gpu:
                method = Method.INT8 if usable else Method.LOOKUP
                if method is Method.LOOKUP and not _has_triton():
                    method, reason = Method.GATHER, f"{reason}, and Triton is missing"
            else:
                method = Method.FLOAT if found else Method.GATHER
        if method in (Method.INT8, Method.FLOAT) and not found:
            raise ValueError(f"Method {method.value} must have integer factors of low rank")
        if method is Method.INT8:
            best = min(map(int8_terms, found), key=lambda term: (term.count, term.bound))
            return method, Int8Sum(best, self.device), reason
        if method is Method.FLOAT:
            factors = min(found, key=lambda part: (part.rank, part.max_sum))
            return method, FloatSum(factors, self.device), reason
        if method is Method.GATHER:
            return method, GatherSum(table, self.device), reason
        if not on_gpu:
            raise ValueError(f"Method lookup must run on a CUDA GPU, not on {self.device}")
        if not _has_triton():
            raise ToolError("Method lookup must have Triton; run: pip install triton")
        return method, LookupSum(table, act_values, weight_values, self.device), reason


def _has_triton() -> bool:
    return find_spec("triton") is not None
