"""Power, performance and area of processing elements and arrays; see `docs/ppa.md`."""

from hw.ppa.chip.array import ArrayCost, LayerEnergy, array_cost, layer_energy
from hw.ppa.chip.clock_gates import idle_array_fj
from hw.ppa.energy.operand_sample import OperandSample, draw_cycles, sample_operands
from hw.ppa.energy.pe_energies import energy_table, stream_energies
from hw.ppa.energy.stream_energy import StreamEnergy, sample_energy, stream_energy
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.stored_pes import load_pe

__all__ = ["ArrayCost", "LayerEnergy", "MappedPe", "OperandSample", "StreamEnergy", "array_cost",
           "draw_cycles", "energy_table", "idle_array_fj", "layer_energy", "load_pe",
           "sample_energy", "sample_operands", "stream_energies", "stream_energy"]
