"""Encoding of instructions: one word per instruction, and back."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.common.errors import InputError
from hw.machine.isa import FIELD_BITS, OPERANDS, Instruction, Opcode, Register, decode

PAGE = (Path(__file__).parents[3] / "docs" / "isa.md").read_text()


@st.composite
def instructions(draw):
    opcode = draw(st.sampled_from(list(Opcode)))
    if opcode == Opcode.CONFIGURE:
        return Instruction.configure(draw(st.sampled_from(list(Register))),
                                     draw(st.integers(-512, 511)))
    return Instruction(opcode, *(
        draw(st.integers(0, (1 << bits) - 1)) if name else 0
        for name, bits in zip(OPERANDS[opcode], FIELD_BITS, strict=True)))


@given(instructions())
def test_decode_inverts_encode(instruction):
    assert decode(instruction.encode()) == instruction


@pytest.mark.parametrize(("instruction", "word", "text"), [
    (Instruction(Opcode.HALT), 0x0000_0000_0000_0000, "HALT"),
    (Instruction(Opcode.ROUTE, 2), 0x2000_0020_0000_0000, "ROUTE array=2"),
    (Instruction(Opcode.MATMUL, 1, 3, 5, 1), 0x3000_0010_0000_C00B,
     "MATMUL act=1 acc=3 beats=5 accumulate=1"),
    (Instruction.configure(Register.OUT_LOW, -128), 0x8000_0030_00E0_0000,
     "CONFIGURE out_low=-128"),
])
def test_words_worked_by_hand(instruction, word, text):
    assert instruction.encode() == word
    assert str(instruction) == text


@pytest.mark.parametrize(("fields", "message"), [
    ((Opcode.ROUTE, 1 << 24), "ROUTE array must be below 16777216, not 16777216"),
    ((Opcode.ROUTE, 1, 1), "ROUTE must leave unused fields zero, not 1"),
    ((Opcode.MATMUL, 0, 0, -1), "MATMUL beats must be below 8192, not -1"),
    ((Opcode.CONFIGURE, 5), "CONFIGURE register must be 0 to 4, not 5"),
    ((Opcode.CONFIGURE, 0, 1024), "CONFIGURE value must have 10 bits, not 0x400"),
])
def test_impossible_fields_are_rejected(fields, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Instruction(*fields)


@pytest.mark.parametrize(("word", "message"), [
    (0xF000_0000_0000_0000, "Opcode must be 0 to 8, not 15"),
    (1 << 64, "Instruction must be a 64-bit word"),
    (0x2000_0000_0000_0001, "ROUTE must leave unused fields zero"),
])
def test_words_no_program_can_hold_are_rejected(word, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        decode(word)


@pytest.mark.parametrize("value", [-513, 512])
def test_register_values_beyond_ten_bits_are_rejected(value):
    with pytest.raises(InputError, match=f"^CONFIGURE OUT_HIGH must be -512 to 511, not {value}$"):
        Instruction.configure(Register.OUT_HIGH, value)


def test_a_setting_is_what_was_configured():
    assert Instruction.configure(Register.OUT_LOW, -128).setting == (Register.OUT_LOW, -128)


@pytest.mark.parametrize("opcode", Opcode, ids=lambda opcode: opcode.name)
def test_every_instruction_is_documented_with_its_fields(opcode):
    row = re.search(rf"^\| {int(opcode)} `{opcode.name}` \|(.*)\|$", PAGE, re.MULTILINE)
    assert row, f"{opcode.name} has no row"
    cells = [cell.strip() for cell in row.group(1).split("|")][:4]
    for name, cell in zip(OPERANDS[opcode], cells, strict=True):
        assert bool(name) == bool(cell)
        assert name in cell or name in ("act", "acc", "host")
