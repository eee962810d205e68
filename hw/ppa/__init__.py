"""Power, performance and area of processing elements and arrays; see `docs/ppa.md`."""

from hw.ppa.array import ArrayCost, LayerEnergy, array_cost, layer_energy
from hw.ppa.energies import energy_table, stream_energies
from hw.ppa.operand_sample import OperandSample, draw_cycles, sample_operands
from hw.ppa.pe import MappedPe
from hw.ppa.store import load_pe
from hw.ppa.stream import StreamEnergy, sample_energy, stream_energy

__all__ = ["ArrayCost", "LayerEnergy", "MappedPe", "OperandSample", "StreamEnergy", "array_cost",
           "draw_cycles", "energy_table", "layer_energy", "load_pe", "sample_energy",
           "sample_operands", "stream_energies", "stream_energy"]
