"""Sign and magnitude to two's complement: the edge of an array of signed multipliers."""

from __future__ import annotations

from functools import cache

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.machine.design import OPERAND_BITS
from hw.rtl.array.operand import TWOS_COMPLEMENT, SignMagnitude
from hw.rtl.hierarchy import ModuleKind, Place


class TwosComplement(wiring.Component):
    """`value = -magnitude if sign else magnitude`, modulo 256.

    Values beyond [-128, 127] wrap: 200 becomes -56. `hw.machine.operands` keeps them out of
    programs. Both patterns of zero become 0.

    Latency: none, combinational. An array has one per row and one per column, none per PE.

    Members
    -------
    operand : In(SignMagnitude)
    value : Out(TWOS_COMPLEMENT)
    """

    def __init__(self) -> None:
        super().__init__(SIGNATURE)

    def elaborate(self, platform: object) -> Module:
        """Return inversion and increment, both under the sign."""
        m = Module()
        sign = self.operand.sign
        inverted = Signal(OPERAND_BITS)
        m.d.comb += [inverted.eq(self.operand.magnitude ^ sign.replicate(OPERAND_BITS)),
                     self.value.eq(inverted + sign)]
        return m


SIGNATURE = wiring.Signature({"operand": In(SignMagnitude), "value": Out(TWOS_COMPLEMENT)})


@cache
def twos_complement_kind() -> ModuleKind:
    """Return the module `twos_complement`, the same for every array of a design."""
    def build(place: Place) -> TwosComplement:
        return TwosComplement()

    return ModuleKind(name="twos_complement", signature=SIGNATURE, build=build, clock=False)
