"""The instruction set: nine 64-bit instructions; opcode numbers live here and nowhere else.

A TPU-like, weight-stationary machine needs every instruction but ROUTE; approximation adds
that one (Jain et al., DATE 2022, section III).

    bits   63..60   59..36      35..14      13..1     0
           opcode   a (24 bit)  b (22 bit)  c (13)    flag

Unused fields are zero, and `decode` refuses anything else, so a program has one encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from hw.common.errors import InputError

INSTRUCTION_BITS = 64


class Opcode(IntEnum):
    """What an instruction does; see `OPERANDS` for its fields."""

    HALT = 0
    LOAD_WEIGHTS = 1
    ROUTE = 2
    MATMUL = 3
    ACTIVATE = 4
    DMA_IN = 5
    DMA_OUT = 6
    SYNC = 7
    CONFIGURE = 8


class Register(IntEnum):
    """What CONFIGURE sets, for all instructions that follow."""

    ACT_ZERO_POINT = 0  # stored code of the activation 0
    ACT_SIGNED = 1  # 1: stored codes are int8, 0: uint8
    OUT_ZERO_POINT = 2  # added by ACTIVATE after scaling
    OUT_LOW = 3  # smallest code that ACTIVATE stores
    OUT_HIGH = 4  # largest one


# Meaning of the fields a, b, c and flag; "" is a field that must be zero.
OPERANDS: dict[Opcode, tuple[str, str, str, str]] = {
    Opcode.HALT: ("", "", "", ""),
    # Weight tile -> shadow registers; with the flag, requantiser constants of a column tile.
    Opcode.LOAD_WEIGHTS: ("tile", "", "", "constants"),
    Opcode.ROUTE: ("array", "", "", ""),  # following tiles run on this array of the bank
    Opcode.MATMUL: ("act", "acc", "beats", "accumulate"),  # act rows x tile -> accumulator rows
    Opcode.ACTIVATE: ("acc", "out", "beats", "raw"),  # requantise accumulator rows -> output rows
    Opcode.DMA_IN: ("host", "act", "beats", ""),  # host rows -> activation buffer
    Opcode.DMA_OUT: ("host", "out", "beats", ""),  # output buffer -> host rows
    Opcode.SYNC: ("layer", "", "", ""),  # wait until everything before has finished
    Opcode.CONFIGURE: ("register", "value", "", ""),  # value in two's complement
}
FIELD_BITS = (24, 22, 13, 1)
FIELD_SHIFTS = (36, 14, 1, 0)
OPCODE_SHIFT = 60
OPCODE_BITS = 4
VALUE_BITS = 10  # of a register: a stored code, signed or not, in two's complement


@dataclass(frozen=True)
class Instruction:
    """One instruction; `a`, `b`, `c` and `flag` mean what `OPERANDS` says for the opcode."""

    opcode: Opcode
    a: int = 0
    b: int = 0
    c: int = 0
    flag: int = 0

    def __post_init__(self) -> None:
        for value, name, bits in zip(self.fields, OPERANDS[self.opcode], FIELD_BITS, strict=True):
            if not name and value:
                raise InputError(f"{self.opcode.name} must leave unused fields zero, not {value}")
            if not 0 <= value < 1 << bits:
                raise InputError(f"{self.opcode.name} {name} must be below {1 << bits}, "
                                 f"not {value}")
        if self.opcode == Opcode.CONFIGURE:
            if self.a not in set(Register):
                raise InputError(f"CONFIGURE register must be 0 to {max(Register)}, not {self.a}")
            if self.b >= 1 << VALUE_BITS:
                raise InputError(f"CONFIGURE value must have {VALUE_BITS} bits, not {self.b:#x}")

    @classmethod
    def configure(cls, register: Register, value: int) -> Instruction:
        """Return the CONFIGURE that sets `register`; InputError beyond -512 to 511."""
        half = 1 << VALUE_BITS - 1
        if not -half <= value < half:
            raise InputError(f"CONFIGURE {register.name} must be {-half} to {half - 1}, "
                             f"not {value}")
        return cls(Opcode.CONFIGURE, register, value % (1 << VALUE_BITS))

    @property
    def setting(self) -> tuple[Register, int]:
        """What a CONFIGURE sets: the register and its signed value."""
        assert self.opcode == Opcode.CONFIGURE
        half = 1 << VALUE_BITS - 1
        return Register(self.a), (self.b + half) % (2 * half) - half

    @property
    def fields(self) -> tuple[int, int, int, int]:
        """The four fields in the order of `OPERANDS`."""
        return self.a, self.b, self.c, self.flag

    def encode(self) -> int:
        """Return the 64-bit word."""
        word = self.opcode << OPCODE_SHIFT
        for value, shift in zip(self.fields, FIELD_SHIFTS, strict=True):
            word |= value << shift
        return word

    def __str__(self) -> str:
        if self.opcode == Opcode.CONFIGURE:
            register, value = self.setting
            return f"CONFIGURE {register.name.lower()}={value}"
        operands = [f"{name}={value}"
                    for name, value in zip(OPERANDS[self.opcode], self.fields, strict=True) if name]
        return " ".join([self.opcode.name, *operands])


def decode(word: int) -> Instruction:
    """Return the instruction of a 64-bit word; raises InputError when no program can hold it."""
    if not 0 <= word < 1 << INSTRUCTION_BITS:
        raise InputError(f"Instruction must be a 64-bit word, not {word:#x}")
    number = word >> OPCODE_SHIFT
    if number not in set(Opcode):
        raise InputError(f"Opcode must be 0 to {max(Opcode)}, not {number} (word {word:#018x})")
    fields = [(word >> shift) & ((1 << bits) - 1)
              for bits, shift in zip(FIELD_BITS, FIELD_SHIFTS, strict=True)]
    return Instruction(Opcode(number), *fields)
