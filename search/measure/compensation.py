"""Free compensation of every (layer, multiplier): constants that a layer has on each array.

The fits of `sim.compensation` are made for one multiplier in one layer alone, on calibration
images, before anything is searched. They then hold for every mapping, so that candidates share
what they compute, no method pays for them twice, and what is measured is what is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.multipliers import Multiplier
from search.measure.stored_fits import StoredFits
from search.methods.base import Counter
from sim.compensation import Calibration, Correction, LayerFit
from sim.network.layer import MappedLayer
from sim.network.quant_network import Images, QuantNetwork
from sim.tables import pe_table

NONE = "none"
# What `--compensation` takes besides -> the kind of fit, and its passes over the calibration
# images per multiplier: where weights are mapped both sums are needed.
KINDS: Mapping[str, tuple[str, int]] = {
    "affine": ("affine", 1), "weights": ("weights", 2), "both": ("weights+affine", 2)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Compensated:
    """The fit of every (layer, multiplier).

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    fits : mapping of layer to mapping of multiplier to LayerFit
    passes : float
        Passes over the calibration images that the fits took.
    """

    kind: str
    fits: Mapping[str, Mapping[str, LayerFit]]
    passes: float
    _layers: dict[tuple[str, str], MappedLayer] = field(default_factory=dict, repr=False)

    def __call__(self, layer: MappedLayer, multiplier: str) -> MappedLayer:
        """Return a layer with the constants it has on an array of this multiplier."""
        correction = self.fits[layer.name][multiplier].correction
        if correction is None:
            return layer
        identity = layer.name, multiplier
        if identity not in self._layers:
            self._layers[identity] = correction.apply(layer)
        return self._layers[identity]

    def error_power(self) -> npt.NDArray[np.float64]:
        """Return the mean squared error of the output that is left, float64[N, K]."""
        return np.array([[fit.error for fit in row.values()] for row in self.fits.values()])

    def corrections(self, mapping: Mapping[str, str]) -> dict[str, Correction]:
        """Return the constants of the layers that a mapping changes."""
        found = {layer: self.fits[layer][name].correction for layer, name in mapping.items()}
        return {layer: correction for layer, correction in found.items() if correction is not None}


def compensation_passes(kind: str, approximate: int) -> float:
    """Return the passes over the calibration images that fitting takes: the exact one first."""
    return 1 + KINDS[kind][1] * approximate


def compensate(network: QuantNetwork, images: Images, multipliers: Mapping[str, Multiplier],
               kind: str, *, folder: Path | None = None,
               progress: Counter | None = None) -> Compensated:
    """Fit every multiplier in every layer alone on images float32[n, c, h, w].

    kind : one of `KINDS`. folder : where fits are kept, by default they are not.
    """
    fitted, _passes = KINDS[kind]
    tables = {name: pe_table(multiplier) for name, multiplier in multipliers.items()}
    kept = StoredFits(folder, network, images, fitted, tables)
    fits = {layer.name: kept.read(layer.name) for layer in network.layers}
    missing = {layer: {name: table for name, table in tables.items() if name not in row}
               for layer, row in fits.items() if len(row) < len(tables)}
    if progress is not None and len(fits) > len(missing):
        progress.advance(len(fits) - len(missing), note="known")
    if missing:
        for layer, made in Calibration(network, images).alone(missing, fitted):
            kept.add(layer, made.values())
            row = {**fits[layer], **made}
            fits[layer] = {name: row[name] for name in tables}
            if progress is not None:
                progress.advance(note=layer)
    approximate = sum(not multiplier.is_exact for multiplier in multipliers.values())
    return Compensated(kind=kind, fits=fits, passes=compensation_passes(kind, approximate))
