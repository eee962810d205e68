"""The accelerator on AXI: its registers, and how wide its streams may be (docs/integration.md)."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from math import gcd

from hw.common.errors import InputError
from hw.machine.accelerator import CODE_BITS
from hw.machine.design import BankConfig
from hw.machine.pe.operand_format import STREAM

REGISTER_BITS = 32
ADDRESS_BITS = 6  # of a byte
IDENTIFICATION = 0x41415058  # "AAPX"
VERSION = 0x0001_0000  # of this map: major, minor
STREAM_BITS = 32  # of a bus beat, unless a design says otherwise
WIDEST = 1024


class Address(IntEnum):
    """Byte addresses of the registers; every other one is refused, reading and writing."""

    IDENTIFICATION = 0x00
    VERSION = 0x04
    SHAPE = 0x08  # rows [15:0], columns [31:16]
    STREAMS = 0x0C  # bits of a bus beat [15:0], arrays [31:16]
    CONTROL = 0x10  # write only
    STATUS = 0x14
    ERRORS = 0x18  # a 1 that is written clears the flag
    INTERRUPT_ENABLE = 0x1C
    INTERRUPTS = 0x20  # a 1 that is written clears the flag
    CYCLES = 0x24  # since start, until it was done; stays at the largest number
    LAYER = 0x28  # operand of the last SYNC


WRITABLE = (Address.CONTROL, Address.ERRORS, Address.INTERRUPT_ENABLE, Address.INTERRUPTS)


class Control(IntFlag):
    """Bits of CONTROL."""

    START = 1
    RESET = 2


class Status(IntFlag):
    """Bits of STATUS; the selected array is above them, from SELECTED_SHIFT on."""

    BUSY = 1
    DONE = 2


SELECTED_SHIFT = 8


class Error(IntFlag):
    """Bits of ERRORS."""

    FAULT = 1  # a word that cannot be obeyed; the accelerator has stopped
    ROUTE = 2  # a ROUTE to an array that is not there
    MISALIGNED = 4  # tlast inside a row


class Interrupt(IntFlag):
    """Bits of INTERRUPT_ENABLE and INTERRUPTS."""

    DONE = 1
    ERROR = 2


def weight_beats(bank: BankConfig, stream_bits: int) -> int:
    """Return the bus beats of a row of weights; the end of the last one is not looked at."""
    return -(-bank.cols * STREAM.width // stream_bits)


def check_stream_bits(bank: BankConfig, stream_bits: int) -> None:
    """InputError unless bus beats of so many bits make up rows of activations and of results."""
    rows_in, rows_out = bank.rows * CODE_BITS, bank.cols * CODE_BITS
    if (not 0 < stream_bits <= WIDEST or stream_bits % 8 or rows_in % stream_bits
            or rows_out % stream_bits):
        raise InputError(
            f"Bus width must be whole bytes, {WIDEST} bits at most, and divide {rows_in} bits in "
            f"({bank.rows} activations) and {rows_out} bits out ({bank.cols} results), as "
            f"{_widest(bank)} bits do, not {stream_bits}")


def _widest(bank: BankConfig) -> int:
    common = gcd(bank.rows, bank.cols)
    return max(CODE_BITS * size for size in range(1, common + 1)
               if common % size == 0 and CODE_BITS * size <= WIDEST)
