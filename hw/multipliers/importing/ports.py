"""Which ports are the operands and which is the product.

Formats without vectors write one port per bit: `a0 a1 ...`, `a[0] a[1] ...`, `a_0`, `a<0>`.
Those are joined where the bits of a name are all there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hw.multipliers.importing.circuit import Circuit, Port
from hw.multipliers.importing.source import shown

OWN_NAMES = ("act", "weight")
BIT = re.compile(r"(?P<stem>.+?)(?:[\[(<_]|(?<=[^\d_]))(?P<index>\d{1,4})[\])>]?")


def choose(circuit: Circuit, operands: Sequence[str] | None) -> tuple[Port, Port, Port]:
    """Return (first operand, second operand, product).

    operands : names of the two operands, first one first; None for the order of the file, unless
    the names are `act` and `weight`, as in this project's own Verilog.

    Raises
    ------
    ValueError
        The circuit does not have two operands and one product, or lacks those named.
    """
    inputs = circuit.inputs if len(circuit.inputs) == 2 else joined(circuit.inputs)
    outputs = circuit.outputs if len(circuit.outputs) == 1 else joined(circuit.outputs)
    if len(outputs) != 1:
        raise ValueError(f"circuit must have one product, not {len(outputs)} outputs"
                         f"{_named(outputs)}")
    if operands is None and sorted(port.name for port in inputs) == list(OWN_NAMES):
        operands = OWN_NAMES
    if operands is not None:
        inputs = _named_operands(inputs, operands)
    if len(inputs) != 2:
        raise ValueError(f"circuit must have two operands, not {len(inputs)} inputs"
                         f"{_named(inputs)} (--operands can name them)")
    return inputs[0], inputs[1], outputs[0]


def joined(ports: Sequence[Port]) -> tuple[Port, ...]:
    """Return the ports with the bits of each name as one port, in the order of first bits."""
    groups: dict[str, dict[int, Port]] = {}
    for port in ports:
        match = BIT.fullmatch(port.name) if len(port.nets) == 1 else None
        if match is None:
            groups[port.name] = {-1: port}
        else:
            groups.setdefault(match["stem"], {})[int(match["index"])] = port
    result: list[Port] = []
    for stem, bits in groups.items():
        indices = sorted(bits)
        whole = indices in (list(range(len(bits))), list(range(1, len(bits) + 1)))
        if whole and len(bits) > 1:
            result.append(Port(name=stem, nets=tuple(bits[index].nets[0] for index in indices)))
        else:
            result.extend(bits.values())
    if sum(len(port.nets) for port in result) != sum(len(port.nets) for port in ports):
        return tuple(ports)  # two spellings of one bit (a0 and a[0]) are left apart
    return tuple(result)


def _named_operands(inputs: Sequence[Port], operands: Sequence[str]) -> tuple[Port, ...]:
    by_name = {port.name: port for port in inputs}
    for name in operands:
        if name not in by_name:
            raise ValueError(f"operand must be one of {', '.join(map(shown, by_name))}, "
                             f"not {shown(name)}")
    if len(operands) != 2 or operands[0] == operands[1]:
        raise ValueError(f"operands must be two inputs, not {shown(','.join(operands))}")
    return tuple(by_name[name] for name in operands)


def _named(ports: Sequence[Port]) -> str:
    """Return the first names for a message."""
    if not ports:
        return ""
    names = ", ".join(shown(port.name) for port in ports[:6])
    return f": {names}" + (", ..." if len(ports) > 6 else "")
