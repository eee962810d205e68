"""What every multiplier of the catalogue is: a name, its origin and a netlist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hw.netlist import Netlist


@dataclass(frozen=True, kw_only=True)
class Multiplier:
    """A named multiplier circuit.

    Parameters
    ----------
    name : str
        `mul8u_...` for an unsigned 8x8 circuit, as EvoApproxLib names them.
    family : str
        The construction it is an instance of, e.g. `truncated`.
    parameters : mapping of str to int or str
        What the family's builder was called with.
    citation : str
        The paper that published the construction.
    netlist : Netlist
        The circuit itself.
    """

    name: str
    family: str
    netlist: Netlist
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    citation: str = ""

    @property
    def digest(self) -> str:
        """Digest of the netlist, the key of every stored result."""
        return self.netlist.digest

    @cached_property
    def table(self) -> npt.NDArray[np.int32]:
        """Product table int32[256, 256] indexed `[act, weight]`, read-only."""
        table = self.netlist.table()
        table.setflags(write=False)
        return table

    @property
    def is_exact(self) -> bool:
        """Whether every product is right."""
        operands = np.arange(256)
        return bool((self.table == np.multiply.outer(operands, operands)).all())
