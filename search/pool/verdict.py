"""The verdict: what the labels of the differing images say of all images of the pool."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.files import write_json
from hw.common.records import Count, Limits, Positive, Size, Text, read_record
from search.certify.paired_test import lower_bound, wording
from search.pool.answers import Answers, differing

FORMAT, FILE = "autoapprox-pool-verdict/1", "verdict.json"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One design on a pool of n images, of which it answers `differing` otherwise.

    lost, gained : images that only the exact network, only the design has right. lower_bound :
    one-sided 95 %, of the difference, a fraction.
    """

    design: Size
    n: Size
    differing: Count
    lost: Count
    gained: Count
    margin: Positive
    lower_bound: Annotated[float, Limits(-1, 1)]

    @property
    def certified(self) -> bool:
        """Whether the loss is shown to be within the margin."""
        return self.lower_bound >= -self.margin

    @property
    def wording(self) -> str:
        """The sentence to print."""
        return wording(certified=self.certified, difference=self.gained - self.lost,
                       margin=self.margin, n=self.n)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All designs that were judged: every one certified, but perhaps the last.

    labels : SHA-256 of the labels that it rests on.
    """

    labels: Text
    judged: Sequence[Judged]


def judge(answers: list[Answers], labels: npt.NDArray[np.int64], margin: float
          ) -> Iterator[Judged]:
    """Judge designs in their order, up to the first failure.

    labels : int64[m], of the images on which any design differs, in their order. On the others a
    design is right where the exact network is: they count among n, lost and gained need no label.
    """
    apart = differing(answers)
    union, n = apart.any(axis=0), apart.shape[1]
    known = [(one[union] == labels[:, None]).any(axis=1) for one in answers]
    for number, right in enumerate(known[1:], 1):
        lost, gained = int((known[0] & ~right).sum()), int((right & ~known[0]).sum())
        found = Judged(design=number, n=n, differing=int(apart[number - 1].sum()),
                       lost=lost, gained=gained, margin=margin,
                       lower_bound=lower_bound(lost, gained, n, margin=margin))
        yield found
        if not found.certified:
            return


def verdict_on(folder: Path, answers: list[Answers], labels: npt.NDArray[np.int64], margin: float
             ) -> Verdict:
    """Judge once: the verdict is written, and other labels are refused from then on."""
    path, digest = folder / FILE, hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()
    if path.exists():
        verdict = read_record(path, Verdict, FORMAT)
        if verdict.labels != digest:
            raise InputError(f"{path}: a verdict was reached on other labels; images that are "
                             "labelled again after it cannot certify: claim anew on fresh images")
        return verdict
    verdict = Verdict(labels=digest, judged=list(judge(answers, labels, margin)))
    write_json(path, {"format": FORMAT, **asdict(verdict)})
    return verdict
