"""A claim: which designs are certified, in which order and at which margin, before the pool is run.

A folder holds all that a claim needs: the network, the designs, and later what each answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from hw.common.errors import InputError
from hw.common.files import file_digest, read_bytes, write_bytes, write_json
from hw.common.outputs import check_output
from hw.common.records import Limits, Size, Text, read_record
from hw.machine.design import Design

FORMAT = "autoapprox-claim/1"
FILE, NETWORK, PREPROCESSING = "claim.json", "network.onnx", "network.json"
DESIGNS = "designs"
TOP = {"top1": 1, "top5": 5}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is claimed of designs on the images of a pool.

    designs : SHA-256 of the file of each, safest first: each is judged if all before it passed.
    network, pool : SHA-256 of the network and of the images. images : distinct ones of the pool.
    metric : top1 or top5. margin : largest loss still called none, a fraction. classes : names, in
    the order of the network's outputs, or their numbers.
    """

    designs: Annotated[Sequence[Text], Limits(1)]
    network: Text
    source: Text
    pool: Text
    images: Size
    metric: Literal["top1", "top5"]
    margin: Annotated[float, Limits(0, 1)]
    classes: Sequence[Text]

    @property
    def k(self) -> int:
        """Answers of an image that count as right."""
        return TOP[self.metric]


def pool_digest(keys: np.ndarray) -> str:
    """Return what tells a pool of images apart; keys : V16[n], of its images."""
    return hashlib.sha256(np.sort(keys).tobytes()).hexdigest()


def run_files(runs: Sequence[Path]) -> list[Path]:
    """Return the design of each run folder; InputError where one is none, or networks differ."""
    for run in runs:
        for name in ("design.json", NETWORK):
            if not (run / name).is_file():
                raise InputError(f"{run}: must be the folder of a run of one network, with {name}")
    first = file_digest(runs[0] / NETWORK)
    for run in runs[1:]:
        if file_digest(run / NETWORK) != first:
            raise InputError(f"{run / NETWORK}: must be the network of {runs[0]}: designs are "
                             "compared with one exact network")
    return [run / "design.json" for run in runs]


def open_claim(folder: Path, claim: Claim, runs: Sequence[Path]) -> bool:
    """Write a claim and what it is about; return whether the same one was there already.

    Raises InputError where the folder has another claim.
    """
    if (folder / FILE).exists():
        if load_claim(folder) != claim:
            raise InputError(f"{folder / FILE}: another claim was made here; what is claimed is "
                             "fixed before the pool is run: take another folder")
        return True
    check_output(folder, folder=True)
    (folder / DESIGNS).mkdir(parents=True, exist_ok=True)
    for number, design in enumerate(run_files(runs), 1):
        write_bytes(design_path(folder, number), read_bytes(design))
    for name in (NETWORK, PREPROCESSING):
        if (runs[0] / name).is_file():
            write_bytes(folder / name, read_bytes(runs[0] / name))
    write_json(folder / FILE, {"format": FORMAT, **asdict(claim)})
    return False


def load_claim(folder: Path) -> Claim:
    """Read a claim; raises InputError where there is none, or its files are others by now."""
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder}: must be the folder of a claim, with {FILE}")
    claim = read_record(path, Claim, FORMAT)
    for number, digest in enumerate(claim.designs, 1):
        if file_digest(design_path(folder, number)) != digest:
            raise InputError(f"{design_path(folder, number)}: must be the design that was claimed")
    if file_digest(folder / NETWORK) != claim.network:
        raise InputError(f"{folder / NETWORK}: must be the network of the claim")
    return claim


def design_path(folder: Path, number: int) -> Path:
    """Return the file of a design of the claim, counted from 1."""
    return folder / DESIGNS / f"{number}.json"


def load_design(folder: Path, number: int) -> Design:
    """Return a design of the claim, counted from 1."""
    return Design.load(design_path(folder, number))
