"""The bus by itself: its mutants, and cycles of random inputs with what its model shows."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.rtl.accelerator.top import Accelerator
from hw.rtl.bus.top import AxiAccelerator
from hw.rtl.emit import modules_of
from tests.hw.rtl.accelerator.units.duts import ports
from tests.hw.rtl.bus.whole_model import CORE, BusModel
from tests.hw.rtl.circuits import NIBBLE, SKEWED
from tests.hw.rtl.mutation.campaign import REASONS, compiled
from tests.hw.rtl.mutation.mutants import Mutant, with_mutants

HARNESS = Path(__file__).with_name("bus_harness.cpp")
SEED, CYCLES, EPISODE = 2022, 24_000, 150  # cycles at one pace
TOP, STUB = "bus_bench", "accelerator"
BITS, ROWS, COLS = 8, 2, 3  # two beats a row in, three out, four of weights
DESIGN = Design(name="bus", multipliers={one.name: one for one in (NIBBLE, SKEWED)},
                bank=BankConfig(rows=ROWS, cols=COLS, arrays=(NIBBLE.name, SKEWED.name)))
MODULES = ("lite_port", "registers", "instruction_buffer", "weight_buffer", "weight_rows",
           "input_rows", "packet_ends", "row_sender", "accelerator_axi")
Layout = Mapping[str, tuple[int, int]]  # first bit and width of each port


class BusCampaign:
    """All mutants of the bus in one simulator build, and the cycles that each is run on."""

    def __init__(self) -> None:
        parts = {"bank": DESIGN.bank, "config": AcceleratorConfig(), "pes": DESIGN.pes}
        whole, core = AxiAccelerator(**parts, stream_bits=BITS), Accelerator(**parts)
        modules, = modules_of([whole])
        outside, inside = ports(whole), ports(core)
        sent = {"rst": ("input", 1), **outside, **{
            CORE + name: ("input" if flow == "output" else "output", width)
            for name, (flow, width) in {**inside, "rst": ("input", 1)}.items()}}
        self._inputs, self._outputs = (_layout(sent, flow) for flow in ("input", "output"))
        kept = {*MODULES, "input_buffer"}
        texts, self.mutants = with_mutants(
            {**{name: modules[name] for name in kept}, STUB: self._stub(inside)}, MODULES)
        texts[TOP] = self._bench(outside)
        self._run = compiled(texts, HARNESS, TOP).bus_run
        self._run.restype = ctypes.c_int64
        self._run.argtypes = [*3 * [ctypes.c_void_p], *3 * [ctypes.c_int64], *3 * [ctypes.c_int]]
        self._cycles = self._played(np.random.default_rng(SEED))

    def noticed_by(self, site: int, variant: int, *, seed: int = 1) -> int:
        """Return what `Campaign.noticed_by` does; runs are cycles."""
        inputs, outputs, matters = self._cycles
        first = int(self._run(inputs.ctypes.data, outputs.ctypes.data, matters.ctypes.data,
                              len(inputs), inputs.shape[1], outputs.shape[1], site, variant, seed))
        return len(REASONS) * first + REASONS.index("cycle") if first else 0

    def survivors(self, mutants: Iterable[Mutant]) -> list[Mutant]:
        """Return the mutants that no cycle notices."""
        return [mutant for mutant in mutants
                if not self.noticed_by(mutant.site, mutant.variant)]

    def _stub(self, inside: Mapping[str, tuple[str, int]]) -> str:
        """Return an accelerator that shows what the bench says."""
        declared = [f"  {flow} [{width - 1}:0] {name};" for name, (flow, width) in inside.items()]
        shown = [f"  assign {name} = {TOP}.inputs[{self._inputs[CORE + name][0]} +: {width}];"
                 for name, (flow, width) in inside.items() if flow == "output"]
        return "\n".join([f"module {STUB}(clk, rst, {', '.join(inside)});", "  input clk;",
                          "  input rst;", *declared, *shown, "endmodule", ""])

    def _bench(self, outside: Mapping[str, tuple[str, int]]) -> str:
        """Return the top: all inputs side by side, and all outputs."""
        connected = [".clk(clk)", ".mutant_site(mutant_site)", ".mutant_variant(mutant_variant)"]
        seen = []
        for port, (first, width) in {**self._inputs, **self._outputs}.items():
            vector = "inputs" if port in self._inputs else "outputs"
            if port in outside or port == "rst":
                connected.append(f".{port}({vector}[{first} +: {width}])")
            elif port in self._outputs:
                seen.append(f"  assign outputs[{first} +: {width}] = "
                            f"dut.accelerator.{port.removeprefix(CORE)};\n")
        return (f"module {TOP}(input clk, input [15:0] mutant_site, input [7:0] mutant_variant, "
                f"input [{_bits(self._inputs) - 1}:0] inputs, "
                f"output [{_bits(self._outputs) - 1}:0] outputs);\n"
                f"  accelerator_axi dut({', '.join(connected)});\n{''.join(seen)}endmodule\n")

    def _played(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Return inputs, outputs and which bits of these matter, uint32[CYCLES, words] each."""
        model = BusModel(ROWS, COLS, len(DESIGN.arrays), BITS)
        words = [[], [], []]
        for cycle in range(CYCLES):
            if cycle % EPISODE == 0:
                paces = model.paces(rng)
            inputs = model.inputs(rng, paces) | ({"rst": 1} if cycle == 0 else {})
            shown = model.outputs(inputs) if cycle else {}
            matters = {name: -1 for name, value in shown.items() if value is not None}
            for into, layout, values in zip(
                    words, (self._inputs, self._outputs, self._outputs),
                    (inputs, shown, matters), strict=True):
                into.append(_packed(layout, values))
            model.clock(inputs)
        return tuple(np.array([list(map(int, row)) for row in rows], np.uint32) for rows in words)


def _layout(sent: Mapping[str, tuple[str, int]], wanted: str) -> Layout:
    found, first = {}, 0
    for name, (flow, width) in sent.items():
        if flow == wanted:
            found[name] = first, width
            first += width
    return found


def _bits(layout: Layout) -> int:
    return sum(width for _, width in layout.values())


def _packed(layout: Layout, values: Mapping[str, int | None]) -> np.ndarray:
    """Return ports side by side as 32-bit words."""
    packed = sum((int(values.get(name) or 0) & (1 << width) - 1) << first
                 for name, (first, width) in layout.items())
    return np.frombuffer(packed.to_bytes(4 * -(-_bits(layout) // 32), "little"), np.uint32)
