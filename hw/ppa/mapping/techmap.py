"""Verilog maps by which Yosys puts cells in place of registers with an enable and of adders."""

from __future__ import annotations

from collections.abc import Sequence

from hw.ppa.library.cells import ClockGate, FullAdder
from hw.ppa.library.technology import Technology

# One gate for each register; equal ones are merged afterwards.
CLOCK_GATE = r"""
(* techmap_celltype = "$_DFFE_PP_" *)
module _80_gated (input D, input C, input E, output Q);
  wire gated;
  {name} _TECHMAP_REPLACE_.gate (.{enable}(E), .{clock}(C), {ties}.{output}(gated));
  \$_DFF_P_ register (.D(D), .C(gated), .Q(Q));
endmodule
"""

# The gate at the root of an array, a module of its own in the Verilog.
ROOT_GATE = """
(* techmap_celltype = "{modules}" *)
module _80_root (input clk, input en, output gated);
  {name} _TECHMAP_REPLACE_ (.{enable}(en), .{clock}(clk), {ties}.{output}(gated));
endmodule
"""

# Adders become chains of full adders, without look-ahead.
RIPPLE = r"""
(* techmap_celltype = "$alu" *)
module _80_ripple (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  input CI, BI;
  output [Y_WIDTH-1:0] X, Y, CO;
  wire [Y_WIDTH-1:0] a, b;
  \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) widen_a (.A(A), .Y(a));
  \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) widen_b (.A(B), .Y(b));
  wire [Y_WIDTH-1:0] addend = BI ? ~b : b;
  wire [Y_WIDTH:0] chain = {CO, CI};
  assign X = a ^ addend;
  \$fa #(.WIDTH(Y_WIDTH)) adders (.A(a), .B(addend), .C(chain[Y_WIDTH-1:0]), .X(CO), .Y(Y));
endmodule
"""

# Constants may leave an adder an operand without bits, which RIPPLE cannot widen: a 0 instead.
# Tried before RIPPLE, by its name.
EMPTY_OPERANDS = r"""
(* techmap_celltype = "$alu" *)
module _79_empty_operands (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  localparam A_BITS = A_WIDTH ? A_WIDTH : 1;
  localparam B_BITS = B_WIDTH ? B_WIDTH : 1;
  input [A_BITS-1:0] A;
  input [B_BITS-1:0] B;
  input CI, BI;
  output [Y_WIDTH-1:0] X, Y, CO;
  wire _TECHMAP_FAIL_ = A_WIDTH && B_WIDTH;
  wire [A_BITS-1:0] a = A_WIDTH ? A : 0;
  wire [B_BITS-1:0] b = B_WIDTH ? B : 0;
  \$alu #(.A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_BITS), .B_WIDTH(B_BITS),
          .Y_WIDTH(Y_WIDTH)) _TECHMAP_REPLACE_ (.A(a), .B(b), .CI(CI), .BI(BI), .X(X), .Y(Y),
                                                .CO(CO));
endmodule
"""

FULL_ADDER = r"""
(* techmap_celltype = "$fa" *)
module _80_full_adder (A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  genvar bit;
  generate for (bit = 0; bit < WIDTH; bit = bit + 1) begin : bits
    wire total, carry;
    {name} adder (.{a}(A[bit]), .{b}(B[bit]), .{c}(C[bit]), .{sum}(total), .{carry}(carry));
    assign Y[bit] = {sum_sign}total;
    assign X[bit] = {carry_sign}carry;
  end endgenerate
endmodule
"""

TEMPLATES = CLOCK_GATE + RIPPLE + FULL_ADDER  # part of a recipe's digest; PEs hold no ROOT_GATE


def clock_gate_map(gate: ClockGate) -> str:
    """Return the map of registers with an enable."""
    return _filled(CLOCK_GATE, **_pins(gate))


def root_gate_map(gate: ClockGate, modules: Sequence[str]) -> str:
    """Return the map of the modules that stand for a clock gate."""
    return _filled(ROOT_GATE, modules=" ".join(modules), **_pins(gate))


def full_adder_map(technology: Technology, adder: FullAdder) -> str:
    """Return the map of full adders."""
    total, carry = technology.cells[adder.sum], technology.cells[adder.carry]
    a, b, c = (pin.name for pin in total.inputs)
    return _filled(FULL_ADDER, name=adder.name, a=a, b=b, c=c, sum=total.output,
                   carry=carry.output, sum_sign="~" * adder.sum_inverted,
                   carry_sign="~" * adder.carry_inverted)


def interfaces(technology: Technology) -> str:
    """Return the cells that these maps instantiate, as modules without contents."""
    modules = {}
    if (gate := technology.clock_gate) is not None:
        modules[gate.name] = ([gate.enable.name, gate.clock.name, *gate.tie_low], [gate.output])
    if (adder := technology.full_adder) is not None:
        total, carry = technology.cells[adder.sum], technology.cells[adder.carry]
        modules[adder.name] = ([pin.name for pin in total.inputs], [total.output, carry.output])
    return "\n".join(
        f"module {name} (" + ", ".join([*(f"input {pin}" for pin in inputs),
                                        *(f"output {pin}" for pin in outputs)]) + "); endmodule"
        for name, (inputs, outputs) in modules.items()) + "\n"


def _pins(gate: ClockGate) -> dict[str, str]:
    return {"name": gate.name, "enable": gate.enable.name, "clock": gate.clock.name,
            "output": gate.output, "ties": "".join(f".{pin}(1'b0), " for pin in gate.tie_low)}


def _filled(template: str, **values: str) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template
