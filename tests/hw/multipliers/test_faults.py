"""Single faults in catalogue circuits are caught by the papers' formulas.

All 65,536 operand pairs at once: eight pairs per byte, one row per product bit.
"""

from collections import Counter
from zlib import crc32

import numpy as np
import pytest

from hw.multipliers import get
from hw.multipliers.catalog import ENTRIES
from hw.netlist import Gate, Op, pack_bits
from tests.hw.multipliers import formulas

OPERANDS = np.arange(256, dtype=np.int64)
ACT, WEIGHT = OPERANDS[:, None], OPERANDS[None, :]
ACT_BITS = pack_bits(np.repeat(OPERANDS, 256), 8)
WEIGHT_BITS = pack_bits(np.tile(OPERANDS, 256), 8)
SEED = 20220314

# The same gate with its output inverted; NOT becomes a wire.
INVERSE = {Op.AND: Op.NAND, Op.OR: Op.NOR, Op.XOR: Op.XNOR, Op.NAND: Op.AND, Op.NOR: Op.OR,
           Op.XNOR: Op.XOR, Op.NOT: Op.AND}


def product_bits(netlist):
    return netlist.evaluate_nets(ACT_BITS, WEIGHT_BITS)[list(netlist.outputs)]


def formula_bits(name, width):
    entry = ENTRIES[name]
    product = formulas.of(entry.family)(ACT, WEIGHT, **entry.parameters)
    return pack_bits(product.reshape(-1), width)


def inverted(gate):
    if gate.op == Op.ANDNOT:  # ~(a & ~b) = b | ~a ...
        return Gate(Op.ORNOT, gate.b, gate.a)
    if gate.op == Op.ORNOT:  # ... and back
        return Gate(Op.ANDNOT, gate.b, gate.a)
    return gate._replace(op=INVERSE[gate.op])


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
def test_inverted_gate_is_the_complement(op):
    netlist = get("mul8u_exact").netlist
    a, b = netlist.act_nets[0], netlist.act_nets[0] if op == Op.NOT else netlist.weight_nets[0]
    gate = Gate(op, a, b)
    plain, opposite = (netlist.with_gate(0, either).evaluate_nets(ACT_BITS, WEIGHT_BITS)
                       [netlist.first_gate_net] for either in (gate, inverted(gate)))
    np.testing.assert_array_equal(plain, ~opposite)


@pytest.mark.parametrize("name", ENTRIES)
def test_one_inverted_gate_breaks_the_formula(name):
    netlist = get(name).netlist
    expected = formula_bits(name, len(netlist.outputs))
    np.testing.assert_array_equal(product_bits(netlist), expected)
    generator = np.random.default_rng([SEED, crc32(name.encode())])
    for index in generator.choice(len(netlist.gates), 4, replace=False):
        faulty = netlist.with_gate(int(index), inverted(netlist.gates[index]))
        assert (product_bits(faulty) != expected).any(), f"gate {index} of {name}, seed {SEED}"


THOROUGH = ["mul8u_exact", "mul8u_bam_h2v8", "mul8u_lowor_c9d7", "mul8u_truncvc_c9",
            "mul8u_optrunc_a4w2"]


@pytest.mark.parametrize("name", THOROUGH)
def test_every_single_fault_is_caught_or_harmless(name):
    """No gate can be left out, and only equivalent gates can stand in for one another.

    What merges the carries of a full adder may be an OR or an XOR, for both are never set; so
    may be a XOR where two bits cannot be set together. Every other fault shows.
    """
    netlist = get(name).netlist
    expected = formula_bits(name, len(netlist.outputs))
    faults = list(netlist.mutants())
    silent = [fault for fault, faulty in faults if (product_bits(faulty) == expected).all()]
    assert len(faults) == 4 * len(netlist.gates)
    assert len(silent) < 0.05 * len(faults)
    assert all(fault.endswith(("(OR) becomes XOR", "(XOR) becomes OR")) for fault in silent)


@pytest.mark.parametrize("name", [
    "mul8u_drum_k4", "mul8u_mitchell_f3", "mul8u_kulkarni_l8", "mul8u_ac42_momeni_c6",
    "mul8u_etm_l4", "mul8u_perf_f1n1", "mul8u_evo_mae1300", "mul8u_evo_mre54000",
    "mul8u_evo_rmse1700", "mul8u_evo_tmae40", "mul8s_exact", "mul8s_booth_abe1_c6"])
def test_every_single_fault_is_caught_or_equivalent(name):
    """All operand pairs are simulated: a fault that they do not show is proven equivalent.

    Circuits with detectors and multiplexers hold states that cannot occur, so a few faults are.
    Left out entirely, a gate is missed nearly always: few gates are redundant.
    """
    netlist = get(name).netlist
    expected = product_bits(netlist)
    total = Counter(), Counter()  # of all faults and of those that do not show
    for fault, faulty in netlist.mutants():
        kind = "stuck" if "stuck" in fault else "swap"
        total[0][kind] += 1
        total[1][kind] += bool((product_bits(faulty) == expected).all())
    assert total[0]["stuck"] == 2 * len(netlist.gates)
    assert total[1]["stuck"] <= 0.01 * total[0]["stuck"]
    assert total[1]["swap"] <= 0.25 * total[0]["swap"]


def test_the_exact_circuit_has_one_harmless_fault_per_full_adder():
    """Dadda's 8x8 tree has 35 full adders, and the final adder 13 more."""
    netlist = get("mul8u_exact").netlist
    assert netlist.gate_counts() == {"AND": 64 + 2 * 48 + 8, "XOR": 2 * 48 + 8, "OR": 48}
    expected = product_bits(netlist)
    silent = [fault for fault, faulty in netlist.mutants()
              if fault.endswith("(OR) becomes XOR") and (product_bits(faulty) == expected).all()]
    assert len(silent) == 35 + 13
