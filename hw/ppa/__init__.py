"""Power, performance and area of processing elements and arrays; see `docs/ppa.md`."""

from hw.ppa.array import ArrayCost, LayerEnergy, array_cost, layer_energy
from hw.ppa.pe import MappedPe
from hw.ppa.store import load_pe
from hw.ppa.stream import StreamEnergy, stream_energy

__all__ = ["ArrayCost", "LayerEnergy", "MappedPe", "StreamEnergy", "array_cost", "layer_energy",
           "load_pe", "stream_energy"]
