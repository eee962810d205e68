"""Toggles of every net of a mapped PE: our simulation against Verilator, without delays."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.energy.activity import Simulator, pack_lanes
from hw.ppa.energy.pe_circuits import circuits
from hw.ppa.library.verilog_models import cell_models
from hw.ppa.mapping.mapped import FIRST_NET
from hw.ppa.mapping.mapped_verilog import mapped_verilog, net_name
from sim.machine.verilator import compile_model

HARNESS = Path(__file__).parent / "toggles.cpp"
CYCLES, SEED = 400, 11


def bench(netlist, technology, output):
    """Return Verilog with all input ports side by side as `in`, one output as `out`, all nets."""
    places, offset = [], 0
    for port, nets in netlist.inputs.items():
        places.append(f".{port}(in[{offset + len(nets) - 1}:{offset}])")
        offset += len(nets)
    ports = (f"input clk, input [{offset - 1}:0] in, "
             f"output [{len(netlist.outputs[output]) - 1}:0] out, "
             f"output [{netlist.net_count - 1}:0] nets")
    nets = "".join(f"  assign nets[{net}] = dut.{net_name(net)};\n"
                   for net in range(FIRST_NET, netlist.net_count))
    text = (f"module bench({ports});\n  {netlist.name} dut(.clk(clk), {', '.join(places)}, "
            f".{output}(out));\n{nets}  assign nets[1:0] = 2'b10;\nendmodule\n")
    return cell_models(technology) + mapped_verilog(netlist, technology) + text, offset


def verilated(netlist, technology, output, stimulus, folder):
    """Return toggles of every net and the output in every cycle, as Verilator has them."""
    text, width = bench(netlist, technology, output)
    source = folder / "bench.v"
    source.write_text(text)
    program = compile_model([source], HARNESS, top="bench", verilate=("--x-initial", "0"),
                            level="-O0")
    words = -(-width // 32)
    lines = [str(words)]
    for cycle in stimulus:
        value, offset = 0, 0
        for port, nets in netlist.inputs.items():
            value |= int(cycle[port]) << offset
            offset += len(nets)
        lines.append(" ".join(f"{value >> 32 * word & 0xFFFFFFFF:x}" for word in range(words)))
    found = subprocess.run([program], input="\n".join(lines), text=True, capture_output=True,
                           check=True).stdout.split()
    outputs = [int(value, 16) for value in found[-len(stimulus):]]
    return np.array(found[:netlist.net_count], int), outputs


def simulated(simulator, output, stimulus):
    """Return the same by `hw.ppa.energy.activity`, in lane 0."""
    netlist = simulator.netlist
    nets = simulator.reset(1)
    simulator.apply(nets, {port: pack_lanes(np.zeros(64, np.int64), len(planes))
                           for port, planes in netlist.inputs.items()})
    toggles, outputs, before = np.zeros(netlist.net_count, int), [], None
    for cycle in stimulus:
        simulator.clock_edge(nets)
        simulator.apply(nets, {port: pack_lanes(np.full(64, cycle[port]), len(planes))
                               for port, planes in netlist.inputs.items()})
        if before is not None:
            toggles += ((nets[:, 0] ^ before) & np.uint64(1)).astype(int)
        before = nets[:, 0].copy()
        outputs.append(int(simulator.output(nets, output)[0]))
    return toggles, outputs


def stimulus_of(netlist, seed=SEED):
    random = np.random.default_rng(seed)
    return [{port: int(random.integers(0, 1 << len(nets))) for port, nets in netlist.inputs.items()}
            for _ in range(CYCLES)]


@pytest.mark.parametrize("name", ["mul8u_drum_k4", "mul8u_trunc_c8"])
def test_every_net_of_a_pe_toggles_as_often_in_verilator(name, tmp_path):
    """Weights are loaded, taken over and held at random, so clock gates open and close."""
    pe = load_pe(get(name))
    stimulus = stimulus_of(pe.netlist)
    expected = verilated(pe.netlist, pe.technology, "psum_out", stimulus, tmp_path)
    toggles, outputs = simulated(circuits(pe).whole.simulator, "psum_out", stimulus)
    assert toggles.tolist() == expected[0].tolist()
    assert outputs == expected[1]
    assert (toggles[FIRST_NET:] > 0).mean() > 0.95
    assert toggles[:FIRST_NET].tolist() == [0, 0]


def test_a_wrong_gate_is_noticed(tmp_path):
    pe = load_pe(get("mul8u_trunc_c8"))
    index, gate = next((index, gate) for index, gate in enumerate(pe.netlist.gates)
                       if gate.cell == "XOR2xp5_ASAP7_75t_R")
    wrong = pe.netlist.with_gate(index, gate._replace(cell="NAND2xp5_ASAP7_75t_R"))
    stimulus = stimulus_of(pe.netlist)
    expected, _ = verilated(pe.netlist, pe.technology, "psum_out", stimulus, tmp_path)
    toggles, _ = simulated(Simulator(wrong, pe.technology), "psum_out", stimulus)
    assert toggles.tolist() != expected.tolist()
