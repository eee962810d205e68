"""Transitions of a mapped netlist with delays, counted by Icarus Verilog."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.ppa.energy.activity import Words
from hw.ppa.energy.glitches import TimedModel
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import CONST1, MappedNetlist

SETTLE_PS = 20_000
RISE, FALL = 1, 0


def transitions(netlist: MappedNetlist, technology: Technology, timed: TimedModel, before: Words,
                after: Words, folder: Path) -> npt.NDArray[np.int64]:
    """Return the transitions of every gate's output over all lanes, int64[gates].

    timed : its delays must not depend on the edge at the input, as paths of a specify block:
    `one_delay_per_path`. before, after : as for `TimedModel.switching`.
    """
    sources = [int(net) for net in timed._source_nets]
    lanes = before.shape[1] * 64
    for name, states in (("before", before), ("after", after)):
        bits = np.unpackbits(np.ascontiguousarray(states[sources]).view(np.uint8), axis=1,
                             bitorder="little")
        np.savetxt(folder / f"{name}.txt", bits[::-1].T, fmt="%d", delimiter="")
    lines = ["`timescale 1ps/1fs", *_gates(netlist, technology, timed), "module bench;",
             f"  reg [{len(sources) - 1}:0] old [0:{lanes - 1}], fresh [0:{lanes - 1}];",
             f"  integer lane, index, count [0:{len(netlist.gates) - 1}]; reg counting = 0;",
             *(f"  reg n{net};" for net in sources),
             *(f"  wire n{gate.output};" for gate in netlist.gates)]
    for index, gate in enumerate(netlist.gates):
        nets = ", ".join(f"n{net}" if net > CONST1 else f"1'b{net}" for net in gate.inputs)
        lines += [f"  g{index} i{index}(n{gate.output}, {nets});",
                  f"  always @(n{gate.output}) if (counting) count[{index}] = count[{index}] + 1;"]
    lines += ["  initial begin", '    $readmemb("before.txt", old); $readmemb("after.txt", fresh);',
              f"    for (index = 0; index < {len(netlist.gates)}; index = index + 1)",
              "      count[index] = 0;",
              f"    for (lane = 0; lane < {lanes}; lane = lane + 1) begin", "      counting = 0;",
              *(f"      n{net} = old[lane][{bit}];" for bit, net in enumerate(sources)),
              f"      #{SETTLE_PS} counting = 1;"]
    for bit, net in enumerate(sources):
        rise, fall = timed._launch[net]
        lines += [f"      if (fresh[lane][{bit}]) n{net} <= #{rise:.3f} 1'b1;",
                  f"      else n{net} <= #{fall:.3f} 1'b0;"]
    lines += [f"      #{SETTLE_PS};", "    end",
              f"    for (index = 0; index < {len(netlist.gates)}; index = index + 1)",
              '      $display("%0d", count[index]);', "  end", "endmodule", ""]
    (folder / "bench.v").write_text("\n".join(lines))
    subprocess.run(["iverilog", "-g2012", "-gspecify", "-o", "bench.vvp", "bench.v"], cwd=folder,
                   check=True)
    printed = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True,
                             capture_output=True, text=True).stdout
    return np.array([int(count) for count in re.findall(r"^\d+$", printed, re.MULTILINE)])


def one_delay_per_path(timed: TimedModel) -> TimedModel:
    """Take the longer of two delays that differ by the edge at the input; in fs, as Verilog."""
    finite = np.where(np.isfinite(timed._delays), timed._delays, -np.inf)
    longest = finite.max(axis=2, keepdims=True)
    timed._delays = np.where(np.isfinite(longest), np.round(longest, 3), np.inf).repeat(2, axis=2)
    timed._launch = np.round(timed._launch, 3)
    return timed


def _gates(netlist: MappedNetlist, technology: Technology, timed: TimedModel) -> Iterator[str]:
    """Write a module for every gate, for each has its own delays."""
    for index, gate in enumerate(netlist.gates):
        truth, pins = technology.cells[gate.cell].truth, [f"a{p}" for p in range(len(gate.inputs))]
        ones = [" & ".join(pin if case >> position & 1 else f"~{pin}"
                           for position, pin in enumerate(pins))
                for case in range(1 << len(pins)) if truth >> case & 1]
        yield f"module g{index}(output y, input {', '.join(pins)});"
        yield f"  assign y = {' | '.join(f'({one})' for one in ones)};"
        yield "  specify"
        for position, pin in enumerate(pins):
            fall, rise = timed._delays[index, position, 0]
            yield f"    ({pin} => y) = ({rise:.3f}, {fall:.3f});"
        yield "  endspecify"
        yield "endmodule"
