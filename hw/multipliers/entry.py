"""What a catalogue entry is before it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hw.netlist import Netlist


@dataclass(frozen=True)
class Entry:
    """A named instance of a family.

    build : the family's builder. parameters : what it is called with. citation : the paper that
    published the construction. act_rounding : as of the multiplier.
    """

    build: Callable[..., Netlist]
    parameters: Mapping[str, int | str]
    citation: str
    act_rounding: int = 0

    @property
    def family(self) -> str:
        """The construction: the name of its builder."""
        return self.build.__name__
