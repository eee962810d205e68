"""Accelerators that random programs run on, and the run: Verilog, model and cycle model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.compiler import Program
from hw.machine.cycles import accelerator_cycles
from hw.machine.design import BankConfig, Design
from hw.machine.isa import Opcode
from hw.machine.pe import PLAIN
from hw.multipliers import with_adder
from hw.multipliers.base import Multiplier
from hw.rtl.verilog.emission import emit_design, write_folder
from sim.cosim.accelerator import SimulatedAccelerator
from sim.machine.host import Host, HostLayer
from sim.machine.instructions import execute, multiply_by_tables
from sim.tables import pe_table
from tests.hw.rtl.circuits import BROKEN_SIGNED, NIBBLE, SKEWED


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A bank and the memories around it."""

    rows: int
    cols: int
    multipliers: tuple[Multiplier, ...]
    config: AcceleratorConfig
    form: str = PLAIN.form

    def design(self, mapping: Mapping[str, int] | None = None) -> Design:
        """Return the design whose layers run on the arrays of `mapping`."""
        return Design(name="random", mapping=mapping or {},
                      multipliers={m.name: m for m in self.multipliers},
                      bank=BankConfig(rows=self.rows, cols=self.cols, psum_width=20,
                                      form=self.form,
                                      arrays=tuple(m.name for m in self.multipliers)))


ORED, CUT = with_adder(SKEWED, "loa6"), with_adder(SKEWED, "seg5w2")
# Memories as small as they may be and larger; lanes fewer than columns, as many, and more.
MACHINES = {
    "tight": Machine(
        rows=2, cols=3, multipliers=(NIBBLE, SKEWED), config=AcceleratorConfig(
            act_rows=4, accumulator_rows=4, output_rows=8, requantise_lanes=1,
            weight_fifo_rows=5)),
    "square": Machine(
        rows=3, cols=3, multipliers=(SKEWED, BROKEN_SIGNED, NIBBLE, ORED), config=AcceleratorConfig(
            act_rows=16, accumulator_rows=16, output_rows=32, requantise_lanes=3,
            weight_fifo_rows=7)),
    "tall": Machine(
        rows=5, cols=2, multipliers=(NIBBLE, BROKEN_SIGNED, CUT), config=AcceleratorConfig(
            act_rows=64, accumulator_rows=32, output_rows=16, requantise_lanes=4,
            weight_fifo_rows=16)),
    # Sums come out sooner than a tile of weights goes in.
    "dense": Machine(
        rows=4, cols=4, multipliers=(NIBBLE, BROKEN_SIGNED), form="4x4", config=AcceleratorConfig(
            act_rows=16, accumulator_rows=8, output_rows=16, requantise_lanes=2,
            weight_fifo_rows=6)),
}


def emit(machine: Machine, folder: Path) -> Path:
    """Write the Verilog of a machine to `folder`, compile it and return the folder."""
    write_folder(folder, emit_design(machine.design(), config=machine.config))
    with SimulatedAccelerator(folder):
        return folder


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A program, its design and the layers that it reads."""

    program: Program
    design: Design
    layers: Mapping[str, HostLayer]

    def expected(self) -> dict[str, np.ndarray]:
        """Return layer -> output, one instruction after the other."""
        tables = [pe_table(multiplier, self.design.bank.rows)
                  for multiplier in self.design.arrays]
        executed = execute(self.program, multiply_by_tables(tables), self.layers)
        return {name: layer.output for name, layer in executed.items()}


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What the Verilog did.

    outputs : layer -> stored bytes or sums, as `sim.machine.host.Host` puts them together. issues :
    int64[instructions], the cycle in which each one was issued if no stream waited.
    """

    outputs: dict[str, np.ndarray]
    issues: np.ndarray
    clocked: int


def run(workload: Workload, rtl: Path, *, stall: float = 0.0, seed: int = 0) -> Ran:
    """Run a program on the Verilog in `rtl`, layer by layer as a host does.

    seed : of what reset leaves unknown, and of the stalls.
    """
    outputs, accepted, cycle = {}, [], 0
    program = workload.program
    with SimulatedAccelerator(rtl, seed=seed) as accelerator:
        accelerator.stall(stall, seed=seed + 1)
        code = list(program.instructions)
        for name in program.layers:
            end = 1 + next(i for i, word in enumerate(code) if word.opcode == Opcode.SYNC)
            end += len(code) == end + 1  # HALT belongs to no layer; it follows the last SYNC
            host = Host(program, workload.layers[name])
            ran = accelerator.run(host, code[:end], limit=10_000 + 200 * len(code))
            outputs[name], code = host.output(), code[end:]
            accepted.append(ran.accepted)
            cycle = ran.cycle
        clocked = accelerator.clocked
    assert not code
    # A word is accepted in the cycle in which the one before it is issued.
    return Ran(outputs=outputs, clocked=clocked,
               issues=np.append(np.concatenate(accepted)[1:], cycle))


def check(workload: Workload, rtl: Path, *, stalls: Sequence[float] = (0.0,),
          seeds: Sequence[int] = (0,)) -> None:
    """AssertionError unless results are the model's, and issues those of the cycle model.

    Every chance of a stall is run from every power-up state; issues, and the cycles in which the
    array was clocked, are compared without stalls.
    """
    expected, timing = workload.expected(), accelerator_cycles(workload.program)
    for stall in stalls:
        for seed in seeds:
            ran = run(workload, rtl, stall=stall, seed=seed)
            for name, output in expected.items():
                np.testing.assert_array_equal(ran.outputs[name], output, name, strict=True)
            if not stall:
                np.testing.assert_array_equal(ran.issues, timing.issues)
                assert ran.clocked == timing.clocked_cycles(0, timing.issues[-1])
