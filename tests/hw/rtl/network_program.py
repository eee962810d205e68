"""A real network's layers as a program for the bank that `make verilog` writes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hw.machine.compiler import Program, compile_program
from hw.machine.design import Design
from models.data import load_digits_split
from sim.machine.host import HostLayer
from sim.network.quant_network import QuantNetwork
from tests.hw.rtl.duts import designs
from tests.programs import layers_with_rows

DUT = "square"
LAYERS = ("stem", "mix", "classifier")  # 3x3, 1x1 and linear
DIGITS = Path(__file__).parents[3] / "models" / "zoo" / "digits.onnx"


class Workload(NamedTuple):
    """A compiled part of a network, its operands and what the golden model says of it."""

    program: Program
    design: Design
    layers: dict[str, HostLayer]
    accumulators: dict[str, np.ndarray]


@cache
def workload() -> Workload:
    """Return one image's layers of the digits network, each on an array of its own."""
    network = QuantNetwork.load(DIGITS, load_digits_split("calibrate").images)
    layers = [layer for layer in network.layers if layer.name in LAYERS]
    base = designs()[DUT]
    mapping = {layer.name: index % len(base.bank.arrays) for index, layer in enumerate(layers)}
    design = Design(name=base.name, bank=base.bank, multipliers=base.multipliers, mapping=mapping)
    tables = {name: design.multiplier_of(name).table for name in mapping}
    image = load_digits_split("search").images[:1]
    rows, sums = layers_with_rows(network, image, tables), network.accumulators(image, tables)
    return Workload(program=compile_program(layers, design), design=design,
                    layers={name: rows[name] for name in mapping},
                    accumulators={name: sums[name] for name in mapping})
