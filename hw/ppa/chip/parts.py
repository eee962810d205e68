"""Energy of one layer by part: inside the array, around it on the chip, and off the chip."""

from __future__ import annotations

from hw.ppa.chip.levels import LevelEnergy
from hw.ppa.energy.stream_energy import StreamEnergy

MULTIPLIERS, ADDERS, REGISTERS, CLOCK = "multipliers", "adders", "registers", "clock"
LOADING, IDLE, LEAKAGE = "weight loading", "idle arrays", "leakage"
ARRAY_PARTS = (MULTIPLIERS, ADDERS, REGISTERS, CLOCK, LOADING, IDLE, LEAKAGE)
CONTROL, OUTPUT_BUFFER, DRAM = "control", "output buffer", "DRAM"  # of `chip_energy`


def layer_parts(level: LevelEnergy, stream: StreamEnergy) -> dict[str, float]:
    """Return part -> nJ per inference; `ARRAY_PARTS` make up the array, all but DRAM the chip.

    multipliers : as mapped alone, `level.multiplier_nj`. registers : data side, as in a beat of
    the middle of a tile. adders : what is left of the operand-dependent energy: partial sums, sign
    logic, glitches between multiplier and adder, converters of rows, beats in which new weights
    take over. It is a difference of two mappings, and can be slightly negative.
    """
    array = level.array
    registers_nj = stream.registers_fj * array.pe_cycles * 1e-6
    inside = {MULTIPLIERS: level.multiplier_nj,
              ADDERS: array.data_nj - registers_nj - level.multiplier_nj,
              REGISTERS: registers_nj, CLOCK: array.clock_nj, LOADING: array.weights_nj,
              IDLE: array.idle_nj, LEAKAGE: array.leakage_nj}
    _whole, *around = level.chip.on_chip
    return inside | {part.name: part.value for part in (*around, level.chip.dram)}


def half_width_nj(level: LevelEnergy, stream: StreamEnergy) -> float:
    """Return the 95 % half-width of the array's energy that sampling the operands leaves."""
    return stream.half_width_fj * level.array.pe_cycles * 1e-6
