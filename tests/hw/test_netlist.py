"""Netlists: building, evaluating, transforming, storing."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.multipliers import get
from hw.netlist import COMMUTATIVE, CONST0, CONST1, Gate, Netlist, NetlistBuilder, Op
from tests.circuits import shift_and_add

TRUTH = {  # op -> value for (a, b) = 00, 01, 10, 11
    Op.NOT: (1, 1, 0, 0), Op.AND: (0, 0, 0, 1), Op.OR: (0, 1, 1, 1), Op.XOR: (0, 1, 1, 0),
    Op.NAND: (1, 1, 1, 0), Op.NOR: (1, 0, 0, 0), Op.XNOR: (1, 0, 0, 1), Op.ANDNOT: (0, 0, 1, 0),
    Op.ORNOT: (1, 0, 1, 1),
}


@st.composite
def netlists(draw):
    """Random netlists of up to 30 gates over two 3-bit operands."""
    gates = []
    for index in range(draw(st.integers(0, 30))):
        net = st.integers(0, 8 + index - 1)
        op, a, b = draw(st.sampled_from(Op)), draw(net), draw(net)
        gates.append(Gate(op, a, a if op == Op.NOT else b))
    outputs = draw(st.lists(st.integers(0, 8 + len(gates) - 1), min_size=1, max_size=6))
    return Netlist(act_width=3, weight_width=3, gates=tuple(gates), outputs=tuple(outputs),
                   signed=draw(st.booleans()))


def slow_product(netlist, act, weight):
    """One operand pair, one gate at a time, from the truth tables above."""
    nets = [0, 1, *((act >> bit) & 1 for bit in range(netlist.act_width)),
            *((weight >> bit) & 1 for bit in range(netlist.weight_width))]
    for gate in netlist.gates:
        nets.append(TRUTH[gate.op][2 * nets[gate.a] + nets[gate.b]])
    total = sum(nets[net] << position for position, net in enumerate(netlist.outputs))
    if netlist.signed and nets[netlist.outputs[-1]]:
        total -= 1 << len(netlist.outputs)
    return total


@settings(max_examples=60, deadline=None)
@given(netlists())
def test_bit_parallel_evaluation_equals_one_gate_at_a_time(netlist):
    table = netlist.table()
    for act in range(8):
        for weight in range(8):
            assert table[act, weight] == slow_product(netlist, act, weight)


@settings(max_examples=60, deadline=None)
@given(netlists())
def test_transformations_keep_the_function(netlist):
    table = netlist.table()
    assert (netlist.pruned().table() == table).all()
    assert (netlist.swapped().table() == table.T).all()
    assert netlist.swapped().swapped() == netlist
    again = Netlist.from_dict(json.loads(json.dumps(netlist.to_dict())))
    assert again == netlist
    assert again.digest == netlist.digest


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
@pytest.mark.parametrize("constants", range(9))
def test_builder_folds_constants_without_changing_the_function(op, constants):
    """Each operand of a gate is bit 0 of the operand, constant 0 or constant 1."""
    builder = NetlistBuilder(act_width=1, weight_width=1)
    choice = {0: builder.act[0], 1: CONST0, 2: CONST1}
    other = {0: builder.weight[0], 1: CONST0, 2: CONST1}
    a, b = choice[constants // 3], other[constants % 3]
    netlist = builder.build([builder.gate(op, a, b)])
    if constants:
        assert len(netlist.gates) <= 1
    for act in (0, 1):
        for weight in (0, 1):
            x = (act, 0, 1)[constants // 3]
            y = (weight, 0, 1)[constants % 3]
            assert netlist.table()[act, weight] == TRUTH[op][2 * x + y]


@pytest.mark.parametrize("op", sorted(COMMUTATIVE), ids=lambda op: op.name)
def test_builder_shares_equal_gates(op):
    builder = NetlistBuilder(act_width=1, weight_width=1)
    a, b = builder.act[0], builder.weight[0]
    assert builder.gate(op, a, b) == builder.gate(op, b, a)


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
def test_builder_folds_equal_inputs(op):
    builder = NetlistBuilder(act_width=1, weight_width=1)
    a = builder.act[0]
    netlist = builder.build([builder.gate(op, a, a)])
    assert len(netlist.gates) <= 1
    assert netlist.table()[:, 0].tolist() == [TRUTH[op][0], TRUTH[op][3]]


def test_adders_count():
    builder = NetlistBuilder(act_width=2, weight_width=2)
    a0, a1, w0, w1 = *builder.act, *builder.weight
    total, carry = builder.full_adder(a0, a1, w0)
    netlist = builder.build([total, carry, builder.majority(a0, a1, w0), builder.mux(w1, a0, a1)])
    for act in range(4):
        for weight in range(4):
            ones = (act & 1) + (act >> 1) + (weight & 1)
            chosen = act >> 1 if weight >> 1 else act & 1
            assert netlist.evaluate(act, weight) == ones + ((ones >= 2) << 2) + (chosen << 3)


def test_digest_is_of_the_structure_and_never_changes():
    netlist = shift_and_add().netlist
    assert netlist.digest.startswith("82ed24da594bb502")
    assert netlist.with_gate(0, Gate(Op.OR, *netlist.gates[0][1:])).digest != netlist.digest


def test_depth_is_the_longest_path():
    builder = NetlistBuilder(act_width=2, weight_width=1)
    net = builder.and_(builder.act[0], builder.act[1])
    netlist = builder.build([net, builder.xor(net, builder.weight[0]), CONST1])
    assert netlist.depth == 2
    assert netlist.gate_counts() == {"AND": 1, "XOR": 1}


def test_every_single_fault_of_an_adder_changes_its_table_or_is_harmless():
    builder = NetlistBuilder(act_width=4, weight_width=4)
    netlist = builder.build(builder.ripple_add(builder.act, builder.weight))
    table = netlist.table()
    mutants = list(netlist.mutants())
    assert len(mutants) == 4 * len(netlist.gates)
    silent = [name for name, mutant in mutants if (mutant.table() == table).all()]
    # The two carries of a full adder are never both set, so XOR merges them as well as OR.
    assert len(silent) == 3
    assert all(name.endswith("(OR) becomes XOR") for name in silent)


def test_faults_of_an_inverter_are_its_constants():
    builder = NetlistBuilder(act_width=1, weight_width=1)
    netlist = builder.build([builder.not_(builder.act[0])])
    faults = dict(netlist.mutants())
    assert list(faults) == ["gate 0 (NOT) stuck at 0", "gate 0 (NOT) stuck at 1"]
    assert [int(fault.evaluate(0, 0)) for fault in faults.values()] == [0, 1]


@pytest.mark.parametrize(("change", "message"), [
    ({"act_width": 0}, "act_width must be 1 to 16, not 0"),
    ({"weight_width": 17}, "weight_width must be 1 to 16, not 17"),
    ({"gates": (Gate(Op.AND, 2, 9),)}, "Gate 0 must read nets below 4, not 2, 9"),
    ({"outputs": (4,)}, "Output net must be below 4, not 4"),
    ({"outputs": ()}, "Netlist must have 1 to 32 outputs, not 0"),
])
def test_impossible_netlists_are_refused(change, message):
    fields = {"act_width": 1, "weight_width": 1, "gates": (), "outputs": (2,), **change}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Netlist(**fields)


@pytest.mark.parametrize("change", [
    {"gates": [["MAYBE", 2, 3]]}, {"gates": [["AND", 2]]}, {"gates": 3}, {"outputs": None},
    {"outputs": ["2"]}, {"act_width": 1.0}, {"signed": "false"},
], ids=str)
def test_malformed_descriptions_are_refused(change):
    description = {"act_width": 1, "weight_width": 1, "signed": False, "gates": [], "outputs": [2]}
    with pytest.raises(ValueError, match=r"^Netlist description is malformed"):
        Netlist.from_dict(description | change)


def test_descriptions_of_impossible_netlists_say_what_is_impossible():
    description = {"act_width": 1, "weight_width": 1, "signed": False, "gates": [], "outputs": [9]}
    with pytest.raises(ValueError, match=r"^Output net must be below 4, not 9$"):
        Netlist.from_dict(description)


def test_tables_of_wide_operands_are_refused():
    netlist = Netlist(act_width=16, weight_width=16, gates=(), outputs=(2,))
    with pytest.raises(ValueError, match=r"^Truth table must have at most 20 operand bits, not"):
        netlist.table()


@pytest.mark.parametrize(("name", "zero_bits", "act_bits", "weight_bits"), [
    ("mul8u_exact", 0, range(8), range(8)),
    ("mul8u_bam_h3v8", 8, range(1, 8), range(3, 8)),
    ("mul8u_perf_f1n2", 0, range(8), (0, 3, 4, 5, 6, 7)),
    ("mul8s_bam_h2v6", 6, range(8), range(2, 8)),
])
def test_bits_that_matter(name, zero_bits, act_bits, weight_bits):
    netlist = get(name).netlist
    assert netlist.zero_bits == zero_bits
    assert netlist.act_bits == tuple(act_bits)
    assert netlist.weight_bits == tuple(weight_bits)
    assert netlist.cut_bits == (act_bits[0], weight_bits[0])


def test_bits_that_gates_read_in_vain_do_not_matter():
    builder = NetlistBuilder(act_width=3, weight_width=2)
    act, weight = builder.act, builder.weight
    either = builder.or_(builder.and_(act[1], weight[0]), builder.andnot(act[1], weight[0]))
    netlist = builder.build([CONST0, builder.xor(act[0], act[0]), either])
    assert (netlist.zero_bits, netlist.act_bits, netlist.weight_bits) == (2, (1,), ())


def test_a_product_that_is_always_zero_keeps_one_bit():
    netlist = NetlistBuilder().build([CONST0] * 16)
    assert (netlist.zero_bits, netlist.act_bits, netlist.weight_bits) == (15, (), ())
    assert netlist.cut_bits == (8, 8)
