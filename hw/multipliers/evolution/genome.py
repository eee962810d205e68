"""Netlists as genomes, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.netlist import FIRST_INPUT, Netlist, NetlistBuilder, Op

OPERAND_BITS = 8
INPUTS = FIRST_INPUT + 2 * OPERAND_BITS
PRODUCT_BITS = 2 * OPERAND_BITS

Nets = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Genome:
    """A circuit as arrays over its nets; see `kernel`.

    Parameters
    ----------
    op, a, b : int32[nets]
        Operation and inputs of each node; entries below INPUTS are not used.
    outs : int32[16]
        Net of each product bit.
    """

    op: Nets
    a: Nets
    b: Nets
    outs: Nets

    @classmethod
    def of(cls, netlist: Netlist, *, spare: int = 0) -> Genome:
        """Return the genome of an 8x8 netlist, its gates spread evenly among `spare` free nodes.

        Free nodes are copies of their predecessor's gate; nobody reads them yet. Raises
        InputError for other widths.
        """
        if (netlist.act_width, netlist.weight_width) != (OPERAND_BITS, OPERAND_BITS):
            raise InputError("Seed circuit must multiply 8 by 8 bits, not "
                             f"{netlist.act_width} by {netlist.weight_width}")
        if len(netlist.outputs) > PRODUCT_BITS:
            raise InputError(f"Seed circuit must have at most {PRODUCT_BITS} outputs, not "
                             f"{len(netlist.outputs)}")
        gates = len(netlist.gates)
        nodes = max(gates + spare, 1)
        place = np.arange(INPUTS + gates)
        place[INPUTS:] = INPUTS + (np.arange(1, gates + 1) * nodes) // max(gates, 1) - 1
        op = np.full(INPUTS + nodes, int(Op.AND), np.int32)
        a = np.zeros(INPUTS + nodes, np.int32)
        b = np.zeros(INPUTS + nodes, np.int32)
        for net, gate in enumerate(netlist.gates, start=INPUTS):
            op[place[net]], a[place[net]], b[place[net]] = gate.op, place[gate.a], place[gate.b]
        outs = np.zeros(PRODUCT_BITS, np.int32)
        outs[:len(netlist.outputs)] = place[list(netlist.outputs)]
        return cls(op=op, a=a, b=b, outs=outs)

    def netlist(self, *, signed: bool = False) -> Netlist:
        """Return the circuit without dead gates; nets that are always equal become one."""
        builder = NetlistBuilder(act_width=OPERAND_BITS, weight_width=OPERAND_BITS)
        nets = list(range(INPUTS))
        for op, a, b in zip(self.op[INPUTS:].tolist(), self.a[INPUTS:].tolist(),
                            self.b[INPUTS:].tolist(), strict=True):
            nets.append(builder.gate(Op(op), nets[a], nets[b]))
        return _merged(builder.build([nets[net] for net in self.outs.tolist()], signed=signed))

    def packed(self) -> Nets:
        """Return op, a, b and outs one after another, int32[3 nets + 16]."""
        return np.concatenate([self.op, self.a, self.b, self.outs])

    @classmethod
    def unpacked(cls, packed: Nets) -> Genome:
        """Return the genome of `packed`."""
        nets = (packed.size - PRODUCT_BITS) // 3
        return cls(op=packed[:nets].copy(), a=packed[nets:2 * nets].copy(),
                   b=packed[2 * nets:3 * nets].copy(), outs=packed[3 * nets:].copy())


def _merged(netlist: Netlist) -> Netlist:
    """Return the same function with nets that agree for all operand pairs joined."""
    values = netlist.all_nets()
    builder = NetlistBuilder(act_width=netlist.act_width, weight_width=netlist.weight_width)
    known: dict[bytes, int] = {}
    nets: list[int] = []
    for net in range(netlist.net_count):
        key, inverse = values[net].tobytes(), (~values[net]).tobytes()
        if key not in known:
            if net < netlist.first_gate_net:
                known[key] = net
            elif inverse in known:
                known[key] = builder.not_(known[inverse])
            else:
                gate = netlist.gates[net - netlist.first_gate_net]
                known[key] = builder.gate(gate.op, nets[gate.a], nets[gate.b])
        nets.append(known[key])
    return builder.build([nets[net] for net in netlist.outputs], signed=netlist.signed)
