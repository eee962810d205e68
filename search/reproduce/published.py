"""What others published, as they state it; relative to exact hardware unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from search.report.paper import PAPER_ROWS

PAPER = "Jain et al., DATE 2022, Table II"
PAPER_SHARE = 0.2  # of the chip's energy, that of the matrix unit, as that paper states it


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published design.

    energy : relative, of what `energy_of` says. area : relative, None where none is given.
    top1_change : points. accuracy : what that is. like : what it may be compared with.
    """

    source: str
    design: str
    workload: str
    energy: float
    energy_of: str
    area: float | None
    top1_change: float
    accuracy: str
    like: str


_EXACT_TOP1 = next(top1 for name, _energy, _area, top1 in PAPER_ROWS if name == "exact")
ROWS = (
    *(Published(source=PAPER, design=name, workload="ResNet-50, ImageNet", energy=energy,
                energy_of="chip, commercial flow below 10 nm", area=area,
                top1_change=top1 - _EXACT_TOP1,
                accuracy="measured; a tenth of the set was searched on",
                like="the other rows of the paper")
      for name, energy, area, top1 in PAPER_ROWS if name != "exact"),
    Published(source="Jain et al., DATE 2022, text", design="AutoApprox",
              workload="VGG-19, CIFAR-10", energy=0.98,
              energy_of="chip, commercial flow below 10 nm", area=None, top1_change=0.0,
              accuracy="stated as without loss", like="the other rows of the paper"),
    Published(source="Mrazek et al., ICCAD 2019 (ALWANN)", design="alwann",
              workload="ResNet-50, CIFAR-10", energy=0.70, energy_of="multiplications alone",
              area=None, top1_change=-0.6, accuracy="measured",
              like="no row: neither array nor chip"),
)
