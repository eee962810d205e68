"""Both forms of a bank, gate cells and enables, side by side: every port of every cycle."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from amaranth.hdl import Value
from amaranth.lib.wiring import In

from hw.machine.design import BankConfig, Design
from hw.machine.pe.kind import ClockGate
from hw.rtl.array.bank import MxuBank
from hw.rtl.hierarchy import port_name
from hw.rtl.verilog.emission import emit_design
from sim.machine.verilator import compile_model
from tests.hw.rtl.circuits import BROKEN_SIGNED, NIBBLE, SKEWED

HARNESS = Path(__file__).with_name("clock_gate.cpp")
ARRAYS = (NIBBLE, SKEWED, BROKEN_SIGNED)
ALWAYS_OPEN, NO_LATCH = 1, 2  # faults of the gate
RARE, OFTEN = 10, 120  # ROUTEs of 256 cycles
CYCLES = 4000


class Counts(ctypes.Structure):
    """`Counts` of the harness."""

    _fields_ = (("differing", ctypes.c_int64), ("results", ctypes.c_int64),
                ("routes", ctypes.c_int64),
                *((name, ctypes.c_int64 * len(ARRAYS)) for name in ("edges", "stray", "enabled")))


def both_forms(design):
    """Return the Verilog of both banks and of a top that compares them, by file name."""
    sources = {}
    for form in ClockGate:
        files = emit_design(design, prefix=f"{form.value}_", clock_gate=form)
        sources |= {name: text for name, text in files.items() if name.endswith(".v")}
    gate = sources["cell_clock_gate.v"]
    faulty = gate.replace("!clk", f"(!clk | both.fault == {NO_LATCH})").replace(
        "open = en", f"open = en | both.fault == {ALWAYS_OPEN}")
    assert faulty.count("both.fault") == 2
    bank = MxuBank(config=design.bank, pes=design.pes)
    ports, wires, shared, outputs = ["input clk", "input rst", "input [1:0] fault"], [], [], []
    connections = {form.value: [".clk(clk)", ".rst(rst)"] for form in ClockGate}
    for path, member, value in bank.signature.flatten(bank):
        name, width = port_name(path), len(Value.cast(value))
        bits = f"[{width - 1}:0]"
        if member.flow == In:
            short = name.replace("__", "_")
            if name == "acts__payload":
                ports += [f"input [{width - 2}:0] {short}", "input acts_first"]
                signal = f"{{acts_first, {short}}}"
            else:
                ports.append(f"input {bits} {short}")
                signal = short
            for connected in connections.values():
                connected.append(f".{name}({signal})")
        else:
            for form, connected in connections.items():
                wires.append(f"wire {bits} {form}_{name};")
                connected.append(f".{name}({form}_{name})")
            shared.append(f"cell_{name} == enable_{name}")
            outputs.append(name)
    count = len(ARRAYS)
    ports += ["output same", "output route_ready", "output results_valid",
              f"output [{count - 1}:0] enabled",
              f"output reg [31:0] edges [0:{count - 1}]",
              f"output reg [31:0] stray [0:{count - 1}]"]
    text = [f"module both({', '.join(ports)});", *wires]
    text += [f"{form}_bank {form}_form({', '.join(connected)});"
             for form, connected in connections.items()]
    text += [f"assign same = {' & '.join(shared)};",
             "assign route_ready = cell_route__ready, results_valid = cell_results__valid;"]
    for index, name in enumerate(design.bank.arrays):
        text += [f"assign enabled[{index}] = enable_form.array_{name}.en;",
                 f"always @(posedge cell_form.array_{name}.clock_gate__gated) begin",
                 f"  edges[{index}] <= edges[{index}] + 1;",
                 f"  if (cell_selected != {index}) stray[{index}] <= stray[{index}] + 1;", "end"]
    return sources | {"cell_clock_gate.v": faulty, "both.v": "\n".join([*text, "endmodule", ""])}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    names = tuple(multiplier.name for multiplier in ARRAYS)
    design = Design(name="both", multipliers=dict(zip(names, ARRAYS, strict=True)),
                    bank=BankConfig(rows=3, cols=2, arrays=names, psum_width=20))
    for name, text in both_forms(design).items():
        (folder / name).write_text(text)
    library = ctypes.CDLL(str(compile_model(
        sorted(folder.glob("*.v")), HARNESS, top="both", shared=True, level="-O0",
        verilate=("--x-initial", "unique", "-fno-inline"))))

    def run(*, fault=0, route=RARE, seed=0):
        counts = Counts()
        library.gates_run(fault, ctypes.c_int64(CYCLES), route, ctypes.c_uint64(seed),
                          ctypes.byref(counts))
        return counts

    return run


@pytest.mark.parametrize("route", [RARE, OFTEN])
@pytest.mark.parametrize("seed", range(3))
def test_every_port_of_both_forms_is_equal_in_every_cycle(simulated, route, seed):
    counts = simulated(route=route, seed=seed)
    assert counts.differing == 0
    assert counts.results > 100
    assert counts.routes > route


@pytest.mark.parametrize("route", [RARE, OFTEN])
def test_an_array_has_a_clock_edge_where_it_is_enabled_and_none_while_idle(simulated, route):
    counts = simulated(route=route)
    assert [*counts.edges] == [*counts.enabled]
    assert [*counts.stray] == [0] * len(ARRAYS)
    assert min(counts.edges) > 0
    assert sum(counts.edges) < CYCLES  # the selected one waits, too


def test_a_gate_that_stays_open_is_noticed(simulated):
    counts = simulated(fault=ALWAYS_OPEN)
    assert [*counts.edges] == [CYCLES] * len(ARRAYS)
    assert min(counts.stray) > 0
    assert counts.differing > 0  # the selected array does not wait


def test_a_gate_without_its_latch_is_noticed(simulated):
    counts = simulated(fault=NO_LATCH)
    assert [*counts.edges] != [*counts.enabled]
