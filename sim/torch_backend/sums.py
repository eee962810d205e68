"""Four ways to sum table products in torch; each adds the same integers to `out`.

`add(acts, weights, out)` takes uint8[m, k], uint8[k, n] and int32[m, n] on one device, no side
empty. Sums of offsets and of look-ups may pass through int32's wrap-around, which is harmless:
the final sum fits, so it is right modulo 2**32. Matrix products never do: they are cut into
slices of k by the bound on their partial sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sim.kernels.factor import Factors
from sim.torch_backend.convolution import tensor_of
from sim.torch_backend.terms import Int8Terms, int8_terms

FLOAT32_EXACT, FLOAT64_EXACT = 2**24, 2**53  # integers below are exact
SHORT_SLICE = 32  # below this, float32 slices are so short that float64 is faster
BLOCK_BYTES = 2**28  # of operands recoded or gathered at a time
INT16_MAX = 2**15 - 1
MIN_ROWS, MULTIPLE = 32, 8  # torch._int_mm on CUDA: more than 16 rows, other sides by 8


class Offsets:
    """alpha[act] + beta[weight], summed over k."""

    def __init__(self, alpha: npt.NDArray[np.int64], beta: npt.NDArray[np.int64],
                 device: Any) -> None:
        self._alpha, self._beta = (tensor_of(part, device) if part.any() else None
                                   for part in (alpha, beta))

    def add(self, acts: Any, weights: Any, out: Any) -> None:
        """Add the offsets of integer codes [m, k] and [k, n]."""
        if self._alpha is not None:
            for rows in _blocks(len(acts), 12 * acts.shape[1]):
                out[rows] += self._alpha[acts[rows].int()].sum(dim=1).int()[:, None]
        if self._beta is not None:
            out += self._beta[weights.int()].sum(dim=0).int()


class Int8Sum:
    """One matrix product of int8 factors per scale, int32 sums."""

    def __init__(self, terms: Int8Terms, device: Any) -> None:
        if not terms.slice:
            raise ValueError("Int8 factors must have products below 2**31")
        self._terms, self.terms = terms, terms.count
        self._groups = [(scale, tensor_of(u, device), tensor_of(v, device))
                        for scale, u, v in terms.groups]
        self._offsets = Offsets(terms.alpha, terms.beta, device)

    def describe(self) -> str:
        """Return the arithmetic and its bound."""
        return (f"{self._terms.count} int8 products per table product, "
                f"exact for {self._terms.slice} at a time")

    def add(self, acts: Any, weights: Any, out: Any) -> None:
        """Add the sums of products to `out`."""
        import torch

        self._offsets.add(acts, weights, out)
        n = out.shape[1]
        for part in _slices(acts.shape[1], self._terms.slice):
            columns = weights[part].int()
            rights = [_padded(_recoded_weights(v, columns), MULTIPLE)
                      for _scale, _u, v in self._groups]
            for rows in _blocks(len(acts), (part.stop - part.start) * (4 + self._terms.count)):
                codes = acts[rows, part].int()
                for (scale, u, _v), right in zip(self._groups, rights, strict=True):
                    left = _padded(_recoded_acts(u, codes),
                                   MIN_ROWS if len(codes) < MIN_ROWS else 1)
                    out[rows] += torch._int_mm(left, right)[:len(codes), :n] * scale


class FloatSum:
    """One matrix product of integer factors in float32, or float64 where slices were short."""

    def __init__(self, factors: Factors, device: Any) -> None:
        import torch

        bound = max(factors.max_sum, 1)
        # Where float32 may be rounded to fewer bits, float64 is not.
        single = _float32_is_whole() and (FLOAT32_EXACT - 1) // bound >= SHORT_SLICE
        self._kind = torch.float32 if single else torch.float64
        self._slice = ((FLOAT32_EXACT if single else FLOAT64_EXACT) - 1) // bound
        self._slice = min(self._slice, (2**31 - 1) // bound)  # converted to int32
        self._u, self._v = (tensor_of(part, device).to(self._kind)
                            for part in (factors.u, factors.v))
        self._offsets = Offsets(factors.alpha, factors.beta, device)
        self.terms = int(self._u.shape[1])

    def describe(self) -> str:
        """Return the arithmetic and its bound."""
        kind = str(self._kind).removeprefix("torch.")
        return (f"{self._u.shape[1]} {kind} products per table product, "
                f"exact for {self._slice} at a time")

    def add(self, acts: Any, weights: Any, out: Any) -> None:
        """Add the sums of products to `out`."""
        self._offsets.add(acts, weights, out)
        width = 4 + self._u.element_size() * self._u.shape[1]
        for part in _slices(acts.shape[1], self._slice):
            right = _recoded_weights(self._v, weights[part].int())
            for rows in _blocks(len(acts), (part.stop - part.start) * width):
                out[rows] += (_recoded_acts(self._u, acts[rows, part].int()) @ right).int()


class LookupSum:
    """An exact matrix product in int8, and a Triton kernel that looks the error up."""

    terms = 1

    def __init__(self, table: npt.NDArray[np.int32], act_values: npt.NDArray[np.int16],
                 weight_values: npt.NDArray[np.int16], device: Any) -> None:
        u, v = act_values.astype(np.int64)[:, None], weight_values.astype(np.int64)[None]
        error = table - u @ v
        kind = np.int16 if int(np.abs(error).max()) <= INT16_MAX else np.int32
        self._error = tensor_of(np.ascontiguousarray(error.T, kind), device)
        none = np.zeros(256, np.int64)
        self._exact = Int8Sum(int8_terms(Factors(u=u, v=v, alpha=none, beta=none)), device)

    def describe(self) -> str:
        """Return the arithmetic."""
        return "an exact int8 product and a look-up kernel for the error"

    def add(self, acts: Any, weights: Any, out: Any) -> None:
        """Add the sums of products to `out`."""
        from sim.torch_backend.lookup_kernel import launch

        self._exact.add(acts, weights, out)
        launch(acts.t().contiguous(), weights.contiguous(), self._error, out)


class GatherSum:
    """The table indexed in torch: any table, any device, slow."""

    terms = 1

    def __init__(self, table: npt.NDArray[np.int32], device: Any) -> None:
        self._flat = tensor_of(table.ravel(), device)

    def describe(self) -> str:
        """Return the arithmetic."""
        return "one gather per table product"

    def add(self, acts: Any, weights: Any, out: Any) -> None:
        """Add the sums of products to `out`."""
        codes = weights.int()
        for rows in _blocks(len(acts), 8 * out.shape[1]):
            for k in range(acts.shape[1]):
                out[rows] += self._flat[256 * acts[rows, k].int()[:, None] + codes[k]]


def _float32_is_whole() -> bool:
    """Return whether torch multiplies float32 without rounding operands to TF32 or bfloat16."""
    import torch

    try:
        return bool(torch.get_float32_matmul_precision() == "highest")
    except RuntimeError:  # a single backend was set to something else
        return False


def _slices(length: int, step: int) -> list[slice]:
    return [slice(first, min(first + step, length)) for first in range(0, length, step)]


def _blocks(length: int, row_bytes: int) -> list[slice]:
    return _slices(length, max(1, BLOCK_BYTES // row_bytes))


def _recoded_acts(u: Any, codes: Any) -> Any:
    """Return [m, k * t] from u [256, t] and codes [m, k]."""
    return u[codes].reshape(len(codes), codes.shape[1] * u.shape[1])


def _recoded_weights(v: Any, codes: Any) -> Any:
    """Return [k * t, n] from v [t, 256] and codes [k, n], in the order of recoded activations."""
    k, n = codes.shape
    return v[:, codes].transpose(0, 1).reshape(k * v.shape[0], n)


def _padded(matrix: Any, rows: int) -> Any:
    """Return `matrix` with zeros after it, up to a multiple of `rows` and of MULTIPLE columns."""
    import torch

    below, right = -matrix.shape[0] % rows, -matrix.shape[1] % MULTIPLE
    return torch.nn.functional.pad(matrix, (0, right, 0, below)) if below or right else matrix
