"""Figures of a multiplier alone, from gates of a library with round numbers."""

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers.base import Multiplier
from hw.netlist import NetlistBuilder
from hw.ppa.mapping.mapped import MappedGate, MappedNetlist
from hw.ppa.reports.multiplier_alone import AIMS, AloneFigures, MappedMultiplier, best, measure


def figures(**changes):
    return AloneFigures(**{"recipe": "r", "area_um2": 10.0, "delay_ps": 500.0, "energy_fj": 200.0,
                           "leakage_nw": 3000.0} | changes)


def and_of_low_bits(signed=False):
    """Return a multiplier whose product is the AND of the lowest bits of both operands."""
    builder = NetlistBuilder()
    outputs = [builder.and_(builder.act[0], builder.weight[0]), *[0] * 15]
    return Multiplier(name="low", family="test", source=builder.build(outputs, signed=signed))


def mapped_and(cells=("NAND", "INV")):
    """Return the same in two cells: nets 2-9 act, 10-17 weight, 18 NAND, 19 INV."""
    return MappedNetlist(
        name="low", net_count=20,
        inputs={"act": tuple(range(2, 10)), "weight": tuple(range(10, 18))},
        outputs={"product": (19, *[0] * 15)},
        gates=(MappedGate(cells[0], (2, 10), 18), MappedGate(cells[1], (18,), 19)))


def test_power_and_its_product_with_delay():
    """200 fJ at 500 MHz are 0.1 mW, leakage 0.003 mW; times 0.5 ns."""
    assert figures().power_mw(500) == pytest.approx(0.103)
    assert figures().power_delay_pj(500) == pytest.approx(0.0515)
    assert figures().power_mw() == pytest.approx(0.203)


def test_area_delay_and_leakage_of_two_cells(tiny):
    """NAND, 1 fF and a wire of 0.2 behind it, then an unloaded inverter."""
    found = measure(and_of_low_bits(), mapped_and(), tiny, "by hand")
    assert found.recipe == "by hand"
    assert found.area_um2 == 3
    assert found.leakage_nw == pytest.approx(2)
    # NAND rises last from B, 20 + 2 load; the inverter then falls in 5.
    assert found.delay_ps == pytest.approx(20 + 2 * 1.2 + 5)


def test_energy_of_two_cells(tiny):
    """Over all transitions, against the energy of each kind of transition times its count.

    1 V: half of C per edge. Pins with wire: act[0] 1.2 fF, weight[0] 2.2 fF, NAND 1.2 fF.
    """
    pairs = np.arange(65536)
    after = np.random.default_rng(2022).permutation(pairs)
    bits = [((order // 256) & 1, order & 1) for order in (pairs, after)]
    (a0, b0), (a1, b1) = bits
    total = 1.2 / 2 * (a0 != a1).sum() + 2.2 / 2 * (b0 != b1).sum()
    nand0, nand1 = 1 - (a0 & b0), 1 - (a1 & b1)
    total += 1.2 / 2 * (nand0 != nand1).sum()
    # The inverter falls when NAND rises.
    total += 0.1 * (nand1 > nand0).sum() + 0.3 * (nand1 < nand0).sum()
    found = measure(and_of_low_bits(), mapped_and(), tiny, "r").energy_fj * 65536
    # What is left is internal to NAND: from 0.2 per edge up to the 0.6 of pin B, and up to
    # 0.07 per edge of A alone.
    edges = (nand0 != nand1).sum()
    quiet = ((a0 != a1) & (nand0 == nand1)).sum()
    assert total + 0.2 * edges < found < total + 0.6 * edges + 0.07 * quiet


def test_energy_is_the_same_every_time(tiny):
    assert measure(and_of_low_bits(), mapped_and(), tiny, "r") == measure(
        and_of_low_bits(), mapped_and(), tiny, "r")


def test_a_changed_gate_is_noticed(tiny):
    with pytest.raises(AssertionError, match=(
            r"^Mapped multiplier 'low' must compute its table: 1 for operand patterns 0, 0, "
            r"not 0$")):
        measure(and_of_low_bits(), mapped_and(("NAND", "BUF")), tiny, "r")


def test_swapped_operands_are_noticed(tiny):
    builder = NetlistBuilder()
    act_only = Multiplier(name="act", family="test", source=builder.build([builder.act[0]]))
    netlist = MappedNetlist(name="act", net_count=18, inputs={
        "act": tuple(range(10, 18)), "weight": tuple(range(2, 10))}, outputs={"product": (2,)},
        gates=())
    with pytest.raises(AssertionError, match=r"operand patterns 0, 1, not 0$"):
        measure(act_only, netlist, tiny, "r")


def test_product_of_a_signed_multiplier_has_a_sign(tiny):
    """The highest of the outputs weighs -1 when it is the only one."""
    builder = NetlistBuilder()
    one_bit = Multiplier(name="sign", family="test", source=builder.build(
        [builder.and_(builder.act[0], builder.weight[0])], signed=True))
    netlist = MappedNetlist(**{
        **{name: getattr(mapped_and(), name) for name in ("name", "net_count", "inputs", "gates")},
        "outputs": {"product": (19,)}})
    assert one_bit.table[1, 1] == -1
    assert measure(one_bit, netlist, tiny, "r").area_um2 == 3


@pytest.mark.parametrize(("aim", "winner"), [
    ("area", "small"), ("power-delay", "fast"), ("product", "even")])
def test_best_by_each_aim(aim, winner):
    candidates = [MappedMultiplier(netlist=mapped_and(), figures=figures(
        recipe=name, area_um2=area, delay_ps=delay, leakage_nw=0.0)) for name, area, delay in (
            ("small", 8.0, 1000.0), ("fast", 16.0, 400.0), ("even", 9.0, 600.0))]
    assert best(candidates, aim).figures.recipe == winner


def test_every_aim_has_a_test():
    assert set(AIMS) == {"area", "power-delay", "product"}


def test_unknown_aim_is_one_line():
    with pytest.raises(InputError, match=r"^Unknown aim 'aria'; did you mean 'area'\?$"):
        best([], "aria")
