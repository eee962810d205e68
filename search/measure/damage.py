"""Damage of a design to the logits, predicted from the damage of each layer alone.

Damage is the mean squared change of the logits divided by the variance of the exact ones. The
changes d_i that single layers make add up, so their squares do where they are uncorrelated; where
they are not, pairs of layers matter:

    |sum_i d_i|^2 = sum_i |d_i|^2 + sum_(i != j) r_ij |d_i| |d_j|

r_ij is the cosine between the changes of two layers, a matter of the network far more than of
the multipliers: one probe per layer gives it. The damage of several networks is the sum of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from search.problem.space import Assignment

Float = npt.NDArray[np.float64]
# A linear share is never below this part of what the layer does alone: solvers want it positive.
SMALLEST_SHARE = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Damage:
    """Predicted damage.

    alone : float64[N, K], of each (layer, multiplier); not negative.
    interaction : float64[N, N], the cosines r, zero on the diagonal; None leaves pairs out.
    """

    alone: Float
    interaction: Float | None = None

    @classmethod
    def joined(cls, networks: Sequence[Damage]) -> Damage:
        """Return the damage of several networks: it adds up, and none interacts with another."""
        from scipy.linalg import block_diag

        if all(damage.interaction is None for damage in networks):
            return cls(alone=np.concatenate([damage.alone for damage in networks]))
        return cls(alone=np.concatenate([damage.alone for damage in networks]),
                   interaction=block_diag(*(
                       np.zeros((len(damage.alone),) * 2) if damage.interaction is None
                       else damage.interaction for damage in networks)))

    def only(self, columns: Sequence[int]) -> Damage:
        """Return the damage of some of the multipliers."""
        return replace(self, alone=self.alone[:, list(columns)])

    def of(self, design: Assignment) -> float:
        """Return the damage of a design."""
        return float(self.parts(design).sum())

    def parts(self, design: Assignment) -> Float:
        """Return each layer's share of the damage of a design, float64[N]."""
        return self.near(design)[np.arange(len(design)), list(design)]

    def near(self, design: Assignment) -> Float:
        """Return damage that adds up over layers and is right for one design, float64[N, K].

        For designs that differ from it in one layer it is right to first order.
        """
        if self.interaction is None:
            return self.alone
        sizes = np.sqrt(self.alone)
        others = self.interaction @ sizes[np.arange(len(design)), list(design)]
        return np.maximum(self.alone + sizes * others[:, None], SMALLEST_SHARE * self.alone)
