"""Cells of a Yosys netlist: which are allowed, and which are logic bit by bit.

The semantics are those of Yosys's internal cell library (its manual, "Internal cell library").
Directions are ours, not the file's: an allowed cell drives `Y`, and `X` or `CO` if it is an adder.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hw.multipliers.importing import truth
from hw.multipliers.importing.circuit import MAX_NODES, Circuit, Node, Port
from hw.multipliers.importing.source import shown

MAX_CELL_BITS = 1024
GATES_PER_BIT = 8  # of an adder, with the look-ahead of its carries
CONSTANTS = {"0": 0, "1": 1}
UNKNOWN = ("x", "z")
OUTPUTS = frozenset({"Y", "X", "CO"})

# Simple cells: inputs in the order of the truth table, and the table.
SIMPLE: dict[str, tuple[str, int]] = {
    "$_BUF_": ("A", truth.BUFFER), "$_NOT_": ("A", truth.NOT),
    "$_AND_": ("AB", truth.AND), "$_OR_": ("AB", truth.OR), "$_XOR_": ("AB", truth.XOR),
    "$_NAND_": ("AB", truth.NAND), "$_NOR_": ("AB", truth.NOR), "$_XNOR_": ("AB", truth.XNOR),
    "$_ANDNOT_": ("AB", truth.ANDNOT), "$_ORNOT_": ("AB", truth.ORNOT),
    "$_MUX_": ("ABS", truth.MUX), "$_NMUX_": ("ABS", truth.MUX ^ 0xFF),
    "$_AOI3_": ("ABC", 0b0000_0111), "$_OAI3_": ("ABC", 0b0001_1111),
    "$_AOI4_": ("ABCD", 0b0000_0111_0111_0111), "$_OAI4_": ("ABCD", 0b0001_0001_0001_1111),
}
# Word cells that act on each bit alone; operands are extended to the width of the result.
BITWISE: dict[str, tuple[str, int]] = {
    "$buf": ("A", truth.BUFFER), "$pos": ("A", truth.BUFFER), "$not": ("A", truth.NOT),
    "$and": ("AB", truth.AND), "$or": ("AB", truth.OR), "$xor": ("AB", truth.XOR),
    "$xnor": ("AB", truth.XNOR), "$mux": ("AB", truth.MUX),
}
# Word cells with one bit of result from all bits of A.
REDUCING = {"$reduce_and": (all, False), "$reduce_or": (any, False), "$reduce_bool": (any, False),
            "$logic_not": (any, True), "$reduce_xor": (lambda bits: sum(bits) % 2 == 1, False),
            "$reduce_xnor": (lambda bits: sum(bits) % 2 == 1, True)}
MAX_REDUCED = 10
# Word cells for Yosys to map. Division is not among them: it has no value for a divisor of 0.
ARITHMETIC = frozenset((
    "$neg", "$logic_and", "$logic_or", "$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx",
    "$lt", "$le", "$eq", "$ne", "$eqx", "$nex", "$ge", "$gt", "$add", "$sub", "$mul", "$pmux",
    "$bmux", "$demux", "$lut", "$alu", "$macc", "$macc_v2", "$fa", "$lcu"))
NOTES = frozenset({"$scopeinfo"})  # debugging information, no hardware
ALLOWED = frozenset((*SIMPLE, *BITWISE, *REDUCING, *ARITHMETIC))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A checked cell.

    Parameters
    ----------
    type : str
        Of an allowed cell, or a module of the file.
    parameters : mapping of str to int
    connections : mapping of str to tuple of str
        Bits by port, least significant first: net numbers, `0` or `1`.
    line : int, optional
        Where the file describes it.
    """

    type: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    connections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    line: int | None = None


