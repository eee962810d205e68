"""A network as a design runs it: on the tables of its arrays, with the design's constants."""

from __future__ import annotations

from hw.common.errors import unknown_name
from hw.machine.design import Design
from sim.compensation.correction import Correction
from sim.network.quant_network import QuantNetwork
from sim.tables import Table, pe_table


def designed(network: QuantNetwork, design: Design) -> tuple[QuantNetwork, dict[str, Table]]:
    """Return the network with a design's constants, and the product table of each mapped layer.

    Raises InputError where the design names other layers, or its constants do not fit them.
    """
    layers = {layer.name: layer for layer in network.layers}
    for name in design.mapping:
        if name not in layers:
            raise unknown_name("layer", name, layers)
    changed = {name: Correction.from_dict(constants).apply(layers[name])
               for name, constants in design.constants.items()}
    return network.with_layers(changed).with_rows(design.bank.rows), {
        name: pe_table(design.multiplier_of(name), design.bank.rows) for name in design.mapping}
