"""PE of an unsigned multiplier: `psum + sign * f(|act|, |weight|)`.

One unsigned circuit serves uint8, int8 and asymmetric activations.
"""

from __future__ import annotations

from hw.machine.pe.kind import Adder, PeKind
from hw.machine.pe.operand_format import SIGN_MAGNITUDE

SIGN_MAGNITUDE_PE = PeKind(name="sign-magnitude", operand=SIGN_MAGNITUDE,
                           adder=Adder.ADD_SUBTRACT)
