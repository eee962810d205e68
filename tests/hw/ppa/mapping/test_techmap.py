"""Adders of any legal widths and signs, mapped with full-adder cells, add what Verilog says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.synthesis import AREA, map_circuit
from hw.rtl.accelerator.act_converter import ActConverter
from hw.rtl.emit import modules_of

SAMPLES = 64
# Verilog of a, p and s to Python's integers.
FORMS = {
    "s ? a - p : a + p": lambda a, p, s: a - p if s else a + p,
    "a + p": lambda a, p, s: a + p,
    "p - a": lambda a, p, s: p - a,
    "-a": lambda a, p, s: -a,
    "s ? -a : a": lambda a, p, s: -a if s else a,
    "a + p + s": lambda a, p, s: a + p + s,
    "a < p": lambda a, p, s: a < p,
}
FULL_ADDER = "FAx1_ASAP7_75t_R"


@dataclass(frozen=True)
class Adder:
    """A form, and the bits of a, p and y; with a sign where `signed`."""

    form: str
    a: int
    p: int
    y: int
    signed: bool

    def verilog(self, number: int) -> str:
        sign = "signed " * self.signed
        # A single bit that is signed is 0 or -1: the bit that is added has a 0 above it.
        form = self.form.replace("+ s", "+ $signed({1'b0, s})" if self.signed else "+ s")
        return (f"  input {sign}[{self.a - 1}:0] a{number};\n"
                f"  input {sign}[{self.p - 1}:0] p{number};\n"
                f"  output {sign}[{self.y - 1}:0] y{number};\n"
                f"  assign y{number} = "
                + form.replace("a", f"a{number}").replace("p", f"p{number}") + ";\n")

    def value(self, bits: int, width: int) -> int:
        """Return what bits stand for."""
        return bits - (bits >> width - 1 << width) if self.signed else bits


ADDERS = st.builds(Adder, st.sampled_from(list(FORMS)), st.integers(1, 24), st.integers(1, 24),
                   st.integers(1, 26), st.booleans())


def outputs(netlist, inputs):
    """Return the value of each output port for each sample of the input ports."""
    technology = load_technology()
    nets = {0: np.zeros(SAMPLES, bool), 1: np.ones(SAMPLES, bool)}
    for port, values in inputs.items():
        nets |= {net: values >> bit & 1 == 1 for bit, net in enumerate(netlist.inputs[port])}
    for gate in netlist.gates:
        pins = sum(nets[net].astype(int) << place for place, net in enumerate(gate.inputs))
        nets[gate.output] = technology.cells[gate.cell].truth >> pins & 1 == 1
    return {port: sum(nets[net].astype(int) << bit for bit, net in enumerate(bits))
            for port, bits in netlist.outputs.items()}


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.lists(ADDERS, min_size=8, max_size=8), st.integers(0, 2**32 - 1))
@example([Adder("s ? a - p : a + p", 24, 16, 24, signed) for signed in (False, True)], 1)
def test_adders_of_full_adder_cells_compute_what_verilog_says(adders, seed):
    ports = ", ".join(f"a{n}, p{n}, y{n}" for n in range(len(adders)))
    verilog = (f"module m(s, {ports});\n  input s;\n"
               + "".join(adder.verilog(n) for n, adder in enumerate(adders)) + "endmodule\n")
    netlist = map_circuit(verilog, "m", load_technology(), AREA.with_full_adders())
    assert netlist.cell_counts(load_technology())[FULL_ADDER]
    rng = np.random.default_rng(seed)
    given_ = {"s": rng.integers(0, 2, SAMPLES)}
    for n, adder in enumerate(adders):
        for name in "ap":
            width = getattr(adder, name)
            values = rng.integers(0, 1 << width, SAMPLES)
            values[:4] = 0, (1 << width) - 1, 1 << width - 1, (1 << width - 1) - 1
            given_[f"{name}{n}"] = rng.permutation(values)
    found = outputs(netlist, given_)
    for n, adder in enumerate(adders):
        for i in range(SAMPLES):
            a, p = (adder.value(int(given_[f"{name}{n}"][i]), getattr(adder, name))
                    for name in "ap")
            expected = FORMS[adder.form](a, p, int(given_["s"][i])) % (1 << adder.y)
            assert found[f"y{n}"][i] == expected, (adder, a, p)


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_converter_of_activations_is_mapped(lanes):
    """Its zero point is subtracted with a sign: `$pos` and operands of unlike widths."""
    modules, = modules_of([ActConverter(lanes=lanes)])
    netlist = map_circuit("\n".join(modules.values()), "act_converter", load_technology(),
                          AREA.with_full_adders())
    assert netlist.cell_counts(load_technology())[FULL_ADDER]
    codes = np.random.default_rng(lanes).integers(0, 1 << 8 * lanes, SAMPLES)
    zero_point = np.random.default_rng(7).integers(-128, 256, SAMPLES)
    signed = (zero_point < 0).astype(int)
    acts = outputs(netlist, {"codes": codes, "zero_point": zero_point & 1023,
                             "code_signed": signed})["acts"]
    for lane in range(lanes):
        code = codes >> 8 * lane & 255
        act = code - 256 * (signed & code >> 7) - zero_point
        expected = np.abs(act) | (act < 0).astype(int) << 8
        assert (acts >> 9 * lane & 511 == expected).all()
