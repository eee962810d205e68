"""docs/isa.md states the instruction set that hw/machine/isa.py has."""

import re
from pathlib import Path

import pytest

from hw.machine.isa import OPERANDS, Opcode

PAGE = (Path(__file__).parents[2] / "docs" / "isa.md").read_text()


@pytest.mark.parametrize("opcode", Opcode, ids=lambda opcode: opcode.name)
def test_every_instruction_is_documented_with_its_fields(opcode):
    row = re.search(rf"^\| {int(opcode)} `{opcode.name}` \|(.*)\|$", PAGE, re.MULTILINE)
    assert row, f"{opcode.name} has no row"
    cells = [cell.strip() for cell in row.group(1).split("|")][:4]
    for name, cell in zip(OPERANDS[opcode], cells, strict=True):
        assert bool(name) == bool(cell)
        assert name in cell or name in ("act", "acc", "host")
