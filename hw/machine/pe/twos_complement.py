"""PE of a signed multiplier: `psum + f(act, weight)`."""

from __future__ import annotations

from hw.machine.pe.kind import Adder, PeKind
from hw.machine.pe.operand_format import TWOS_COMPLEMENT

TWOS_COMPLEMENT_PE = PeKind(name="two's complement", operand=TWOS_COMPLEMENT, adder=Adder.ADD)
