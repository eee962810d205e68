"""What a bench needs of a design, from docs/integration.md, docs/isa.md and the schema alone.

    python stranger.py design.json BUS_BITS FOLDER

Imports nothing of the project. Evaluates the netlists of `design.json` for all operands, makes up a
network of three layers, one for each array behind the first, computes what they store, and writes
words, beats and expected beats to FOLDER for `bench.sv`.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

POSITIONS = 5
HALT, LOAD_WEIGHTS, ROUTE, MATMUL, ACTIVATE, DMA_IN, DMA_OUT, SYNC, CONFIGURE = range(9)
GATES = {"NOT": lambda a, b: ~a, "AND": lambda a, b: a & b, "OR": lambda a, b: a | b,
         "XOR": lambda a, b: a ^ b, "NAND": lambda a, b: ~(a & b), "NOR": lambda a, b: ~(a | b),
         "XNOR": lambda a, b: ~(a ^ b), "ANDNOT": lambda a, b: a & ~b, "ORNOT": lambda a, b: a | ~b}


# --- the arrays: products from the netlists -------------------------------------------


def products(netlist: dict) -> list[int]:
    """Return the product of every pair of 8-bit patterns, at activation * 256 + weight.

    All pairs at once: bit p of a net is its value for pair p.
    """
    every = range(1 << 16)
    ones = (1 << (1 << 16)) - 1
    operands = [int("".join(str(pair >> bit & 1) for pair in reversed(every)), 2)
                for bit in (*range(8, 16), *range(8))]
    nets = [0, ones, *operands]
    for function, a, b in netlist["gates"]:
        nets.append(GATES[function](nets[a], nets[b]) & ones)
    columns = [f"{nets[output]:065536b}" for output in reversed(netlist["outputs"])]
    found = [int("".join(bits), 2) for bits in zip(*columns, strict=True)][::-1]
    if netlist["signed"]:
        half = 1 << len(netlist["outputs"]) - 1
        found = [(value + half) % (2 * half) - half for value in found]
    return found


class Array:
    """One array of the bank: what it makes of an activation and a weight."""

    def __init__(self, multiplier: dict) -> None:
        self.signed = multiplier["netlist"]["signed"]
        self.rounding = multiplier.get("act_rounding", 0)
        self.products = products(multiplier["netlist"])

    def multiply(self, act: int, weight: int) -> int:
        """Return the product; act = code - zero point."""
        if self.signed:
            return self.products[act % 256 * 256 + weight % 256]
        size, low = abs(act), self.rounding
        if low:
            size = min(size + (1 << low - 1) >> low, (1 << 8 - low) - 1) << low
        found = self.products[size * 256 + abs(weight)]
        return -found if (act < 0) != (weight < 0) else found


# --- words and beats ------------------------------------------------------------------


def word(opcode: int, a: int = 0, b: int = 0, c: int = 0, flag: int = 0) -> int:
    """Return an instruction."""
    return opcode << 60 | a << 36 | b << 14 | c << 1 | flag


def beats(row: int, size: int, bits: int) -> list[int]:
    """Return a row of `size` bits as beats of `bits`, the low bits first."""
    return [row >> first & (1 << bits) - 1 for first in range(0, size, bits)]


def side_by_side(items: list[int], bits: int) -> int:
    """Return items as a row, the first in the low bits."""
    return sum(item << bits * index for index, item in enumerate(items))


class Streams:
    """What is sent, and the beats that must come back with their tlast."""

    def __init__(self, rows: int, cols: int, bits: int) -> None:
        self.rows, self.cols, self.bits = rows, cols, bits
        self.words, self.weights, self.acts, self.results = [], [], [], []

    def load(self, tile: list[list[int]]) -> None:
        """Send a tile of weights, by row and column."""
        self.words.append(word(LOAD_WEIGHTS))
        for weights in reversed(tile):  # the bottom row first
            row = side_by_side([abs(one) | (one < 0) << 8 for one in weights], 9)
            self.weights += beats(row, 9 * self.cols, self.bits)

    def constants(self, columns: list[tuple[int, int, int]]) -> None:
        """Send bias, multiplier and shift of each column."""
        self.words.append(word(LOAD_WEIGHTS, flag=1))
        fields = [bias % (1 << 32) | factor << 32 | shift << 63 for bias, factor, shift in columns]
        for row in range(8):
            self.weights += beats(side_by_side([one >> 9 * row & 511 for one in fields], 9),
                                  9 * self.cols, self.bits)

    def send(self, codes: list[list[int]], first: int) -> None:
        """Send rows of activations to the buffer."""
        self.words.append(word(DMA_IN, 0, first, len(codes)))
        for row in codes:
            self.acts += beats(side_by_side([code % 256 for code in row], 8), 8 * self.rows,
                               self.bits)

    def take(self, rows: list[list[int]], first: int) -> None:
        """Expect rows of results: one packet."""
        self.words.append(word(DMA_OUT, 0, first, len(rows)))
        for index, row in enumerate(rows):
            parts = beats(side_by_side([code % 256 for code in row], 8), 8 * self.cols,
                          self.bits)
            self.results += parts[:-1]
            self.results.append(parts[-1] | (index == len(rows) - 1) << self.bits)


# --- a layer --------------------------------------------------------------------------


def filled(values: list[int], size: int, filling: int) -> list[int]:
    """Return values, filled up to `size`."""
    return values + [filling] * (size - len(values))


def run_layer(streams: Streams, number: int, array: Array, codes: list[list[int]], zero: int,
              weights: list[list[int]], constants: list[tuple[int, int, int]],
              clamp: tuple[int, int, int] | None) -> list[list[int]]:
    """Append a layer to the program; return what it stores, a row for each row of `codes`.

    codes : stored activations [positions][k], uint8. weights : [k][n]. clamp : zero point of the
    results, smallest and largest code; None for raw sums.
    """
    rows, cols = streams.rows, streams.cols
    k, n = len(weights), len(weights[0])
    for register, value in enumerate((zero, 0, *(clamp or (0, 0, 0)))):
        streams.words.append(word(CONFIGURE, register, value % (1 << 10)))
    streams.words.append(word(ROUTE, number))
    slices = range(0, k, rows)
    padded = [filled(row, -(-k // rows) * rows, zero) for row in codes]
    for index, first in enumerate(slices):
        streams.send([row[first:first + rows] for row in padded], index * POSITIONS)
    stored = [[] for _ in codes]
    for left in range(0, n, cols):
        count = min(cols, n - left)
        columns = constants[left:left + count] + [(0, 1, 1)] * (cols - count)
        streams.constants(columns)
        sums = [[0] * cols for _ in codes]
        for index, first in enumerate(slices):
            tile = [filled(weights[row][left:left + count], cols, 0) if row < k else [0] * cols
                    for row in range(first, first + rows)]
            streams.load(tile)
            streams.words.append(word(MATMUL, index * POSITIONS, 0, POSITIONS, int(index > 0)))
            for position, row in enumerate(padded):
                for column in range(cols):
                    sums[position][column] += sum(
                        array.multiply(row[first + term] - zero, tile[term][column])
                        for term in range(rows))
        totals = [[(total + bias + 2**31) % 2**32 - 2**31 for total, (bias, _, _)
                   in zip(row, columns, strict=True)] for row in sums]
        if clamp is None:
            results = [[total >> 8 * byte & 255 for total in row]
                       for row in totals for byte in range(4)]
        else:
            results = [[max(clamp[1], min(clamp[2], clamp[0] + (
                total * factor + 2**(shift - 1) >> shift))) for total, (_, factor, shift)
                in zip(row, columns, strict=True)] for row in totals]
        streams.words.append(word(ACTIVATE, 0, 0, POSITIONS, int(clamp is None)))
        streams.take(results, 0)
        kept = totals if clamp is None else results
        for position, row in enumerate(kept):
            stored[position] += row[:count]
    streams.words.append(word(SYNC, number))
    return stored


def main(design: Path, bits: int, folder: Path) -> None:
    """Write the files of a bench."""
    content = json.loads(design.read_text())
    bank = content["bank"]
    streams = Streams(bank["rows"], bank["cols"], bits)
    arrays = [Array(content["multipliers"][name]) for name in bank["arrays"]]
    rng = random.Random(28)
    # uint8 in, zero point 128, so that operands fit every array; layer by layer 7, 6, 6, 3 wide.
    codes = [[rng.randrange(256) for _ in range(7)] for _ in range(POSITIONS)]
    for number, (k, n, last) in enumerate(((7, 6, False), (6, 6, False), (6, 3, True)), 1):
        weights = [[rng.randint(-128, 127) for _ in range(n)] for _ in range(k)]
        constants = [(rng.randint(-3000, 3000), rng.randrange(1 << 30, 1 << 31),
                      rng.randint(37, 40)) for _ in range(n)]
        codes = run_layer(streams, number, arrays[number], codes, 128, weights, constants,
                          None if last else (128, 0, 255))
    streams.words.append(word(HALT))
    sizes = [f"localparam BITS = {bits}, ARRAYS = {len(arrays)};",
             f"localparam ARRAY_ROWS = {bank['rows']}, ARRAY_COLS = {bank['cols']};"]
    for name in ("words", "weights", "acts", "results"):
        sent = getattr(streams, name)
        (folder / f"{name}.hex").write_text("".join(f"{one:x}\n" for one in sent))
        sizes.append(f"localparam {name.upper()} = {len(sent)};")
    (folder / "sizes.vh").write_text("\n".join([*sizes, ""]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
