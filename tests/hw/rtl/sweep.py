"""All emitted multipliers side by side, swept over all operand pairs by the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from hw.multipliers import catalogue
from hw.multipliers.base import Multiplier
from hw.netlist import Gate, Op
from hw.rtl.verilog.emission import emit_multipliers

PRODUCTS_FILE = "products.hex"
PAIRS = 1 << 16
DIGITS = 4  # hexadecimal, of a product


@cache
def swept_multipliers() -> Mapping[str, Multiplier]:
    """Return the catalogue, and two circuits that must come out different from their origin."""
    origin = catalogue()["mul8u_bam_h2v6"]
    gate = next(index for index, gate in enumerate(origin.netlist.gates) if gate.op == Op.XOR)
    _, a, b = origin.netlist.gates[gate]
    return {**catalogue(),
            "swapped": replace(origin, name="swapped", source=origin.netlist.swapped()),
            "one gate": replace(origin, name="one gate", source=origin.netlist.with_gate(
                gate, Gate(Op.OR, a, b)))}


def sweep_sources() -> dict[str, str]:
    """Return a module that writes the products of every operand pair, one line a pair."""
    multipliers = list(swept_multipliers().values())
    texts = emit_multipliers(multipliers)
    wires, instances = [], []
    for index, multiplier in enumerate(multipliers):
        width = len(multiplier.netlist.outputs)
        wires.append(f"  wire [{width - 1}:0] product_{index};\n")
        instances.append(f"  multiplier_{index} multiplier_{index} (.act(pair[15:8]), "
                         f".weight(pair[7:0]), .product(product_{index}));\n")
    products = ", ".join(f"{{{4 * DIGITS - len(m.netlist.outputs)}'b0, product_{index}}}"
                         if len(m.netlist.outputs) < 4 * DIGITS else f"product_{index}"
                         for index, m in enumerate(multipliers))
    sweep = f"""module sweep(input clk, output done);
  reg [16:0] pair = 0;
  integer file;
  assign done = pair[16];
{''.join(wires)}{''.join(instances)}
  always @(posedge clk) if (!done) begin
    if (pair == 0) file = $fopen("{PRODUCTS_FILE}", "w");
    $fwrite(file, "%h\\n", {{{products}}});
    if (&pair[15:0]) $fclose(file);
    pair <= pair + 1;
  end
endmodule
"""
    files = {f"multiplier_{index}.v": text for index, text in enumerate(texts)}
    return files | {"sweep.v": sweep}


def read_tables(path: Path) -> dict[str, np.ndarray]:
    """Return int32[256, 256] by multiplier name from the file that the sweep wrote."""
    names = list(swept_multipliers())
    lines = np.frombuffer(path.read_bytes(), np.uint8).reshape(PAIRS, -1)[:, :-1]
    digits = np.where(lines >= ord("a"), lines - ord("a") + 10, lines - ord("0")).astype(np.int32)
    places = 16 ** np.arange(DIGITS)[::-1].astype(np.int32)
    products = digits.reshape(PAIRS, len(names), DIGITS) @ places
    return {name: products[:, index].reshape(256, 256) for index, name in enumerate(names)}
