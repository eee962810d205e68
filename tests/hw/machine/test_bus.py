"""The registers are those of the page, and widths that do not divide are refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.bus import (
    ADDRESS_BITS,
    IDENTIFICATION,
    REGISTER_BITS,
    VERSION,
    WRITABLE,
    Address,
    Control,
    Error,
    Interrupt,
    Status,
    check_stream_bits,
    weight_beats,
)
from hw.machine.design import BankConfig
from hw.machine.pe.operand_format import STREAM

PAGE = (Path(__file__).parents[3] / "docs" / "integration.md").read_text()
ROWS = {name: (int(address, 16), access, bits) for address, name, access, bits in re.findall(
    r"^\| (0x\w\w) \| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)}


def bank(rows, cols):
    return BankConfig(rows=rows, cols=cols, arrays=("a",))


def test_the_page_has_every_register_at_its_address():
    assert {name: address for name, (address, *_) in ROWS.items()} == {
        address.name: address for address in Address}
    assert {name for name, (_, access, _) in ROWS.items() if "W" in access} == {
        address.name for address in WRITABLE}
    assert max(Address) < 1 << ADDRESS_BITS
    assert f"0x{IDENTIFICATION:08X}" in ROWS["IDENTIFICATION"][2]
    assert f"0x{VERSION:08X}" in ROWS["VERSION"][2]
    assert all(address % (REGISTER_BITS // 8) == 0 for address in Address)


@pytest.mark.parametrize(("register", "flags"), [
    ("CONTROL", Control), ("STATUS", Status), ("ERRORS", Error), ("INTERRUPT_ENABLE", Interrupt),
    ("INTERRUPTS", Interrupt)])
def test_the_page_has_every_flag_at_its_bit(register, flags):
    named = re.findall(r"(\d+) `(\w+)`", ROWS[register][2])
    assert {name: 1 << int(bit) for bit, name in named} == {flag.name: flag for flag in flags}


def test_the_row_of_the_page_is_packed_so():
    operands = STREAM.encode(np.array([1, -2, 0, 255], np.int16))
    row = sum(int(operand) << STREAM.width * col for col, operand in enumerate(operands))
    packed = row.to_bytes(4 * weight_beats(bank(4, 4), 32), "little")
    assert f"`{packed[:5].hex(' ')}`" in PAGE
    assert packed[5:] == bytes(3)


@pytest.mark.parametrize(("rows", "cols", "bits"), [
    (4, 4, 32), (16, 16, 128), (16, 8, 64), (3, 5, 8), (3, 3, 24), (256, 256, 1024)])
def test_widths_that_divide_are_taken(rows, cols, bits):
    check_stream_bits(bank(rows, cols), bits)


@pytest.mark.parametrize(("rows", "cols", "bits", "widest"), [
    (4, 4, 64, 32), (16, 8, 128, 64), (3, 5, 32, 8), (4, 4, 12, 32), (4, 4, 4, 32),
    (4, 4, 0, 32), (4, 4, -8, 32), (256, 256, 2048, 1024), (192, 192, 2048, 768)])
def test_widths_that_do_not_divide_are_refused_with_the_numbers(rows, cols, bits, widest):
    with pytest.raises(InputError, match=(
            rf"^Bus width must be .* divide {8 * rows} bits in \({rows} activations\) and "
            rf"{8 * cols} bits out \({cols} results\), as {widest} bits do, not {bits}$")):
        check_stream_bits(bank(rows, cols), bits)


def test_rows_of_weights_are_filled_up_to_whole_beats():
    assert [weight_beats(bank(4, cols), 32) for cols in (1, 3, 4, 7, 8, 32)] == [1, 1, 2, 2, 3, 9]
