"""What the exact network and each design answer on the pool, and where they differ."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.files import read_bytes, write_bytes
from search.pool.claim import Claim, load_design
from sim.accuracy.labels import largest
from sim.accuracy.logits import evaluate
from sim.compensation.designed import designed
from sim.data import Images
from sim.network.quant_network import QuantNetwork

Answers = npt.NDArray[np.int32]


def run_pool(folder: Path, claim: Claim, network: QuantNetwork,
             images: npt.NDArray[np.float32] | Images, *, quiet: bool) -> None:
    """Run the exact network and every design; those that are kept are not run again."""
    for number in range(1 + len(claim.designs)):
        if _path(folder, number).exists():
            continue
        one, tables = (network, {}) if number == 0 else designed(
            network, load_design(folder, number))
        found = answers_of(evaluate(one, images, tables, quiet=quiet), claim.k)
        content = io.BytesIO()
        np.save(content, found)
        write_bytes(_path(folder, number), content.getvalue())


def answers_of(logits: npt.NDArray[np.float32], k: int) -> Answers:
    """Return the classes of the k largest logits, int32[n, k], ascending: a set."""
    return np.sort(largest(logits, k), axis=1).astype(np.int32)


def load_answers(folder: Path, claim: Claim) -> list[Answers]:
    """Return the answers of the exact network and of each design, int32[n, k]."""
    return list(_read(folder, claim))


def differing(answers: list[Answers]) -> npt.NDArray[np.bool_]:
    """Return for each design the images on which it answers otherwise, bool[designs, n].

    Where two networks give the same answers, both are right or both wrong, whatever the label is.
    """
    exact, *others = answers
    return np.array([(one != exact).any(axis=1) for one in others])


def _read(folder: Path, claim: Claim) -> Iterator[Answers]:
    for number in range(1 + len(claim.designs)):
        path = _path(folder, number)
        if not path.exists():
            raise InputError(f"{folder}: the pool was not run to its end; run the claim again")
        try:
            found = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            found = None
        if found is None or found.shape != (claim.images, claim.k) or found.dtype != np.int32:
            raise InputError(f"{path}: must hold {claim.k} answers to each of {claim.images} "
                             "images; delete it and run the claim again")
        yield found


def _path(folder: Path, number: int) -> Path:
    return folder / "answers" / f"{number}.npy"
