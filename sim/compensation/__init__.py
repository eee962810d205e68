"""Free compensation: other constants in the requantiser and other weights (docs/compensation.md).

`fit` returns a `Compensation`; `Compensation.apply` returns the network with it.
"""

from sim.compensation.calibration import KINDS, Calibration, fit
from sim.compensation.correction import Correction
from sim.compensation.divergence import logit_divergence
from sim.compensation.record import Compensation, LayerFit
from sim.compensation.weight_map import weight_map

__all__ = ["KINDS", "Calibration", "Compensation", "Correction", "LayerFit", "fit",
           "logit_divergence", "weight_map"]
