"""Coarser activations as a decision: what they save on the exact array, and what they damage.

A larger scale makes smaller codes, which toggle less on every array. Of each tensor that layers
read the factor is chosen by energy plus a price of damage, both measured for that tensor alone; the
price is the least at which all factors together do no more damage than is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from search.measure.probes import relative_damage
from sim.network.quant_network import Images, QuantNetwork
from sim.network.scales import activation_scales

FACTORS = (0.8, 1.0, 1.25, 1.5, 2.0)
PRICES = np.geomspace(1, 1e4, 17)  # shares of the energy of an inference for a unit of damage
LayerEnergies = Callable[[QuantNetwork], npt.NDArray[np.float64]]


def searched_ranges(network: QuantNetwork, images: Images, energies: LayerEnergies, most: float
                    ) -> dict[str, float]:
    """Return the factors of scales that save most at a damage of at most `most`; scale -> factor.

    images : to measure damage on. energies : of each layer of a network on the exact array.
    """
    scales = activation_scales(network.model)
    readers: dict[str, list[int]] = {}
    for index, layer in enumerate(network.layers):
        if layer.input in scales:
            readers.setdefault(scales[layer.input], []).append(index)
    exact, own = network.run(images), energies(network)

    def damage(factors: Mapping[str, float]) -> float:
        return relative_damage(network.with_scales(factors).run(images), exact)

    saved = {factor: (energies(network.with_scales(dict.fromkeys(readers, factor))) - own)
             / own.sum() for factor in FACTORS}
    alone = {(scale, factor): damage({scale: factor}) if factor != 1 else 0.0
             for scale in readers for factor in FACTORS}
    for price in PRICES:
        chosen = {scale: min(FACTORS, key=lambda factor: saved[factor][layers].sum()
                             + price * alone[scale, factor])
                  for scale, layers in readers.items()}
        factors = {scale: factor for scale, factor in chosen.items() if factor != 1}
        if damage(factors) <= most:
            return factors
    return {}
