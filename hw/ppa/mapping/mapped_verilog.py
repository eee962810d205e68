"""A mapped netlist as structural Verilog, for other tools: timing, simulation, layout."""

from __future__ import annotations

from collections.abc import Iterator

from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import ALWAYS, CONST0, CONST1, MappedNetlist

CLOCK = "clk"


def net_name(net: int) -> str:
    """Return what a net is called in the Verilog of a mapped netlist."""
    return {CONST0: "1'b0", CONST1: "1'b1"}.get(net, f"n{net}")


def mapped_verilog(netlist: MappedNetlist, technology: Technology) -> str:
    """Return a module of cell instances, called as the netlist; the clock port is `clk`.

    Gates are named `g<i>` and registers `r<i>` by their index, clock gates `c<i>`.
    """
    ports = [CLOCK] * bool(netlist.flops) + list(netlist.inputs) + list(netlist.outputs)
    lines = [f"module {netlist.name} ({', '.join(ports)});"]
    if netlist.flops:
        lines.append(f"  input {CLOCK};")
    for direction, group in (("input", netlist.inputs), ("output", netlist.outputs)):
        lines += [f"  {direction} [{len(nets) - 1}:0] {port};" for port, nets in group.items()]
    nets = sorted({net for gate in netlist.gates for net in (*gate.inputs, gate.output)}
                  | {net for flop in netlist.flops for net in (flop.data, flop.output)}
                  | {net for nets in netlist.inputs.values() for net in nets}
                  | set(netlist.clock_gates))
    lines += [f"  wire {net_name(net)};" for net in nets if net not in (CONST0, CONST1)]
    lines += [f"  assign {net_name(net)} = {port}[{bit}];"
              for port, group in netlist.inputs.items() for bit, net in enumerate(group)]
    lines += _clocking(netlist, technology)
    lines += _gates(netlist, technology)
    lines += [f"  assign {port}[{bit}] = {net_name(net)};"
              for port, group in netlist.outputs.items() for bit, net in enumerate(group)]
    return "\n".join([*lines, "endmodule", ""])


def _clocking(netlist: MappedNetlist, technology: Technology) -> Iterator[str]:
    gate, flop = technology.clock_gate, technology.flop
    for index, enable in enumerate(netlist.clock_gates):
        assert gate is not None
        ties = dict.fromkeys(gate.tie_low, "1'b0")
        domain = netlist.gate_domains[index] if netlist.gate_domains else ALWAYS
        yield f"  wire clk{index};"
        yield _instance(gate.name, f"c{index}", {gate.enable.name: net_name(enable),
                                                 gate.clock.name: _clock(domain), **ties,
                                                 gate.output: f"clk{index}"})
    ties = {pin: f"1'b{level}" for pin, level in flop.tied}
    for index, (data, output, domain) in enumerate(netlist.flops):
        yield _instance(flop.name, f"r{index}", {
            flop.data.name: net_name(data), flop.output: net_name(output), **ties,
            flop.clock.name: _clock(domain)})


def _clock(domain: int) -> str:
    return CLOCK if domain == ALWAYS else f"clk{domain}"


def _gates(netlist: MappedNetlist, technology: Technology) -> Iterator[str]:
    """Write every gate; the parts of a cell with several outputs become one instance again."""
    open_parts: dict[tuple[str, tuple[int, ...]], dict[str, tuple[int, int]]] = {}
    for index, (name, inputs, output) in enumerate(netlist.gates):
        cell = technology.cells[name]
        pins = {pin.name: net_name(net) for pin, net in zip(cell.inputs, inputs, strict=True)}
        if not cell.part_of:
            yield _instance(name, f"g{index}", pins | {cell.output: net_name(output)})
            continue
        parts = open_parts.setdefault((cell.part_of, inputs), {})
        if not parts:
            parts[cell.output] = index, output
            continue
        assert cell.output not in parts, "equal cells are merged before"
        (other, (first, driven)), = parts.items()
        yield _instance(cell.part_of, f"g{min(first, index)}", pins | {
            other: net_name(driven), cell.output: net_name(output)})
        parts.clear()


def _instance(cell: str, name: str, pins: dict[str, str]) -> str:
    return f"  {cell} {name} ({', '.join(f'.{pin}({net})' for pin, net in pins.items())});"
