"""Random banks of catalogue multipliers in one simulator build, and random tiles for them.

The cocotb bench looks at every port in every cycle; here a host in C++ streams tiles through, a
hundred times as fast, and what counts is every results beat.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hw.common.errors import InputError
from hw.machine.design import BankConfig, Design
from hw.machine.pe import FORMS, kinds_of
from hw.multipliers import EXACT, catalogue
from hw.rtl.array.bank import MxuBank
from hw.rtl.array.router import ROUTE_BITS
from hw.rtl.emit import modules_together
from hw.rtl.verilog.emission import module_suffixes, write_folder
from sim.machine.array_model import tile_products
from sim.machine.verilator import compile_model
from sim.tables import pe_table
from tests.hw.rtl.bank_driver import Tile, encode
from tests.hw.rtl.gate_functions import as_function

HARNESS = Path(__file__).with_suffix(".cpp")
LARGEST = 16  # rows and columns, LANES of the harness
# Chance of each size and number of arrays: compile time goes with the multiplications, and small
# ones have all edges too.
SIZE_CHANCE = np.array([6, 6, 3, 1, 1, 1]) / 18  # of 1, 2, ... 6 rows of PEs, and columns
ARRAYS_CHANCE = np.array([4, 3, 2, 1]) / 10  # of 1, 2, ... arrays
FORM_CHANCE = {"1x1": 0.75, "2x1": 0.04, "4x1": 0.03, "8x1": 0.03, "4x4": 0.03, "4x1r": 0.03,
               "4x4r": 0.03, "4x1rb": 0.03, "4x4rb": 0.03}
START_CHANCE = 0.3  # of partial sums that do not start from 0
RAGGED_CHANCE = 0.3  # of a tile whose last rows and columns are zeros, as a compiler pads them
BEAT_BITS = 160  # of weights and activations; the highest is the flag of a first activation
TOP = "banks"
POOL = {False: 5, True: 3}  # signed -> circuits that the banks of a build share


def random_pool(rng: np.random.Generator, gates: int) -> list[str]:
    """Return circuits of at most `gates` gates, unsigned and signed ones, that banks may share."""
    # A bank pads with zeros.
    usable = {name: m.signed for name, m in catalogue().items()
              if m.table[0, 0] == 0 and len(m.netlist.gates) <= gates}
    return [str(name) for signed, count in POOL.items() for name in rng.choice(
        [name for name in usable if usable[name] == signed], count, replace=False)]


def random_design(rng: np.random.Generator, name: str, pool: Sequence[str]) -> Design:
    """Return a bank of 1 to 4 arrays of random shape, with partial sums as narrow as may be."""
    arrays = 1 + rng.choice(len(ARRAYS_CHANCE), p=ARRAYS_CHANCE)
    chosen = tuple(rng.choice(list(pool), arrays, replace=False).tolist())
    form = str(rng.choice(list(FORM_CHANCE), p=list(FORM_CHANCE.values())))
    flow = FORMS[form]
    if flow.recoded:  # one array, which is exact; the others are of the same form without
        place = arrays // 2
        chosen = tuple(dict.fromkeys((*chosen[:place], EXACT, *chosen[place + 1:])))
    rows, cols = (
        each * min(LARGEST // each, 1 + int(rng.choice(len(SIZE_CHANCE), p=SIZE_CHANCE)))
        for each in (flow.macs, flow.outputs))
    width, starts = 16, rng.random() < START_CHANCE
    while True:
        try:
            multipliers = {name: catalogue()[name] for name in chosen}
            kinds = kinds_of(list(multipliers.values()), flow.shared.form, form)
            return Design(name=name, multipliers=multipliers,
                          bank=BankConfig(rows=rows, cols=cols, arrays=chosen, psum_width=width,
                                          form=flow.shared.form, kinds=kinds,
                                          psum_start=starts * 3 << width - 7))
        except InputError:  # partial sums could overflow
            width += 1


def random_tiles(rng: np.random.Generator, bank: BankConfig, count: int) -> list[Tile]:
    """Return tiles of 1 to 8 activations; about a quarter begin with a ROUTE."""
    def operands(*shape: int) -> np.ndarray:
        values = rng.integers(-255, 256, shape)
        extreme = rng.choice([-255, -128, -1, 0, 1, 127, 128, 255], shape)
        return np.where(rng.random(shape) < 0.2, extreme, values).astype(np.int16)

    def tile() -> Tile:
        weights = operands(bank.rows, bank.cols)
        if any(flow.recoded for flow in bank.dataflows):
            weights = (weights + 128) % 256 - 128  # of 8 bits
        acts = operands(int(rng.integers(1, 9)), bank.rows)
        if rng.random() < RAGGED_CHANCE:
            k, n = rng.integers(1, (bank.rows, bank.cols), endpoint=True).tolist()
            weights[k:] = weights[:, n:] = acts[:, k:] = 0
        return Tile(weights=weights, acts=acts, route=int(rng.integers(len(bank.arrays)))
                    if rng.random() < 0.25 else None)

    return [tile() for _ in range(count)]


def top_module(designs: Sequence[Design], modules: Sequence[str]) -> str:
    """Return a module whose ports are those of bank number `bank`; the others stand still.

    modules : name of the Verilog module of each design.
    """
    ports = ["input clk", "input rst", "input [7:0] bank"]
    for stream, bits in (("route", ROUTE_BITS), ("weights", BEAT_BITS), ("acts", BEAT_BITS)):
        ports += [f"input {stream}_valid", f"input [{bits - 1}:0] {stream}_payload",
                  f"output {stream}_ready"]
    ports += ["input acts_first", "output results_valid", "input results_ready",
              f"output [{32 * LARGEST - 1}:0] results_payload"]
    text = [f"module {TOP}({', '.join(ports)});",
            f"wire [{32 * LARGEST + 3}:0] shown [0:{len(designs) - 1}];"]
    for index, (design, module) in enumerate(zip(designs, modules, strict=True)):
        bank = design.bank
        width = bank.psum_width
        text.append(f"wire on{index} = bank == {index};")
        text.append(f"wire [{width * bank.cols - 1}:0] results{index};")
        lanes = ", ".join(f"{{{{{33 - width}{{results{index}[{width * col + width - 1}]}}}}, "
                          f"results{index}[{width * col} +: {width - 1}]}}"
                          for col in reversed(range(bank.cols)))
        # Input gates: what the other banks see does not change.
        gated = {"clk": "clk", "rst": "rst", "route__valid": "route_valid",
                 "weights__valid": "weights_valid", "acts__valid": "acts_valid",
                 "results__ready": "results_ready"}
        vectors = {"route__payload": (ROUTE_BITS, "route_payload"),
                   "weights__payload": (9 * bank.cols, f"weights_payload[{9 * bank.cols - 1}:0]"),
                   "acts__payload": (9 * bank.rows + 1,
                                     f"{{acts_first, acts_payload[{9 * bank.rows - 1}:0]}}")}
        connections = [f".{port}({signal} & on{index})" for port, signal in gated.items()]
        connections += [f".{port}({{{bits}{{on{index}}}}} & {signal})"
                        for port, (bits, signal) in vectors.items()]
        results = f".results__payload(results{index})"
        flags = [f".{port}(shown[{index}][{32 * LARGEST + bit}])" for bit, port in enumerate(
            ("results__valid", "route__ready", "weights__ready", "acts__ready"))]
        text.append(f"{module} bank{index}({', '.join([*connections, results, *flags])});")
        text.append(f"assign shown[{index}][{32 * LARGEST - 1}:0] = {{{lanes}}};")
    text.append("assign {acts_ready, weights_ready, route_ready, results_valid, results_payload} "
                "= shown[bank];\nendmodule\n")
    return "\n".join(text)


class _Tiles(ctypes.Structure):
    """`Tiles` of the harness."""

    _fields_ = (("count", ctypes.c_int64), ("rows", ctypes.c_int64),
                *((name, ctypes.c_void_p)
                  for name in ("route", "beats", "weights", "acts", "results")))


def _beats(values: Sequence[int]) -> np.ndarray:
    """Return beats of a stream as the harness reads them, and one more: uint8."""
    return np.frombuffer(b"".join(value.to_bytes(BEAT_BITS // 8, "little")
                                  for value in (*values, 0)), np.uint8)


@dataclass(frozen=True, kw_only=True)
class RandomBanks:
    """Banks of circuits of at most `gates` gates, emitted to `folder`, simulated side by side."""

    seed: int
    count: int
    gates: int
    folder: Path

    @cached_property
    def designs(self) -> tuple[Design, ...]:
        """The designs, in the order of their numbers."""
        rng = np.random.default_rng(self.seed)
        pool = random_pool(rng, self.gates)
        return tuple(random_design(rng, f"bank{index}", pool) for index in range(self.count))

    def sources(self) -> dict[str, str]:
        """Return all Verilog by file name."""
        banks, modules = modules_together([
            MxuBank(config=design.bank, pes=design.pes,
                    suffixes=module_suffixes(design.bank.arrays))
            for design in self.designs])
        functions = {name: as_function(name, text) for name, text in modules.items()
                     if name.startswith("multiplier_")}
        modules = {TOP: top_module(self.designs, banks)} | modules | functions
        return {f"{name}.sv": text for name, text in modules.items()}

    @cached_property
    def library(self) -> ctypes.CDLL:
        """The compiled simulation."""
        if not self.folder.exists():
            write_folder(self.folder, self.sources())
        # Compiling is what takes time, not running.
        library = ctypes.CDLL(str(compile_model(
            sorted(self.folder.glob("*.sv")), HARNESS, top=TOP, shared=True, level="-O0",
            verilate=("--x-initial", "unique", "-fno-dfg", "-fno-table"))))
        library.banks_new.restype = ctypes.c_void_p
        library.banks_delete.argtypes = [ctypes.c_void_p]
        library.banks_run.restype = ctypes.c_int64
        library.banks_run.argtypes = [
            ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Tiles), ctypes.c_int64, ctypes.c_int,
            ctypes.c_uint64, ctypes.c_int64]
        return library

    def results(self, number: int, tiles: list[Tile], *, stall: float, seed: int) -> np.ndarray:
        """Return what bank `number` answers to tiles, int32[beats, cols].

        stall : chance in a cycle that a stream waits. seed : of stalls and power-up state.
        """
        bank = self.designs[number].bank
        beats = np.array([len(tile.acts) for tile in tiles], np.int32)
        route = np.array([-1 if tile.route is None else tile.route for tile in tiles], np.int32)
        weights = _beats([encode(row) for tile in tiles for row in tile.weights[::-1]])
        acts = _beats([encode(row) | (beat == 0) << BEAT_BITS - 1 for tile in tiles
                       for beat, row in enumerate(tile.acts)])
        results = np.zeros((int(beats.sum()), LARGEST), np.int32)
        packed = _Tiles(count=len(tiles), rows=bank.rows, **{
            name: array.ctypes.data for name, array in (
                ("route", route), ("beats", beats), ("weights", weights), ("acts", acts),
                ("results", results))})
        handle = self.library.banks_new(seed)
        try:
            limit = (200 + 20 * len(results) + 100 * len(tiles))
            found = self.library.banks_run(handle, number, ctypes.byref(packed), len(results),
                                           round(256 * stall), seed, limit)
        finally:
            self.library.banks_delete(handle)
        assert found == len(results), f"{found} of {len(results)} results in {limit} cycles"
        return results[:, :bank.cols]

    def expected(self, number: int, tiles: list[Tile]) -> np.ndarray:
        """Return what NumPy makes of the same tiles."""
        tables = [pe_table(m) for m in self.designs[number].arrays]
        array, parts = 0, []
        for tile in tiles:
            array = array if tile.route is None else tile.route
            parts.append(tile_products(tile.acts, tile.weights, tables[array]))
        return np.concatenate(parts)
