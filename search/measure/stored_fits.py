"""Fits of single layers, each made once: those of other runs, killed ones too, are found.

A file holds the fits of one layer. It is found by the hash of everything that they depend on: the
quantised network, the calibration images, the kind of fit, and the text of the modules that fit.
So a stale one is never found, and may be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from hw.common.cache import DAMAGED, keep, read_kept
from hw.common.code import code_digest
from hw.common.files import write_json_gz
from sim.compensation.record import LayerFit, table_digest
from sim.network.quant_network import Images, QuantNetwork
from sim.tables import Table

FORMAT = "autoapprox-layer-fits/1"
DEFAULT_FOLDER = Path("build/compensations")
FITTED_BY = "sim.compensation.calibration"  # the module whose code decides about a fit
NAME_DIGITS = 24


class StoredFits:
    """The fits of one network, images and kind, for some tables.

    folder : None to keep nothing. tables : by the names that they are asked for.
    """

    def __init__(self, folder: Path | None, network: QuantNetwork, images: Images, kind: str,
                 tables: Mapping[str, Table]) -> None:
        self._folder, self._key, self._tables = folder, "", {}
        if folder is not None:
            self._tables = {name: table_digest(table) for name, table in tables.items()}
            digest = hashlib.sha256(f"{code_digest(FITTED_BY)} {kind} {images.shape}".encode())
            digest.update(network.model.SerializeToString(deterministic=True))
            digest.update(images.tobytes())
            self._key = digest.hexdigest()

    def read(self, layer: str) -> dict[str, LayerFit]:
        """Return what is known of a layer, by the names of the tables, in their order."""
        known = self._known(layer)
        return {name: known[table] for name, table in self._tables.items() if table in known}

    def add(self, layer: str, fits: Iterable[LayerFit]) -> None:
        """Keep fits beside those that are kept already, another run's for example."""
        if self._folder is None:
            return
        known = self._known(layer) | {fit.table: fit for fit in fits}
        content = {"format": FORMAT, "key": self._key, "layer": layer,
                   "fits": [known[table].to_dict() for table in sorted(known)]}
        keep(self._folder, lambda: write_json_gz(self._path(layer), content))

    def _path(self, layer: str) -> Path:
        assert self._folder is not None
        name = hashlib.sha256(f"{self._key} {layer}".encode()).hexdigest()
        return self._folder / f"{name[:NAME_DIGITS]}.json.gz"

    def _known(self, layer: str) -> dict[str, LayerFit]:
        """Return the fits by table; none where there is no such file, or one of another key."""
        if self._folder is None:
            return {}
        try:
            content = read_kept(self._path(layer))
            if (content["format"], content["key"], content["layer"]) != (FORMAT, self._key, layer):
                return {}
            fits = [LayerFit.from_dict(entry) for entry in content["fits"]]
        except DAMAGED:
            return {}  # made again and replaced
        return {fit.table: fit for fit in fits}
