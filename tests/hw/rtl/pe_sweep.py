"""Emitted PEs of all kinds and forms, swept over all pairs of operand patterns.

Every multiplication of a dense PE sees all 65,536 pairs, in another order than its neighbours; one
with activations of 9 bits half of its 131,072 pairs, the PEs of one output another half.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from hw.machine.pe import FORMS, pe_of
from hw.machine.pe.kind import Dataflow, Pe
from hw.multipliers import get
from hw.rtl.array.pe import pe_component
from hw.rtl.emit import modules_of

SUMS_FILE = "sums.hex"
PSUM_WIDTH = 24
TERMS = max(dataflow.macs for dataflow in FORMS.values())
PAIRS = (1 << 16) + TERMS  # the last term sees a weight so many cycles after the first
STEP = 0x9E3779  # of the partial sum from above, odd: every PE adds to another one in each cycle
FIRST = 1 + Dataflow().psum_cycles  # line with the sum of pair 0, whose weight is loaded in line 0
# Terms and outputs see operands that differ from each other's in these bits.
ACT_SALT, WEIGHT_SALT, PSUM_SALT = 0x1D, 0x35, 0x3C6EF3
ROUGH_SIGNED = "mul8s_booth_abe1_c8"
PES = ("mul8s_exact", ROUGH_SIGNED, "mul8s_bam_h2v6", "mul8u_exact", "mul8u_bam_h2v6",
       "mul8u_bam_h2v6 2x1", "mul8s_bam_h2v6 2x1", f"{ROUGH_SIGNED} 4x1", "mul8u_bam_h2v6 8x1",
       "mul8u_bam_h2v6 4x1r", "mul8u_exact 4x1rb", "mul8u_exact 4x4rb",
       "mul8u_bam_h2v6 4x4", "mul8s_bam_h2v6 4x4", "mul8u_exact+loa8", "mul8u_bam_h2v6+loa10",
       "mul8u_exact+seg7w3", "mul8u_bam_h2v6+seg12w0")
# Edits of a PE's Verilog that its sums must show, by the PE.
FAULTS = {
    "operands swapped": (ROUGH_SIGNED, r"\.act\((act_out)\),(.*)\.weight\((weight)\)",
                         r".act(\3),\2.weight(\1)"),
    "product not sign-extended": (ROUGH_SIGNED, r"\$signed\(multiplier__product\)",
                                  "$signed({1'b0, multiplier__product})"),
    "weight taken over too late": (ROUGH_SIGNED, r"weight <= weight_out", "weight <= weight_in"),
    "terms take each other's weights": (
        "mul8u_bam_h2v6 2x1", r"weight_0_1 <= shadow_0_1(.*)weight_0_0 <= shadow_0_0",
        r"weight_0_1 <= shadow_0_0\1weight_0_0 <= shadow_0_1"),
    "carry of the tree dropped": (
        "mul8u_bam_h2v6 2x1", r"(addend, )negative( \} \+ .*)negative \}",
        r"\1 1'h0\2 1'h0}"),
    "sum of the tree not sign-extended": (
        "mul8u_bam_h2v6 2x1", r"\+ \{ (\\total\$\d+ )\[12\],", r"+ { 1'h0,"),
    "outputs in the wrong order": (
        "mul8u_bam_h2v6 4x4", r"psum_out = \{ psum_3(.*)psum_2", r"psum_out = { psum_2\1psum_3"),
    "an output takes its neighbour's weights": (
        "mul8u_bam_h2v6 4x4", r"shadow_2_0 <= weight_in\[26:20\]",
        "shadow_2_0 <= weight_in[17:11]"),
    "carry of the low part dropped": (
        "mul8u_exact+loa8", r"low_adder__carry (.*)low_adder__carry \}", r"1'h0 \1 1'h0 }"),
    "low part not told of a subtraction": (
        "mul8u_exact+seg7w3", r"\.negative\(low_adder__negative\)", ".negative(1'h0)"),
}


@cache
def swept_pes() -> Mapping[str, Pe]:
    """Return each PE by its name in the sweep; the last ones have a fault."""
    def pe(name: str) -> Pe:
        multiplier, _, form = name.partition(" ")
        found = get(multiplier)
        return pe_of(found.netlist, PSUM_WIDTH, FORMS[form or "1x1"], found.adder)

    return {**{name: pe(name) for name in PES},
            **{fault: pe(name) for fault, (name, *_) in FAULTS.items()}}


def expected_sums(pe: Pe) -> np.ndarray:
    """Return what `psum_out` shows for every pair, int64[outputs, PAIRS]: the lowest 24 bits each.

    Weights are the low byte of a pair, activations the high one. A weight reaches each term a
    cycle after the term above. Magnitudes have the parity of their byte as sign.
    """
    flow, table = pe.kind.dataflow, pe.circuit.table()
    pairs = np.arange(PAIRS)
    parity = np.array([byte.bit_count() & 1 for byte in range(256)])
    unit = 1 << pe.circuit.zero_bits  # what is below is neither read nor written
    psum_in = (pairs + FIRST - flow.psum_hop_cycles) * STEP
    pairs = pairs - (flow.psum_cycles - Dataflow().psum_cycles)
    sums = []
    for output in range(flow.outputs):
        total = (psum_in + output * PSUM_SALT) // unit * unit
        for term in range(flow.macs):
            act = (pairs >> 8 ^ term * ACT_SALT) & 255
            weight = (pairs - term ^ output * WEIGHT_SALT) & 255
            if pe.kind.circuit:
                act |= (parity[act] ^ _flipped(pe)) << 8
            products = table[act, weight].astype(np.int64)
            if pe.kind.operand.separate_sign:
                products = np.where(parity[act] ^ parity[weight], -products, products)
            total = total + products if pe.adder is None else pe.adder.add(total, products)
        sums.append(total % (1 << PSUM_WIDTH))
    return np.stack(sums)


def pe_sweep_sources() -> dict[str, str]:
    """Return a module that writes the partial sums of all PEs, one line a cycle."""
    pes = list(swept_pes().items())
    prefixes = [f"swept_{index}_" for index in range(len(pes))]
    texts = modules_of([pe_component(pe) for _, pe in pes], prefixes=prefixes)
    files, wires, instances = {}, [], []
    for index, ((name, pe), modules) in enumerate(zip(pes, texts, strict=True)):
        if name in FAULTS:
            module, (_, pattern, replacement) = f"{prefixes[index]}pe", FAULTS[name]
            modules[module], found = re.subn(pattern, replacement, modules[module],
                                             flags=re.DOTALL)
            assert found == 1, f"fault {name!r} must match the emitted Verilog once"
        files |= {f"{module}.v": text for module, text in modules.items()}
        flow = pe.kind.dataflow
        acts = [_operand(pe, f"(act ^ 8'd{term * ACT_SALT & 255})") for term in range(flow.macs)]
        weights = [_operand(pe, f"(weight ^ 8'd{output * WEIGHT_SALT & 255})")
                   for output in range(flow.outputs)]
        psums = [f"psum + {PSUM_WIDTH}'d{output * PSUM_SALT % (1 << PSUM_WIDTH)}"
                 for output in range(flow.outputs)]
        wires.append(f"  wire [{pe.psums_width - 1}:0] psum_{index};\n")
        instances.append(
            f"  {prefixes[index]}pe pe_{index} (.clk(clk), .swap_in(1'b1), "
            f".load_in(1'b1), .act_in({_side_by_side(acts)}), "
            f".weight_in({_side_by_side(weights)}), .psum_in({_side_by_side(psums)}), "
            f".psum_out(psum_{index}), .act_out(), .weight_out(), .swap_out(), .load_out());\n")
    sums = ", ".join(f"psum_{index}" for index in range(len(pes)))
    # The weight enters a cycle ahead of its activation.
    return files | {"pe_sweep.v": f"""module pe_sweep(input clk, output done);
  reg [16:0] count = 0;
  wire [16:0] pair = count - 1;
  wire [7:0] act = pair[15:8];
  wire [7:0] weight = count[7:0];
  wire [{PSUM_WIDTH - 1}:0] psum = count * {PSUM_WIDTH}'d{STEP};
  integer file;
  assign done = count == {PAIRS + FIRST};
{''.join(wires)}{''.join(instances)}
  always @(posedge clk) if (!done) begin
    if (count == 0) file = $fopen("{SUMS_FILE}", "w");
    $fwrite(file, "%h\\n", {{{sums}}});
    if (count == {PAIRS + FIRST - 1}) $fclose(file);
    count <= count + 1;
  end
endmodule
"""}


def _operand(pe: Pe, byte: str) -> str:
    return byte if pe.kind.signed else f"{{{'~' * _flipped(pe)}^{byte}, {byte}}}"


def _flipped(pe: Pe) -> bool:
    """Whether the ninth bit is the parity of the others, inverted."""
    return pe.kind.circuit is not None and pe.kind.dataflow.outputs == 1


def _side_by_side(values: list[str]) -> str:
    return f"{{{', '.join(reversed(values))}}}"


def read_sums(path: Path) -> dict[str, np.ndarray]:
    """Return int64[outputs, PAIRS] by PE from the file that the sweep wrote."""
    digits = PSUM_WIDTH // 4
    lines = path.read_text().splitlines()[FIRST:]
    assert len(lines) == PAIRS
    sums = np.array([[int(line[at:at + digits], 16) for at in range(0, len(line), digits)]
                     for line in lines]).T
    found, start = {}, 0
    for name, pe in swept_pes().items():
        stop = start + pe.kind.dataflow.outputs
        found[name] = sums[start:stop][::-1]  # the first output in the low bits
        start = stop
    return found
