"""Work of the units of the accelerator in a program, counted layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hw.machine.accelerator import SUM_BYTES, AcceleratorConfig
from hw.machine.compiler import Program, QuantisedLayer, compile_program
from hw.machine.cycles import accelerator_cycles
from hw.machine.design import BankConfig, Design
from hw.machine.isa import Opcode
from hw.multipliers import EXACT, get


@dataclass(kw_only=True)
class LayerWork:
    """Counts of one layer, for a whole batch.

    Parameters
    ----------
    name : str
    array : int
        Of the bank, by ROUTE.
    cycles : int
        Of the accelerator, from the end of the layer before to SYNC, if the host never waits.
    clocked : int
        Those in which the clock of the array runs.
    beats : int
        Activation rows read from their buffer; one row of sums is written for each.
    accumulated_beats : int
        Those whose sums are added to what is there.
    sum_rows : int
        Rows of sums that are read out.
    requantised_rows : int
        Those that are requantised; the others leave as bytes.
    weight_rows : int
        Rows of weights through the FIFO.
    rows_in, rows_out : int
        Rows that DMA_IN writes and DMA_OUT reads.
    """

    name: str
    array: int = 0
    cycles: int = 0
    clocked: int = 0
    beats: int = 0
    accumulated_beats: int = 0
    sum_rows: int = 0
    requantised_rows: int = 0
    weight_rows: int = 0
    rows_in: int = 0
    rows_out: int = 0

    @property
    def result_rows(self) -> int:
        """Rows of bytes written to the output buffer."""
        return self.requantised_rows + SUM_BYTES * (self.sum_rows - self.requantised_rows)


def layer_work(layers: Sequence[QuantisedLayer], bank: BankConfig, *, batch: int,
               config: AcceleratorConfig | None = None) -> Sequence[LayerWork]:
    """Return the counts of layers on a bank: the same on each of its arrays.

    Errors as of `compile_program` for the exact array.
    """
    exact = exact_design(EXACT, bank, [layer.name for layer in layers])
    return work_of(compile_program(layers, exact, batch=batch, config=config))[0]


def exact_design(name: str, bank: BankConfig, layers: Iterable[str]) -> Design:
    """Return a bank of the exact array alone, with every layer on it.

    Its PEs are those of the exact array of `bank`, or of the bank's form where it has none.
    """
    flow = dict(zip(bank.arrays, bank.dataflows, strict=True)).get(EXACT, bank.dataflow)
    return Design(name=name, multipliers={EXACT: get(EXACT)}, mapping=dict.fromkeys(layers, 0),
                  bank=replace(bank, arrays=(EXACT,), form=flow.form, kinds=()))


def work_of(program: Program) -> tuple[Sequence[LayerWork], int]:
    """Return the counts of every layer, and the cycles of the program."""
    timing = accelerator_cycles(program)
    found = [LayerWork(name=name) for name in program.layers]
    position, finished = 0, 0
    for instruction, issued in zip(program.instructions, timing.issues, strict=True):
        if instruction.opcode == Opcode.HALT:
            break
        layer, beats = found[position], instruction.c
        match instruction.opcode:
            case Opcode.ROUTE:
                layer.array = instruction.a
            case Opcode.MATMUL:
                layer.beats += beats
                layer.accumulated_beats += beats * instruction.flag
            case Opcode.ACTIVATE:
                layer.sum_rows += beats
                layer.requantised_rows += beats * (1 - instruction.flag)
            case Opcode.LOAD_WEIGHTS if not instruction.flag:
                layer.weight_rows += program.bank.rows
            case Opcode.DMA_IN:
                layer.rows_in += beats
            case Opcode.DMA_OUT:
                layer.rows_out += beats
            case Opcode.SYNC:
                layer.cycles = issued - finished
                layer.clocked = timing.clocked_cycles(finished, issued)
                finished = issued
                position += 1
    return found, timing.cycles
