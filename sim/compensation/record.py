"""A compensation as data: the constants of every layer that it changes, with their errors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json, write_json
from hw.common.records import Amount, Count, encoded, record, without_format
from sim.compensation.correction import Correction
from sim.network.quant_network import QuantNetwork
from sim.tables import Table, is_exact, table_key

FORMAT = "autoapprox-compensation"
VERSION = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerFit:
    """The fit of one layer.

    Parameters
    ----------
    table : str
        Digest of the product table that it was fitted for.
    kept : str
        `none`, one of `KINDS`, or `chosen`.
    plain_error, error : float
        Mean squared difference of the layer's output from the exact network's on held-out
        images, in squared output codes, without and with what was kept.
    correction : Correction or None
        None when nothing was kept.
    """

    table: str
    kept: str
    plain_error: Amount
    error: Amount
    correction: Correction | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Compensation:
    """Corrections of a network for one mapping of tables to layers.

    Parameters
    ----------
    kind : str
        What was asked for, one of `KINDS`.
    network : str
        Digest of the constants of the network that it was fitted to.
    layers : mapping of str to LayerFit
        Every layer that is not exact, in order.
    fitted_images, held_out_images : int
    plain_divergence, divergence : float
        Of the logits from the exact network's on held-out images, at a temperature of 2, in nats,
        without and with the corrections of all layers.
    """

    kind: str
    network: str
    layers: Mapping[str, LayerFit]
    fitted_images: int
    held_out_images: int
    plain_divergence: float
    divergence: float

    @property
    def kept(self) -> bool:
        """Held-out logits are nearer to the exact network's with the corrections."""
        return self.divergence < self.plain_divergence

    def apply(self, network: QuantNetwork,
              tables: Mapping[str, Table] | None = None) -> QuantNetwork:
        """Return the network with the corrections, or unchanged when they are not `kept`.

        tables : layer -> table that the network will run with; given, they are checked to be
        those of the fit. The result shares kernels and sessions with `network`.

        Raises InputError when the compensation belongs to another network or other tables.
        """
        if network_digest(network) != self.network:
            raise InputError(f"Compensation must belong to {network.source} as it was quantised; "
                             "it was fitted to other weights or scales")
        if tables is not None:
            self._check_tables(network, tables)
        if not self.kept:
            return network
        own = {layer.name: layer for layer in network.layers}
        for name in self.layers:
            if name not in own:
                raise unknown_name("layer", name, own)
        return network.with_layers({name: fit.correction.apply(own[name])
                                    for name, fit in self.layers.items()
                                    if fit.correction is not None})

    def _check_tables(self, network: QuantNetwork, tables: Mapping[str, Table]) -> None:
        digests = {name: table_digest(table) for name, table in inexact(tables).items()}
        for layer in network.layers:
            fit, found = self.layers.get(layer.name), digests.get(layer.name)
            if (fit.table if fit else None) != found:
                raise InputError(f"Compensation must be fitted to the multiplier that layer "
                                 f"{layer.name!r} runs with")

    def save(self, path: Path) -> None:
        """Write a JSON file; equal compensations are equal bytes."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> Compensation:
        """Read a file of `save`; raises InputError naming it for anything else."""
        content = read_json(path)
        try:
            return cls.from_dict(content)
        except InputError as error:
            raise InputError(f"{path}: not a compensation file ({error})") from None

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, ready for JSON."""
        return {
            "format": FORMAT, "version": VERSION, "kind": self.kind, "network": self.network,
            "fitted_images": self.fitted_images, "held_out_images": self.held_out_images,
            "plain_divergence": self.plain_divergence, "divergence": self.divergence,
            "layers": encoded(self.layers)}

    @classmethod
    def from_dict(cls, content: Any) -> Compensation:
        """Return the compensation of `to_dict`; raises InputError."""
        read = record(_CompensationFile, without_format(content, FORMAT))
        return cls(kind=read.kind, network=read.network, layers=read.layers,
                   fitted_images=read.fitted_images, held_out_images=read.held_out_images,
                   plain_divergence=read.plain_divergence, divergence=read.divergence)


@dataclass(frozen=True, kw_only=True)
class _CompensationFile:
    """A `Compensation` in a file, beside its format."""

    version: Literal[2]
    kind: str
    network: str
    layers: Mapping[str, LayerFit]
    fitted_images: Count
    held_out_images: Count
    plain_divergence: float
    divergence: float


def network_digest(network: QuantNetwork) -> str:
    """Return SHA-256 of all constants of the mapped layers."""
    digest = hashlib.sha256()
    for layer in network.layers:
        fixed = layer.requantizer
        digest.update(repr((layer.name, layer.weights.shape, layer.act_zero_point,
                            layer.weight_zero_point)).encode())
        arrays = [layer.weight_codes, layer.bias, layer.sum_scale]
        arrays += [] if fixed is None else [fixed.multiplier, fixed.shift]
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def inexact(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables that are not the exact multiplier's."""
    return {name: table for name, table in tables.items() if not is_exact(table)}


def table_digest(table: Table) -> str:
    """Return SHA-256 of a product table."""
    return hashlib.sha256(table_key(table)).hexdigest()