class CellError(ValueError):
    """A cell is not allowed; `line` is where the file describes it, if known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def bits_of(value: Any, what: str, line: int | None = None) -> tuple[str, ...]:
    """Return the bits of a port or connection as text; CellError for anything else."""
    if not isinstance(value, list) or len(value) > MAX_CELL_BITS:
        raise CellError(f"{what} must be a list of at most {MAX_CELL_BITS} bits", line)
    for bit in value:
        if bit in UNKNOWN:
            raise CellError(f"{what} must not be {bit} (no value, or an index out of range)", line)
        if bit not in CONSTANTS and not (type(bit) is int and 2 <= bit < 1 << 31):
            raise CellError(f"{what} must be net numbers, 0 or 1, not {shown(bit)}", line)
    return tuple(map(str, value))


def ports_of(module: Mapping[str, Any]) -> tuple[list[Port], list[Port]]:
    """Return (inputs, outputs) of a module in the order of the file."""
    ports = module.get("ports", {})
    inputs: list[Port] = []
    outputs: list[Port] = []
    if not isinstance(ports, dict):
        raise CellError("module ports must be an object")
    for name, port in ports.items():
        if not isinstance(port, dict) or port.get("direction") not in ("input", "output"):
            raise CellError(f"port {shown(name)} must be an input or an output")
        nets = bits_of(port.get("bits"), f"port {shown(name)}")
        checked = Port(name=name, nets=nets, signed=port.get("signed") == 1)
        (inputs if port["direction"] == "input" else outputs).append(checked)
    return inputs, outputs


def checked_cells(module: Mapping[str, Any], modules: Container[str] = ()) -> list[Cell]:
    """Return the cells of a module.

    modules : names of modules that may stand as a cell.

    Raises
    ------
    CellError
        A cell is not allowed, or is malformed.
    """
    cells = module.get("cells", {})
    if not isinstance(cells, dict) or len(cells) > MAX_NODES:
        raise CellError(f"module cells must be an object of at most {MAX_NODES}")
    return [checked for cell in cells.values()
            if (checked := _checked(cell, modules)).type not in NOTES]


def _checked(cell: Any, modules: Container[str]) -> Cell:
    """Return one cell."""
    if not isinstance(cell, dict) or not isinstance(cell.get("type"), str):
        raise CellError("cell must be an object with a type")
    kind, line = cell["type"], _line(cell)
    if kind in NOTES:
        return Cell(type=kind)
    inside = kind in modules
    if not inside and kind not in ALLOWED:
        raise CellError(_refusal(kind), line)
    connections = cell.get("connections")
    if not isinstance(connections, dict):
        raise CellError(f"cell {shown(kind)} must have connections", line)
    wires = {name: bits_of(bits, f"port {shown(name)} of cell {shown(kind)}", line)
             for name, bits in connections.items()}
    parameters = {} if inside else _parameters(cell.get("parameters", {}), kind, line)
    expected = SIMPLE[kind][0] if kind in SIMPLE else "" if inside else "A" * (kind != "$lcu")
    for port in (*expected, *("Y" if expected else "")):
        if port not in wires or (kind in SIMPLE and len(wires[port]) != 1):
            raise CellError(f"cell {shown(kind)} must have port {port}"
                            + (" of one bit" if kind in SIMPLE else ""), line)
    if kind == "$shiftx" and 1 << min(len(wires.get("B", ())), 40) > len(wires["A"]):
        raise CellError("index must fit its vector: an index out of range has no value", line)
    return Cell(type=kind, parameters=parameters, connections=wires, line=line)


def _line(cell: Mapping[str, Any]) -> int | None:
    """Return the line of the `src` attribute, `circuit.v:6.26-6.33`."""
    attributes = cell.get("attributes")
    src = attributes.get("src") if isinstance(attributes, dict) else None
    if not isinstance(src, str):
        return None
    number = src.partition("|")[0].rpartition(":")[2].partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 9 else None


def _refusal(kind: str) -> str:
    lower = kind.lower()
    if "latch" in lower:
        return (f"circuit must be combinational, not hold a latch ({shown(kind)}: a signal is not "
                "assigned in every case)")
    if "dff" in lower or "mem" in lower or lower in ("$sr", "$ff", "$_ff_"):
        return f"circuit must be combinational, not hold a register or memory ({shown(kind)})"
    if lower in ("$div", "$mod", "$divfloor", "$modfloor", "$pow"):
        return f"{lower[1:]} must be of constants: it has no value for a divisor of 0"
    return f"cell {shown(kind)} must be combinational logic that Yosys defines, or a module here"


def _parameters(parameters: Any, kind: str, line: int | None) -> dict[str, int]:
    """Return the parameters of an allowed cell as integers."""
    if not isinstance(parameters, dict):
        raise CellError(f"cell {shown(kind)} must have parameters as an object", line)
    values = {}
    for name, value in parameters.items():
        if isinstance(value, str) and 0 < len(value) <= 1 << truth.MAX_INPUTS \
                and not set(value) - set("01"):
            values[name] = int(value, 2)
        elif type(value) is int and 0 <= value < 1 << 31:
            values[name] = value
        else:
            raise CellError(f"parameter {shown(name)} of cell {shown(kind)} must be a number, "
                            f"not {shown(value)}", line)
        if name.endswith("WIDTH") and values[name] > MAX_CELL_BITS:
            raise CellError(f"cell {shown(kind)} must have at most {MAX_CELL_BITS} bits, "
                            f"not {values[name]}", line)
    return values


def is_logic(cell: Cell) -> bool:
    """Whether a cell is read here, gate for gate, rather than mapped by Yosys."""
    width = len(cell.connections.get("A", ()))
    return cell.type in SIMPLE or cell.type in BITWISE \
        or (cell.type in REDUCING and width <= MAX_REDUCED)


def gates_of(cell: Cell) -> int:
    """Return about how many two-input gates Yosys makes of an allowed cell, to bound its work."""
    a, b, select, result = (len(cell.connections.get(port, ())) for port in ("A", "B", "S", "Y"))
    match cell.type:
        case "$mul":
            return GATES_PER_BIT * a * b
        case "$macc" | "$macc_v2":
            return GATES_PER_BIT * a * max(a, b, result)
        case "$shl" | "$shr" | "$sshl" | "$sshr" | "$shift" | "$shiftx":
            return GATES_PER_BIT * max(a, result) * (1 + min(b, a.bit_length() + 1))
        case "$pmux":
            return GATES_PER_BIT * result * (1 + select)
        case "$bmux" | "$demux":
            return GATES_PER_BIT * max(a, result) * (1 + select)
        case "$lut":
            return GATES_PER_BIT << a
        case _:
            return GATES_PER_BIT * max(a, b, result)


def circuit_of(module: Mapping[str, Any], cells: Sequence[Cell]) -> Circuit:
    """Return the circuit of a module whose cells are all logic."""
    inputs, outputs = ports_of(module)
    nodes = {name: Node(table=value) for name, value in CONSTANTS.items()}
    held = {net for port in inputs for net in port.nets}
    for cell in cells:
        for net, node in _nodes(cell):
            if net in nodes or net in held:
                raise CellError("net must have one driver, not several", cell.line)
            nodes[net] = node
    return Circuit(inputs=tuple(inputs), outputs=tuple(outputs), nodes=nodes,
                   names=_names(module))


def check_drivers(module: Mapping[str, Any], cells: Sequence[Cell]) -> None:
    """Raise CellError unless every net in use has exactly one driver."""
    inputs, outputs = ports_of(module)
    driven = {*CONSTANTS, *(net for port in inputs for net in port.nets)}
    for cell in cells:
        for port, nets in cell.connections.items():
            if port in OUTPUTS:
                if any(net in driven for net in nets) or len(set(nets)) != len(nets):
                    raise CellError("net must have one driver, not several", cell.line)
                driven.update(nets)
    names = _names(module)
    used = [(net, cell.line) for cell in cells for port, nets in cell.connections.items()
            if port not in OUTPUTS for net in nets]
    used += [(net, None) for port in outputs for net in port.nets]
    for net, line in used:
        if net not in driven:
            raise CellError(f"net {shown(names.get(net, net))} must have a driver", line)


def _names(module: Mapping[str, Any]) -> dict[str, str]:
    """Return what the file calls each net, `name[bit]`; visible names come first."""
    named = module.get("netnames", {})
    names: dict[str, str] = {}
    if not isinstance(named, dict):
        return names
    wires = [(name, wire) for name, wire in named.items() if isinstance(wire, dict)
             and isinstance(wire.get("bits"), list)]
    for name, wire in sorted(wires, key=lambda item: item[1].get("hide_name") != 0):
        bits = wire["bits"]
        for position, bit in enumerate(bits):
            names.setdefault(str(bit), f"{name}[{position}]" if len(bits) > 1 else name)
    return names


def _nodes(cell: Cell) -> Iterator[tuple[str, Node]]:
    """Yield (net, node) of each bit that a logic cell drives."""
    wires = cell.connections
    if cell.type in SIMPLE:
        ports, table = SIMPLE[cell.type]
        yield wires["Y"][0], Node(table=table, inputs=tuple(wires[port][0] for port in ports))
    elif cell.type in REDUCING:
        function, inverted = REDUCING[cell.type]
        width = len(wires["A"])
        table = sum(1 << pattern for pattern in range(1 << width)
                    if function([pattern >> bit & 1 for bit in range(width)]) != inverted)
        result, *rest = wires["Y"]
        yield result, Node(table=table, inputs=wires["A"])
        yield from ((net, Node(table=0)) for net in rest)
    else:
        ports, table = BITWISE[cell.type]
        width = len(wires["Y"])
        columns = [_extended(cell, port, width) for port in ports]
        if cell.type == "$mux":
            columns.append(_repeated(cell, "S", width))
        for net, *inputs in zip(wires["Y"], *columns, strict=True):
            yield net, Node(table=table, inputs=tuple(inputs))


def _extended(cell: Cell, port: str, width: int) -> tuple[str, ...]:
    """Return the bits of an operand, extended or cut to `width`."""
    bits = cell.connections.get(port, ())
    signed = cell.parameters.get(f"{port}_SIGNED", 0) == 1
    if not bits:
        raise CellError(f"cell {cell.type} must have port {port}", cell.line)
    return (bits + (bits[-1] if signed else "0",) * width)[:width]


def _repeated(cell: Cell, port: str, width: int) -> tuple[str, ...]:
    bits = cell.connections.get(port, ())
    if len(bits) != 1:
        raise CellError(f"cell {cell.type} must have port {port} of one bit", cell.line)
    return bits * width
