"""Emitted PEs of both kinds, swept over all pairs of operand patterns by the simulator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from hw.machine.pe import pe_of
from hw.machine.pe.kind import Dataflow
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.rtl.array.pe import pe_component
from hw.rtl.emit import modules_of

SUMS_FILE = "sums.hex"
PSUM_WIDTH = 24
PAIRS = 1 << 16
STEP = 0x9E3779  # of the partial sum from above, odd: every PE adds to another one in each cycle
FIRST = 1 + Dataflow().psum_cycles  # line with the sum of pair 0, whose weight is loaded in line 0
ROUGH_SIGNED = "mul8s_booth_abe1_c8"
# Edits of that PE's Verilog that its sums must show.
FAULTS = {
    "operands swapped": (r"\.act\((act_out)\),(.*)\.weight\((weight)\)",
                         r".act(\3),\2.weight(\1)"),
    "product not sign-extended": (r"\$signed\(multiplier__product\)",
                                  "$signed({1'b0, multiplier__product})"),
    "weight taken over too late": (r"weight <= weight_out", "weight <= weight_in"),
}


@cache
def swept_pes() -> Mapping[str, Multiplier]:
    """Return the multiplier of each PE; the last ones have a fault."""
    names = ("mul8s_exact", ROUGH_SIGNED, "mul8s_bam_h2v6", "mul8u_exact", "mul8u_bam_h2v6")
    return {**{name: get(name) for name in names}, **dict.fromkeys(FAULTS, get(ROUGH_SIGNED))}


def expected_sums(multiplier: Multiplier) -> np.ndarray:
    """Return what `psum_out` shows for every pair, int64[65536]: its lowest 24 bits.

    Activations are the low byte of a pair. Magnitudes have the parity of their byte as sign.
    """
    pairs = np.arange(PAIRS)
    act, weight = pairs & 255, pairs >> 8
    products = multiplier.table[act, weight].astype(np.int64)
    if not multiplier.signed:
        parity = np.array([byte.bit_count() & 1 for byte in range(256)])
        products = np.where(parity[act] ^ parity[weight], -products, products)
    unit = 1 << multiplier.netlist.zero_bits  # what is below is neither read nor written
    psum_in = (pairs + FIRST - Dataflow().psum_hop_cycles) * STEP // unit * unit
    return (psum_in + products) % (1 << PSUM_WIDTH)


def pe_sweep_sources() -> dict[str, str]:
    """Return a module that writes the partial sums of all PEs, one line a cycle."""
    pes = list(swept_pes().items())
    prefixes = [f"swept_{index}_" for index in range(len(pes))]
    texts = modules_of([pe_component(pe_of(multiplier.netlist, PSUM_WIDTH))
                        for _, multiplier in pes],
                       prefixes=prefixes)
    files, wires, instances = {}, [], []
    for index, ((name, multiplier), modules) in enumerate(zip(pes, texts, strict=True)):
        if name in FAULTS:
            pe = f"{prefixes[index]}pe"
            modules[pe], found = re.subn(*FAULTS[name], modules[pe], flags=re.DOTALL)
            assert found == 1, f"fault {name!r} must match the emitted Verilog once"
        files |= {f"{module}.v": text for module, text in modules.items()}
        act, weight = (byte if multiplier.signed else f"{{^{byte}, {byte}}}"
                       for byte in ("act", "weight"))
        wires.append(f"  wire [{PSUM_WIDTH - 1}:0] psum_{index};\n")
        instances.append(
            f"  {prefixes[index]}pe pe_{index} (.clk(clk), .en(1'b1), .swap_in(1'b1), "
            f".load_in(1'b1), .act_in({act}), .weight_in({weight}), .psum_in(psum), "
            f".psum_out(psum_{index}), .act_out(), .weight_out(), .swap_out(), .load_out());\n")
    sums = ", ".join(f"psum_{index}" for index in range(len(pes)))
    # The weight enters a cycle ahead of its activation.
    return files | {"pe_sweep.v": f"""module pe_sweep(input clk, output done);
  reg [16:0] count = 0;
  wire [16:0] pair = count - 1;
  wire [7:0] act = pair[7:0];
  wire [7:0] weight = count[15:8];
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


def read_sums(path: Path) -> dict[str, np.ndarray]:
    """Return int64[65536] by PE from the file that the sweep wrote."""
    digits = PSUM_WIDTH // 4
    lines = path.read_text().splitlines()[FIRST:]
    assert len(lines) == PAIRS
    return {name: np.array([int(line[digits * index:digits * (index + 1)], 16) for line in lines])
            for index, name in enumerate(swept_pes())}
