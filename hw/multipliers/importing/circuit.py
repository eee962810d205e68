"""What every circuit format is read into: ports and functions of named nets.

Nodes may come in any order; `to_netlist` sorts them, drops what the product does not need and
refuses loops and nets without a driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hw.multipliers.importing import truth
from hw.multipliers.importing.source import shown
from hw.netlist import CONST0, CONST1, Netlist, NetlistBuilder

MAX_NODES = 200_000
MAX_WIDTH, MAX_PRODUCT = 16, 32
# Gates times operand pairs that are evaluated: 65,536 gates of 8x8, 4,096 of 10x10; half a GiB.
MAX_EVALUATED, MAX_TABLE_BITS, SAMPLE = 1 << 32, 20, 1 << 16


@dataclass(frozen=True, kw_only=True)
class Node:
    """One function of nets.

    Parameters
    ----------
    table : int
        Truth table, as in `hw.multipliers.importing.truth`.
    inputs : tuple of str
        Input 0 first.
    """

    table: int
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of one or more bits.

    Parameters
    ----------
    name : str
    nets : tuple of str
        Least significant bit first.
    signed : bool
        The file declares it signed.
    """

    name: str
    nets: tuple[str, ...]
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A combinational circuit as its file describes it.

    Parameters
    ----------
    inputs, outputs : tuple of Port
        In the order of the file.
    nodes : mapping of str to Node
        By the net that each drives.
    names : mapping of str to str, optional
        What nets are called in the file; None where they have the names of the file.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: Mapping[str, Node]
    names: Mapping[str, str] | None = None

    def name_of(self, net: str) -> str:
        """Return what the user calls a net, as a short printable word."""
        if self.names is None:
            return f"net {shown(net)}"
        return f"net {shown(self.names[net])}" if net in self.names else "an unnamed net"


def to_netlist(circuit: Circuit, first: Port, second: Port, product: Port) -> Netlist:
    """Return the unsigned netlist with `first` as act, `second` as weight.

    Raises
    ------
    ValueError
        A width is out of range, a net has no driver, nets form a loop, or there are too many.
    """
    for port in (first, second):
        if not 1 <= len(port.nets) <= MAX_WIDTH:
            raise ValueError(f"operand {shown(port.name)} must have 1 to {MAX_WIDTH} bits, "
                             f"not {len(port.nets)}")
    if not 1 <= len(product.nets) <= MAX_PRODUCT:
        raise ValueError(f"product {shown(product.name)} must have 1 to {MAX_PRODUCT} bits, "
                         f"not {len(product.nets)}")
    if len(circuit.nodes) > MAX_NODES:
        raise ValueError(f"circuit must have at most {MAX_NODES} nodes, not {len(circuit.nodes)}")
    builder = NetlistBuilder(act_width=len(first.nets), weight_width=len(second.nets))
    built = dict(zip((*first.nets, *second.nets), (*builder.act, *builder.weight), strict=True))
    operand_bits = len(first.nets) + len(second.nets)
    pairs = 1 << operand_bits if operand_bits <= MAX_TABLE_BITS else SAMPLE
    for net in _sorted(circuit, product.nets, built):
        if builder.gate_count * pairs > MAX_EVALUATED:
            raise ValueError(f"circuit of {len(first.nets)}x{len(second.nets)} bits must have at "
                             f"most {MAX_EVALUATED // pairs:,} gates")
        node = circuit.nodes[net]
        if node.inputs:
            built[net] = truth.gates(builder, node.table, [built[item] for item in node.inputs])
        else:
            built[net] = CONST1 if node.table & 1 else CONST0
    return builder.build([built[net] for net in product.nets])


def _sorted(circuit: Circuit, roots: Iterable[str], inputs: Iterable[str]) -> list[str]:
    """Return the nets of the nodes that `roots` need, every one after its inputs."""
    done = set(inputs)
    order: list[str] = []
    for root in roots:
        path: dict[str, int] = {}  # nets being visited -> inputs seen; a dict keeps the order
        if root not in done:
            path[root] = 0
        while path:
            net, seen = next(reversed(path.items()))
            node = circuit.nodes.get(net)
            if node is None:
                raise ValueError(f"{circuit.name_of(net)} must have a driver")
            if seen == len(node.inputs):
                path.popitem()
                done.add(net)
                order.append(net)
                continue
            path[net] = seen + 1
            below = node.inputs[seen]
            if below in path:
                raise ValueError("circuit must be combinational, not loop through "
                                 f"{circuit.name_of(below)}")
            if below not in done:
                path[below] = 0
    return order
