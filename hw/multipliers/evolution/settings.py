"""The settings of an evolution: what a file must hold for its circuit to be made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hw.common.errors import InputError
from hw.multipliers.base import Multiplier
from hw.multipliers.evolution.objective import Limits, Objective
from hw.multipliers.evolution.operands import BUILT_IN, OperandStream, load
from hw.multipliers.evolution.run import Evolution
from hw.multipliers.evolution.schedule import Schedule
from hw.netlist import Netlist

FAMILY = "evolved"
UNIFORM = "uniform"
LIMIT = "limit_"


def operand_stream(name: str, *, signed: bool = False) -> OperandStream:
    """Return a built-in operand stream or that of an `.npz` file."""
    if name in BUILT_IN:
        return BUILT_IN[name](signed=signed)
    return load(Path(name), signed=signed)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides the result of an evolution.

    Parameters
    ----------
    start : str
        Catalogue name or file of the circuit it starts from.
    limits : Limits
    errors, energy : str
        Operand streams that weigh errors and count switching: built in, or files.
    keep_zero : bool
    schedule : Schedule
    seed : int
    """

    start: str
    limits: Limits
    errors: str = UNIFORM
    energy: str = "typical"
    keep_zero: bool = True
    schedule: Schedule
    seed: int

    def objective(self, *, signed: bool = False) -> Objective:
        """Return the objective for unsigned or signed circuits."""
        errors = None if self.errors == UNIFORM else operand_stream(self.errors, signed=signed)
        energy = operand_stream(self.energy, signed=signed)
        return Objective(limits=self.limits, energy_stream=energy, error_stream=errors,
                         keep_zero=self.keep_zero, signed=signed)

    def evolution(self, circuit: Netlist) -> Evolution:
        """Return the evolution of `circuit`, that of `start`; InputError when it cannot begin."""
        return Evolution(circuit, self.objective(signed=circuit.signed), self.schedule, self.seed)

    def multiplier(self, name: str, circuit: Netlist) -> Multiplier:
        """Return what the evolution found as a multiplier that holds these settings."""
        return Multiplier(
            name=name, family=FAMILY, source=circuit, parameters=self.parameters(),
            citation=f"evolved from {self.start}; after Vasicek and Sekanina, IEEE Trans. "
                     "Evolutionary Computation 19(3), 2015")

    def parameters(self) -> dict[str, int | float | str]:
        """Return the settings as parameters of a multiplier."""
        schedule = self.schedule
        return {"start": self.start,
                **{LIMIT + key: value for key, value in self.limits.given().items()},
                "errors": self.errors, "energy": self.energy, "keep_zero": int(self.keep_zero),
                "mutants": schedule.mutants, "temperature": schedule.temperature,
                "price": schedule.price, "spare": schedule.spare, "seed": self.seed}

    @classmethod
    def of(cls, multiplier: Multiplier) -> Settings:
        """Return the settings that a multiplier holds; InputError when it does not."""
        values = multiplier.parameters
        try:
            return cls(
                start=str(values["start"]), errors=str(values["errors"]),
                energy=str(values["energy"]), keep_zero=bool(values["keep_zero"]),
                limits=Limits(**{key.removeprefix(LIMIT): float(value)
                                 for key, value in values.items() if key.startswith(LIMIT)}),
                schedule=Schedule(mutants=int(values["mutants"]), spare=int(values["spare"]),
                                  temperature=float(values["temperature"]),
                                  price=float(values["price"])),
                seed=int(values["seed"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{multiplier.subject} must hold the settings of an evolution "
                             f"(missing or wrong: {error})") from None
