"""What a compiled function takes, said once: names and types, which every call must match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import is_
from typing import Any

import numpy as np

from sim.kernels.jit.handle import Handle

Argument = Handle | int


@dataclass(frozen=True, eq=False)
class Signature:
    """Parameters by name, in order: the dtype that a handle must have, or None for an int64."""

    function: str
    parameters: Mapping[str, np.dtype[Any] | None]

    @classmethod
    def of(cls, function: str, parameters: Mapping[str, type]) -> Signature:
        """Return a signature; `int` is an int64, a NumPy type a handle of such elements."""
        return cls(function, {name: None if kind is int else np.dtype(kind)
                              for name, kind in parameters.items()})

    def words(self, arguments: Mapping[str, Argument]) -> list[int]:
        """Return what a call passes, in order; TypeError for other arguments than declared."""
        if arguments.keys() != self.parameters.keys():
            raise TypeError(f"{self.function} must be given {', '.join(self.parameters)}, "
                            f"not {', '.join(arguments) or 'nothing'}")
        ordered = [arguments[name] for name in self.parameters]
        kinds = [argument.dtype if isinstance(argument, Handle) else None for argument in ordered]
        words = [argument.address if isinstance(argument, Handle) else argument
                 for argument in ordered]
        # Dtypes are one object each; `==` finds float64 equal to None, and int64 to int.
        if all(map(is_, kinds, self.parameters.values())) and set(map(type, words)) == {int}:
            return words
        name = next(name for name, kind, word in zip(self.parameters, kinds, words, strict=True)
                    if kind is not self.parameters[name] or type(word) is not int)
        wanted = self.parameters[name]
        raise TypeError(f"{self.function}: {name} must be "
                        f"{'an int' if wanted is None else f'a handle of {wanted}'}, "
                        f"not {arguments[name]!r}")
