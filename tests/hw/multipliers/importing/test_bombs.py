"""Small files that stand for much: refused in seconds, before Yosys is started."""

import json
import time

import pytest

from hw.common.errors import InputError
from hw.multipliers.importing import import_file

LEVELS = 30
HEAD = "module top(input [7:0] a, b, output [15:0] y);\n"


def verilog(*lines, before=""):
    return before + HEAD + "\n".join(lines) + "\nendmodule\n"


def doubling_modules():
    """Module m30 holds two of m29, which hold two of m28 each, and so on."""
    text = "module m0(input i, output o); assign o = ~i; endmodule\n"
    for level in range(1, LEVELS + 1):
        text += (f"module m{level}(input i, output o); wire t; m{level - 1} x(i, t); "
                 f"m{level - 1} z(t, o); endmodule\n")
    return verilog(f"m{LEVELS} x(a[0], y[0]);", before=text)


def doubling_wires(declared):
    widths = [f"[(1 << {level}) - 1:0]" if declared else "" for level in range(LEVELS + 1)]
    return verilog("wire a0 = a[0];", *(
        f"wire {widths[level]} a{level} = {{a{level - 1}, a{level - 1}}};"
        for level in range(1, LEVELS + 1)), f"assign y = a{LEVELS};")


def doubling_parameters():
    return verilog("parameter P0 = 2;", *(f"localparam P{level} = P{level - 1} * P{level - 1};"
                                          for level in range(1, 6)),
                   "wire [P4 * 20000:0] w;", "assign y = w;")


def doubling_blif(leaf=""):
    text = ".model top\n.inputs a0 a1 b0 b1\n.outputs o\n.subckt m30 i=a0 o=o\n.end\n"
    for level in range(LEVELS, 0, -1):
        text += (f".model m{level}\n.inputs i\n.outputs o\n.subckt m{level - 1} i=i o=t\n"
                 f".subckt m{level - 1} i=t o=o\n.end\n")
    return f"{text}.model m0\n.inputs i\n.outputs o\n{leaf}.end\n"


def module(inputs, outputs, *cells):
    ports = {name: {"direction": "input", "bits": bits} for name, bits in inputs.items()}
    ports |= {name: {"direction": "output", "bits": bits} for name, bits in outputs.items()}
    return {"ports": ports, "cells": {f"c{number}": {"type": kind, "connections": connections}
                                      for number, (kind, connections) in enumerate(cells)}}


def doubling_json():
    modules = {"m0": module({"i": [2]}, {"o": [3]}, ("$_NOT_", {"A": [2], "Y": [3]})),
               "top": module({"a": [2], "b": [3]}, {"y": [4]}, ("m30", {"i": [2], "o": [4]}))}
    for level in range(1, LEVELS + 1):
        below = f"m{level - 1}"
        modules[f"m{level}"] = module({"i": [2]}, {"o": [3]}, (below, {"i": [2], "o": [4]}),
                                      (below, {"i": [4], "o": [3]}))
    return json.dumps({"modules": modules})


def wide_products():
    bits = list(range(2, 10)) * 128
    return json.dumps({"modules": {"top": module(
        {"a": [2, 3, 4, 5], "b": [6, 7, 8, 9]}, {"y": list(range(100, 108))},
        *(("$mul", {"A": bits, "B": bits, "Y": list(range(first, first + 1024))})
          for first in range(100, 20_000, 1024)))}})


def cubes():
    names = " ".join([*(f"a{bit}" for bit in range(8)), *(f"b{bit}" for bit in range(8))])
    blocks = [f".names {names} w{number}\n" + "".join(
        f"{number * 7919 * cube * cube * 31 % 65536:016b} 1\n" for cube in range(1, 41))
        for number in range(1000)]
    return (f".model top\n.inputs {names}\n.outputs o\n{''.join(blocks)}.names w0 x0 o\n11 0\n"
            + "".join(f".names w{number} x{number} x{number - 1}\n10 1\n01 1\n"
                      for number in range(1, 999)) + ".names w999 x998\n1 1\n")


LOOP = "for ({0} = 0; {0} < 60000; {0} = {0} + 1) begin : b{0}"
BOMBS = {
    "modules.v": (doubling_modules(), "circuit must take at most 300,000 bits of signals"),
    "wires.v": (doubling_wires(declared=True), "circuit must take at most 300,000 bits of"),
    "parameters.v": (doubling_parameters(), "vectors, replications and loops must be smaller"),
    "loops.v": (verilog("genvar i, j;", "generate", LOOP.format("i"), LOOP.format("j"),
                        "wire w; assign w = a[0];", "end", "end", "endgenerate"),
                "circuit must take|vectors, replications"),
    "instances.v": (verilog("m x [60000:0] (a[0], y[0]);", before="module n(input i, output o); "
                            "assign o = i; endmodule module m(input i, output o); "
                            "n z [60000:0] (i, o); endmodule\n"), "circuit must take at most"),
    "recursion.v": (verilog("m #(40) x(a[0], y[0]);", before="module m #(parameter N = 1)"
                            "(input i, output o); generate if (N > 0) begin m #(N - 1) x(i, o); "
                            "m #(N - 1) z(i, o); end endgenerate endmodule\n"),
                    "module m must not contain itself"),
    "replication.v": (verilog("assign y = {65535{{65535{a}}}};"), "vectors, replications and"),
    "number.v": (verilog("assign y = {1000000000{a}};"), "number without a width must be at most"),
    "memory.v": (verilog("reg [60000:0] m [0:60000];"), "circuit must take at most"),
    "products.v": (verilog(*(f"wire [1023:0] p{n} = {{128{{a}}}} * {{128{{b}}}};"
                             for n in range(9)), "assign y = p0;"), "circuit must take at most"),
    "long.v": (verilog("assign y = a" + " + b" * 600_000 + ";"), "must have at most 500,000 words"),
    "quotes.v": ('"' * 4_000_000, "must have at most 500,000 words"),
    "parentheses.v": (verilog("assign y = " + "(" * 50_000 + "a" + ")" * 50_000 + ";"), "must be"),
    "modules.blif": (doubling_blif(), "circuit must have at most 200000 nodes and instances"),
    "nodes.blif": (doubling_blif(".names i o\n0 1\n"), "circuit must have at most 200000 nodes"),
    "cubes.blif": (cubes(), "circuit of 8x8 bits must have at most 65,536 gates"),
    "modules.json": (doubling_json(), "circuit must map to at most 300,000 gates"),
    "products.json": (wide_products(), "circuit must map to at most 300,000 gates"),
    "deep.json": ('{"modules":' * 500_000, "not valid JSON"),
    "lines.csv": ("1,2,3\n" * 1_000_000, "table must have at most 65536 lines"),
    "columns.csv": ("1," * 3_000_000, "."),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_in_seconds_without_yosys(tmp_path, monkeypatch, name):
    if name.endswith(".v"):
        pytest.importorskip("pyslang", reason="needs the extra `synthesis`")
    monkeypatch.setattr("hw.multipliers.importing.verilog.yosys.prepare",
                        lambda: pytest.fail("Yosys"))
    text, message = BOMBS[name]
    path = tmp_path / name
    path.write_text(text)
    begun = time.monotonic()
    with pytest.raises(InputError, match=message) as refused:
        import_file(path, name="x")
    assert time.monotonic() - begun < 10  # five, and a busy machine
    assert str(refused.value).startswith(str(path))
    assert len(str(refused.value)) < 250 + len(str(path))
    assert "\n" not in str(refused.value)
