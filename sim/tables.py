"""Product tables: read from files, and re-indexed by the codes a network stores.

A multiplier's table is indexed by magnitudes. Networks store codes: uint8 or int8 with a zero
point. `code_table` folds zero point and signs into the index once, so that kernels look up
raw bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.multipliers import Multiplier

Table = npt.NDArray[np.int32]
BINARY_BYTES = 2 * 65536


def exact_table() -> Table:
    """Return the table of the exact multiplier, int32[256, 256]."""
    return np.multiply.outer(np.arange(256, dtype=np.int32), np.arange(256, dtype=np.int32))


def magnitude_table(multiplier: Multiplier) -> Table:
    """Return a multiplier's table int32[256, 256] of magnitudes, `[act, weight]`.

    Raises InputError for a signed multiplier, whose table is indexed by other patterns, and for
    one that is not 8x8.
    """
    if multiplier.signed:
        raise InputError(f"Multiplier {multiplier.name!r} must be unsigned: the PE multiplies "
                         "magnitudes and adds the sign itself")
    if multiplier.table.shape != (256, 256):
        rows, columns = multiplier.table.shape
        raise InputError(f"Multiplier {multiplier.name!r} must be 8x8, not "
                         f"{rows.bit_length() - 1}x{columns.bit_length() - 1}")
    return multiplier.table


def code_values(zero_point: int, *, signed: bool) -> npt.NDArray[np.int16]:
    """Return the value that each stored byte stands for: int16[256], `code - zero_point`.

    signed : bytes are int8, so byte 255 is code -1.
    """
    codes = np.arange(256, dtype=np.int16)
    if signed:
        codes = codes.astype(np.uint8).view(np.int8).astype(np.int16)
    return (codes - np.int16(zero_point)).astype(np.int16)


def code_table(table: Table, act_values: npt.NDArray[np.int16],
               weight_values: npt.NDArray[np.int16]) -> Table:
    """Return the products of stored bytes as the PE forms them.

    table : int32[256, 256], magnitudes, `[act, weight]`. act_values, weight_values : int16[256]
    of `code_values`, in [-255, 255]. Returns int32[256, 256] with entry
    `[a, w] = s * table[|act_values[a]|, |weight_values[w]|]`, s = -1 where exactly one of the
    values is negative: zero counts as positive, as in the PE.
    """
    products = table[np.abs(act_values)[:, None], np.abs(weight_values)[None, :]]
    negative = (act_values < 0)[:, None] != (weight_values < 0)[None, :]
    return np.where(negative, -products, products).astype(np.int32)


def load_table(path: Path) -> Table:
    """Read a product table of magnitudes, int32[256, 256], `[activation, weight]`.

    `.npy` : integers of shape [256, 256]. `.bin` : 65,536 little-endian uint16, entry
    `256 * a + w`, as EvoApproxLib's tables are published.

    Raises InputError naming the file for anything else.
    """
    path = Path(path)
    if path.suffix == ".bin":
        raw = path.read_bytes()
        if len(raw) != BINARY_BYTES:
            raise InputError(f"{path}: product table must have {BINARY_BYTES} bytes, "
                             f"not {len(raw)}")
        return np.frombuffer(raw, "<u2").reshape(256, 256).astype(np.int32)
    if path.suffix != ".npy":
        raise InputError(f"{path}: product table must end in .npy or .bin, "
                         f"not {path.suffix or 'nothing'!r}")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a NumPy array file ({error})") from None
    if not isinstance(values, np.ndarray) or values.shape != (256, 256):
        raise InputError(f"{path}: product table must have shape (256, 256), "
                         f"not {getattr(values, 'shape', None)}")
    if not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"{path}: product table must hold integers, not {values.dtype}")
    if values.min() < 0 or values.max() >= 2**17:
        raise InputError(f"{path}: products must be 0 to {2**17 - 1}, "
                         f"not {values.min()} to {values.max()}")
    return values.astype(np.int32)
