"""Layers that programs run: random ones, and those of networks with their rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.machine.host import HostLayer
from sim.network.requantize import Requantizer


@dataclass(frozen=True, kw_only=True)
class RandomLayer:
    """A layer as the compiler sees it, and what the host knows of it."""

    name: str
    host: HostLayer

    @property
    def k(self) -> int:
        return self.host.codes.shape[2]

    @property
    def n(self) -> int:
        return self.host.weights.shape[2]

    @property
    def groups(self) -> int:
        return len(self.host.codes) // self.host.images

    @property
    def positions(self) -> int:
        return self.host.codes.shape[1]

    @property
    def image_weights(self) -> bool:
        return self.host.images > 1

    @property
    def act_zero_point(self) -> int:
        return self.host.act_zero_point

    @property
    def act_signed(self) -> bool:
        return self.host.act_signed

    @property
    def weight_range(self) -> tuple[int, int]:
        return int(self.host.weights.min()), int(self.host.weights.max())

    @property
    def requantizer(self) -> Requantizer | None:
        return self.host.requantizer


def random_layer(generator, name, *, k, n, positions, groups=1, raw=False,
                 symmetric=False) -> RandomLayer:
    """Return a layer with random operands and constants.

    Raw layers have no requantiser; the operands of symmetric ones are -128 to 127.
    """
    signed = bool(generator.integers(2))
    channels = groups * n
    requantizer = None if raw else Requantizer.from_ratio(
        np.exp(generator.uniform(np.log(1e-4), np.log(0.5), channels)),
        zero_point=int(generator.integers(-100, 100) if signed else generator.integers(0, 200)),
        signed=signed, low=None if generator.integers(2) else int(generator.integers(-20, 50)))
    if symmetric:
        zero_point, weights = 0 if signed else 128, (-128, 128)
    else:
        zero_point = int(generator.integers(-128, 128) if signed else generator.integers(256))
        weights = (-255, 256)
    return RandomLayer(name=name, host=HostLayer(
        codes=generator.integers(0, 256, (groups, positions, k)).astype(np.uint8),
        act_zero_point=zero_point, act_signed=signed,
        weights=generator.integers(*weights, (groups, k, n)).astype(np.int16),
        bias=generator.integers(-2**20, 2**20, channels).astype(np.int32),
        requantizer=requantizer))


def layers_with_rows(network, images, tables) -> dict[str, HostLayer]:
    """Return every layer of a network with the bytes that enter it."""
    parts: dict[str, list[np.ndarray]] = {}
    found = {}
    for layer, rows in network.layer_rows(images, tables):
        parts.setdefault(layer.name, []).append(rows)
        found[layer.name] = layer
    return {name: HostLayer.of(layer, np.concatenate(parts[name], axis=1))
            for name, layer in found.items()}
