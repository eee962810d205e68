"""The networks that a run is for: one from the command line, or several that share a bank.

    {"networks": [{"name": "a", "model": "a.onnx", "data": "a.npz", "inferences": 2},
                  {"name": "b", "model": "b.onnx", "calibrate": "b.npz#calibrate",
                   "search": "b.npz#search", "certify": "b.npz#certify"}]}

Paths are relative to the file. `inferences`, 1 where it is not given, says how often a network
runs in a round of the workload; `ranges` names a file of activation ranges for a float network,
and `limit` takes the first images of `data` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json
from models import ZOO
from sim.data.source import relative_to

DEFAULT_MODEL = ZOO / "digits.onnx"
SPLITS = ("calibrate", "search", "certify")
KEYS = ("name", "model", "ranges", "data", "limit", *SPLITS, "inferences")
IMAGES = ("data", *SPLITS)
NAME = re.compile(r"[A-Za-z0-9]\w{0,31}", re.ASCII)
NUMBERS = ("inferences", "limit")
MOST = 10**9
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class NetworkSource:
    """Where one network and its images are; see `search.problem.splits.load_splits`.

    ranges : of the activations of a float network, found in training; None to find them on the
    calibrate split. limit : the first images of `data` only. inferences : how often it runs in a
    round of the workload.
    """

    name: str
    model: Path
    ranges: Path | None = None
    data: str | None
    limit: int | None = None
    splits: Mapping[str, str]
    inferences: int = 1


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The networks, in order; path : of the file that names them, None for a single network."""

    networks: tuple[NetworkSource, ...]
    path: Path | None = None

    @property
    def stem(self) -> str:
        """What a run of it is called."""
        return self.networks[0].model.stem if self.path is None else self.path.stem

    def prefix(self, network: NetworkSource) -> str:
        """Return what stands before the layers of a network: nothing where it is alone."""
        return f"{network.name}/" if len(self.networks) > 1 else ""

    def of(self, network: NetworkSource) -> str:
        """Return ` of NAME`, or nothing where the network is alone: for messages."""
        return f" of {network.name}" if len(self.networks) > 1 else ""


def own_layers(prefix: str, values: Mapping[str, T]) -> dict[str, T]:
    """Return what is said of the layers of one network, by the names that they have in it."""
    return {layer.removeprefix(prefix): value for layer, value in values.items()
            if layer.startswith(prefix)}


def single(model: Path | None, data: str | None, splits: Mapping[str, str], *,
           ranges: Path | None = None, limit: int | None = None) -> Workload:
    """Return the workload of one network, by default the embedded digits network."""
    model = model or DEFAULT_MODEL
    return Workload(networks=(NetworkSource(name=model.stem, model=model, ranges=ranges, data=data,
                                            splits=splits, limit=limit),))


def read_workload(path: Path) -> Workload:
    """Read a workload file; raises InputError naming the file, the network and what is wrong."""
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("networks"), list):
        raise InputError(f'{path}: must be a JSON object with a list of "networks"')
    for key in content:
        if key != "networks":
            raise InputError(f"{path}: {unknown_name('key', key, ['networks'])}")
    if not content["networks"]:
        raise InputError(f"{path}: must name at least one network")
    networks: dict[str, NetworkSource] = {}
    for number, entry in enumerate(content["networks"], 1):
        try:
            network = _network(entry, path.parent)
        except InputError as error:
            raise InputError(f"{path}: network {number}: {error}") from None
        if network.name in networks:
            raise InputError(f"{path}: network {number}: name must be its own, not "
                             f"{network.name!r} again")
        networks[network.name] = network
    return Workload(networks=tuple(networks.values()), path=path)


def _network(entry: Any, folder: Path) -> NetworkSource:
    if not isinstance(entry, dict):
        raise InputError(f"must be a JSON object, not {entry!r}")
    for key, value in entry.items():
        if key not in KEYS:
            raise unknown_name("key", key, KEYS)
        if key in NUMBERS:
            if type(value) is not int or not 1 <= value <= MOST:
                raise InputError(f"{key} must be an integer from 1 to {MOST:,}, not {value!r}")
        elif not (isinstance(value, str) and value):
            raise InputError(f"{key} must be a text, not {value!r}")
    for key in ("name", "model"):
        if key not in entry:
            raise InputError(f"must have a {key}")
    if not NAME.fullmatch(entry["name"]):
        raise InputError("name must be made of letters, digits and '_', 32 at most, "
                         f"not {entry['name']!r}")
    model = folder / entry["model"]
    if not model.is_file():
        raise InputError(f"model must be a file, but {model} is none")
    splits = {split: relative_to(entry[split], folder) for split in SPLITS if split in entry}
    missing = [split for split in SPLITS if split not in splits]
    if splits and ("data" in entry or missing):
        raise InputError("images must be given by data alone, or by calibrate, search and certify, "
                         f"not by {', '.join(key for key in IMAGES if key in entry)}")
    if not splits and "data" not in entry and model.resolve() != DEFAULT_MODEL.resolve():
        raise InputError("images must be given, by data, or by calibrate, search and certify")
    return NetworkSource(name=entry["name"], model=model, splits=splits, limit=entry.get("limit"),
                         inferences=entry.get("inferences", 1),
                         ranges=folder / entry["ranges"] if "ranges" in entry else None,
                         data=relative_to(entry["data"], folder) if "data" in entry else None)
