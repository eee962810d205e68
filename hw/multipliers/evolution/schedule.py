"""How long an evolution searches, and how boldly."""

from __future__ import annotations

from dataclasses import dataclass

from hw.common.errors import InputError

STAGES = 200  # temperatures
MAX_MUTANTS, MAX_SPARE = 10**10, 10_000


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long to search and how.

    Parameters
    ----------
    mutants : int
        Number of mutants to try.
    temperature : float
        Of annealing at the start, in parts of the cost of the seed circuit; it falls to 0 with
        the square of the time left.
    spare : int
        Free nodes beyond the gates of the seed circuit.
    price : float
        What using all of the error limits costs at the start, in parts of the cost of the seed
        circuit; it falls to 0 with the time left.
    """

    mutants: int = 1_000_000
    temperature: float = 0.002
    spare: int = 40
    price: float = 0.2

    def __post_init__(self) -> None:
        if self.mutants < STAGES:
            raise InputError(f"Mutants must be at least {STAGES}, not {self.mutants}")
        if self.mutants > MAX_MUTANTS:
            raise InputError(f"Mutants must be at most {MAX_MUTANTS:,}, which take days, "
                             f"not {self.mutants}")
        if not 0 <= self.temperature <= 1:
            raise InputError(f"Temperature must be 0 to 1, not {self.temperature}")
        if not 0 <= self.price < float("inf"):
            raise InputError(f"Price must be at least 0, not {self.price}")
        if not 0 <= self.spare <= MAX_SPARE:
            raise InputError(f"Spare nodes must be 0 to {MAX_SPARE}, not {self.spare}")
