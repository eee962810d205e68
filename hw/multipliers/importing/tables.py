"""Truth tables of 8x8 multipliers: `.bin`, `.npy` and `.csv`.

- `.bin`: 65,536 little-endian words of 16 bits, entry `[256 a + b]` = f(a, b).
- `.npy`: integers [256, 256] or [65536], the same order.
- `.csv`: 256 lines of 256 products, or 65,536 lines `a,b,product` in any order, with or
  without a heading.

a and b are operand *patterns*: in a signed table row 255 is -1. The words are patterns of the
product too, so a table of 16-bit words fits both readings (`hw.multipliers.importing.meaning`);
wider integers are values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.multipliers.base import OPERANDS
from hw.multipliers.importing.source import Source, shown

PAIRS = OPERANDS * OPERANDS
NPY_HEADER = re.compile(r"\{'descr': '(?P<dtype>[<>|][iu][1248])', "
                        r"'fortran_order': (?P<fortran>True|False), "
                        r"'shape': \((?P<shape>256, 256|65536,)\), \}")


@dataclass(frozen=True, kw_only=True)
class Products:
    """The products of a file, not yet read as signed or unsigned.

    Parameters
    ----------
    words : uint16[256, 256]
        Product patterns indexed by (first, second) operand pattern.
    unsigned, signed : bool
        Whether the values of the file fit an unsigned, a signed reading.
    """

    words: npt.NDArray[np.uint16]
    unsigned: bool
    signed: bool

    def table(self, *, signed: bool) -> npt.NDArray[np.int32]:
        """Return the products in one reading, int32[256, 256]."""
        return (self.words.view(np.int16) if signed else self.words).astype(np.int32)


def read_bin(source: Source) -> Products:
    """Return the products of 65,536 16-bit words."""
    size = len(source.content)
    if size != 2 * PAIRS:
        raise source.error(f"table must have {2 * PAIRS} bytes (65,536 words of 16 bits), "
                           f"not {size}")
    words = np.frombuffer(source.content, "<u2").reshape(OPERANDS, OPERANDS)
    return Products(words=words.astype(np.uint16), unsigned=True, signed=True)


def read_npy(source: Source) -> Products:
    """Return the products of a NumPy array file; its header is matched, never evaluated."""
    content = source.content
    if content[:6] != b"\x93NUMPY" or len(content) < 12:
        raise source.error("must be a NumPy array file")
    start = 10 if content[6] == 1 else 12
    end = start + int.from_bytes(content[8:start], "little")
    header = content[start:end].decode("latin-1").strip()
    match = NPY_HEADER.fullmatch(header)
    if match is None:
        raise source.error("array must hold integers of shape (256, 256) or (65536,), "
                           f"not {shown(header, 90)}")
    dtype = np.dtype(match["dtype"])
    if len(content) != end + PAIRS * dtype.itemsize:
        raise source.error(f"array must have {PAIRS * dtype.itemsize} bytes of data, "
                           f"not {max(len(content) - end, 0)}")
    table = np.frombuffer(content, dtype, offset=end)
    if match["fortran"] == "True" and match["shape"] == "256, 256":
        table = table.reshape(OPERANDS, OPERANDS).T
    return _products(source, table)


def read_csv(source: Source) -> Products:
    """Return the products of a matrix or of lines `a,b,product`."""
    rows: list[list[int]] = []
    for number, line in enumerate(source.text.splitlines(), start=1):
        if not line.strip():
            continue
        if len(rows) == PAIRS:
            raise source.error(f"table must have at most {PAIRS} lines", number)
        cells = [cell.strip() for cell in line.split(",", OPERANDS + 1)]
        try:
            row = [_integer(cell) for cell in cells]
        except ValueError:
            if number == 1 and len(cells) == 3:
                continue  # a heading
            wrong = next(cell for cell in cells if not _is_integer(cell))
            raise source.error(f"product must be an integer, not {shown(wrong) or 'nothing'}",
                               number) from None
        if rows and len(row) != len(rows[0]):
            raise source.error(f"line must have {len(rows[0])} numbers, not {len(row)}", number)
        rows.append(row)
    if rows and len(rows[0]) == 3:
        return _products(source, _from_triples(source, np.array(rows)))
    return _products(source, np.array(rows))


def _integer(cell: str) -> int:
    """Return the integer of a cell; ValueError for anything else (or out of int32)."""
    if len(cell) > 11 or not cell.lstrip("+-").isascii() or not cell.lstrip("+-").isdigit():
        raise ValueError(cell)
    return int(cell)


def _is_integer(cell: str) -> bool:
    try:
        _integer(cell)
    except ValueError:
        return False
    return True


def _from_triples(source: Source, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the table of lines (a, b, product); negative operands are signed values."""
    operands, products = rows[:, :2], rows[:, 2]
    if operands.min() < -128 or operands.max() > 255 \
            or (operands.min() < 0 and operands.max() > 127):
        raise source.error("operands must be 0 to 255, or -128 to 127, "
                           f"not {operands.min()} to {operands.max()}")
    places = (operands[:, 0] & 255) * OPERANDS + (operands[:, 1] & 255)
    if len(rows) != PAIRS or len(np.unique(places)) != PAIRS:
        raise source.error(f"table must have each of the {PAIRS} operand pairs once, "
                           f"not {len(np.unique(places))} in {len(rows)} lines")
    table = np.empty(PAIRS, np.int64)
    table[places] = products
    return table


def _products(source: Source, array: npt.NDArray[np.integer]) -> Products:
    """Return the products of an integer array; raises InputError for another shape or range."""
    if array.shape not in ((OPERANDS, OPERANDS), (PAIRS,)):
        headed = array.shape == (OPERANDS + 1, OPERANDS + 1)
        raise source.error("table must have shape (256, 256) or (65536,), "
                           f"not {shown(array.shape)}"
                           + " (without a heading of operands)" * headed)
    low, high = int(array.min()), int(array.max())
    if low < -(1 << 15) or high >= 1 << 16 or (low < 0 and high >= 1 << 15):
        raise source.error("products must be 0 to 65535, or -32768 to 32767, "
                           f"not {low} to {high}")
    patterns = array.dtype.itemsize == 2  # words carry a pattern, whatever their type says
    words = np.asarray(array).astype(np.int64).reshape(OPERANDS, OPERANDS) & 0xFFFF
    return Products(words=words.astype(np.uint16), unsigned=patterns or low >= 0,
                    signed=patterns or high < 1 << 15)
