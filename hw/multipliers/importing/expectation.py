"""Published error figures against those of an imported circuit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from hw.common.errors import InputError, unknown_name
from hw.multipliers.importing.source import shown
from hw.multipliers.metrics import ErrorMetrics

FIGURE = re.compile(r"(?P<name>[A-Za-z]+)=(?P<value>\d{1,12}(\.\d{1,12})?(e[+-]?\d{1,2})?)"
                    r"(?P<percent>%?)", re.IGNORECASE)
# How a figure is computed, plain and in per cent; None where it is not published so.
PLAIN = {"MAE": lambda m: m.mae, "WCE": lambda m: float(m.wce), "EP": lambda m: m.ep,
         "MRE": lambda m: m.mre, "MSE": lambda m: m.mse}
PERCENT = {"MAE": lambda m: m.mae_percent, "WCE": lambda m: m.wce_percent,
           "EP": lambda m: m.ep_percent, "MRE": lambda m: m.mre_percent}


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """One published figure, e.g. `MAE=0.43%`.

    Parameters
    ----------
    name : str
        MAE, WCE, EP, MRE or MSE.
    text : str
        The number as written; its last digit is the precision.
    percent : bool
        MAE and WCE of the full scale, EP of all pairs, MRE of the exact product.
    """

    name: str
    text: str
    percent: bool

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """Return the figure of its text; raises InputError when it is malformed."""
        match = FIGURE.fullmatch(text)
        if match is None:
            raise InputError(f"Expected figure must be NAME=NUMBER or NAME=NUMBER%, "
                             f"not {shown(text)}")
        name, percent = match["name"].upper(), bool(match["percent"])
        if name not in PLAIN:
            raise unknown_name("error figure", match["name"], PLAIN)
        if percent and name not in PERCENT:
            raise InputError(f"Expected {name} must be a plain number, not in per cent")
        return cls(name=name, text=match["value"], percent=percent)

    def difference(self, metrics: ErrorMetrics) -> str | None:
        """Return both numbers where they differ at the written precision, else None."""
        found = (PERCENT if self.percent else PLAIN)[self.name](metrics)
        written = Decimal(self.text)
        half_digit = Decimal(1).scaleb(int(written.as_tuple().exponent)) / 2
        # The last digit may be rounded up or down at the half: published flows differ.
        if abs(Decimal(found) - written) <= half_digit * (1 + Decimal("1e-9")):
            return None
        unit = "%" if self.percent else ""
        digits = len(written.as_tuple().digits) + 2  # enough to tell them apart
        return f"{self.name} must be {self.text}{unit} as published, not {found:.{digits}g}{unit}"


def check(metrics: ErrorMetrics, expectations: Iterable[Expectation]) -> None:
    """Raise InputError with both numbers of every figure that differs."""
    differences = [text for expectation in expectations
                   if (text := expectation.difference(metrics)) is not None]
    if differences:
        raise InputError("; ".join(differences))
