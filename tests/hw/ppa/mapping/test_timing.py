"""Static timing, worked out by hand in the cells of `tiny.py`."""

import pytest

from hw.ppa.library.table import Table
from hw.ppa.mapping.mapped import CONST1, MappedGate, MappedNetlist
from hw.ppa.mapping.timing import Edges, Wires, analyse
from tests.hw.ppa.circuits import gated, pipeline


def test_table_interpolates_and_extrapolates():
    table = Table((0.0, 10.0), (0.0, 4.0, 8.0), ((0.0, 4.0, 16.0), (10.0, 14.0, 26.0)))
    assert table.at(5, 2) == 7
    assert table.at(5, 6) == 15
    assert table.at(20, 12) == 20 + 28
    assert table.at(-1, 0) == -1
    assert Table.constant(3.0).at(7, 9) == 3.0


def test_table_rejects_what_is_no_grid():
    with pytest.raises(ValueError, match=r"^Table must have 1 rows of 2 values$"):
        Table((0.0,), (0.0, 1.0), ((1.0,),))
    with pytest.raises(ValueError, match=r"^Table axis must increase"):
        Table((0.0, 0.0), (0.0,), ((1.0,), (2.0,)))


def test_register_to_register_by_hand(tiny):
    timing = analyse(pipeline(), tiny)
    # Every net reaches one pin of 1 fF over 0.2 fF of wire, B of NAND has 2 fF.
    assert timing.loads_ff == pytest.approx((0, 0, 1.2, 2.2, 1.2, 1.2, 1.2, 0))
    # The register's pin falls at 50 ps with 10 ps slew: NAND rises 10 + 2 x 1.2 + 1 later, at
    # 63.4; INV falls 5 + 1.2 after that, at 69.6, which must be 9 ps before the clock edge.
    # The other way round: 40 + 7.2 + 12.4 + 7 = 66.6.
    assert timing.delay_ps == pytest.approx(69.6 + 9)
    assert timing.path == ("DFF", "NAND", "INV")
    assert timing.slews_ps[5] == Edges(20, 10)


def test_neighbour_loads_the_output_and_starts_the_path(tiny):
    """The port `b` of one pipeline is driven by `q` of the one before."""
    timing = analyse(pipeline(), tiny, neighbours={"b": "q"})
    assert timing.loads_ff[7] == timing.loads_ff[3] == pytest.approx(2.2)
    # Now NAND's pin B switches at 50 as well: rises at 50 + 20 + 2 x 1.2 = 72.4.
    assert timing.delay_ps == pytest.approx(72.4 + 5 + 1.2 + 9)


def test_combinational_circuit_ends_at_its_outputs(tiny):
    circuit = MappedNetlist(name="two", net_count=5, inputs={"a": (2, 3)}, outputs={"y": (4,)},
                            gates=(MappedGate("XOR", (2, 3), 4),))
    assert analyse(circuit, tiny).delay_ps == 30


def test_enable_of_a_clock_gate_is_an_end(tiny):
    timing = analyse(gated(), tiny, neighbours={"e": "q"})
    assert timing.delay_ps == pytest.approx(50 + 15)


def test_constant_input_has_no_path(tiny):
    circuit = MappedNetlist(name="half", net_count=4, inputs={"a": (2,)}, outputs={"y": (3,)},
                            gates=(MappedGate("NAND", (2, CONST1), 3),))
    assert analyse(circuit, tiny).delay_ps == pytest.approx(10 + 0.1 * 20)


def test_longer_wires_are_slower(tiny):
    longer = analyse(pipeline(), tiny, wires=Wires(pin_ff=1.0))
    assert longer.delay_ps > analyse(pipeline(), tiny).delay_ps
