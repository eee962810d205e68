"""What is said of a product that no array runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Unmapped(NamedTuple):
    """Why a product stays outside the arrays; macs : multiplications an image, None if unknown."""

    reason: str
    macs: int | None


@dataclass(frozen=True, kw_only=True)
class Outside:
    """One product outside the arrays, for readers.

    share : of all multiplications of the network that are known, a fraction; None if unknown.
    """

    name: str
    reason: str
    share: float | None

    def __str__(self) -> str:
        share = "multiplications unknown" if self.share is None else \
            f"{100 * self.share:.1f} % of multiplications"
        return f"{self.name}: {self.reason}, {share}"


def listed(unmapped: Mapping[str, Unmapped], mapped_macs: int) -> list[Outside]:
    """Return the products with their shares; mapped_macs : multiplications on the arrays."""
    total = mapped_macs + sum(product.macs or 0 for product in unmapped.values())
    return [Outside(name=name, reason=product.reason, share=(
        None if product.macs is None else product.macs / max(total, 1)))
        for name, product in unmapped.items()]
