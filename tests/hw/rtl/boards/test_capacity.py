"""Designs that are too large are refused with the numbers."""

from __future__ import annotations

import pytest

from hw.common.errors import InputError
from hw.machine.pe import pe_of
from hw.rtl.boards.capacity import check_fits, check_placed, pe_registers, read_utilisation
from hw.rtl.boards.targets import BOARDS, resized
from tests.hw.rtl.boards.selftests import design
from tests.hw.rtl.circuits import NIBBLE, array_netlist

# Lines as nextpnr prints them.
LOG = """\
Info: Packing IOs..
Info: Device utilisation:
Info: \t         ICESTORM_LC:  6103/   5280   115%
Info: \t        ICESTORM_RAM:     8/     30    26%
Info: \t               SB_IO:     4/     39    10%
Info: Placed 4 cells based on constraints.
ERROR: Unable to place cell 'bank.row_0_LC', no BELs remaining to implement cell type 'ICESTORM_LC'
"""


def test_utilisation_is_read_from_the_log():
    assert read_utilisation(LOG) == {
        "ICESTORM_LC": (6103, 5280), "ICESTORM_RAM": (8, 30), "SB_IO": (4, 39)}


def test_failed_placement_becomes_the_number_of_cells():
    with pytest.raises(InputError, match=r"^Design small must fit on icebreaker, not need 6103 "
                                         r"ICESTORM_LC of 5280$"):
        check_placed(BOARDS["icebreaker"], design(NIBBLE), LOG)


def test_placement_that_failed_for_another_reason_is_not_explained_away():
    check_placed(BOARDS["icebreaker"], design(NIBBLE), LOG.replace("6103", "5103"))


@pytest.mark.parametrize("name", BOARDS)
def test_absurd_shape_is_refused_at_once(name):
    board = BOARDS[name]
    huge = resized(board.default_design(), 64, 128)
    with pytest.raises(InputError, match=rf"^Design {name} must fit in the {board.flip_flops} "
                                         r"flip-flops of \w+, not need at least \d{6} for \d "
                                         r"arrays of 64x128$"):
        check_fits(board, huge)
    check_fits(board, board.default_design())


def test_registers_of_a_pe():
    assert pe_registers(pe_of(array_netlist(), 24)) == 9 + 2 * 9 + 16
    assert pe_registers(pe_of(array_netlist(width=4), 24)) == 5 + 2 * 5 + 8


@pytest.mark.parametrize("name", BOARDS)
def test_default_design_keeps_its_name_when_resized(name):
    assert resized(BOARDS[name].default_design(), 2, None).bank.rows == 2


def test_resizing_checks_the_partial_sums():
    with pytest.raises(InputError, match=r"over 256 rows, which must fit in 24 bits"):
        resized(BOARDS["ulx3s"].default_design(), 256, None)


