"""The next look of a run that may look at more images: fresh ones, at the level fixed for it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.outputs import check_output
from hw.common.wording import counted
from search.certify import earlier_looks as ledger
from search.certify.looks import Counts
from search.certify.paired_test import compare, holds
from search.measure.metric import AGREEMENT, kept
from search.pool.claim import NETWORK, design_path, load_design, pool_digest
from search.pool.looks import (
    FOLDER,
    Look,
    Looks,
    begin,
    begun,
    count,
    counts_of,
    load_looks,
    told,
    verdicts,
)
from search.pool.unseen import unseen
from sim.accuracy.labels import class_scores_check
from sim.accuracy.logits import evaluate
from sim.compensation.designed import designed
from sim.data import LabelledImages
from sim.data import kept as kept_images
from sim.network.quant_network import QuantNetwork


def continue_run(options: argparse.Namespace) -> None:
    """Judge the designs that are not certified yet, on the images of all looks together."""
    run: Path = options.run
    looks = load_looks(run)
    check_output(run / FOLDER, folder=True)
    number, due = _next(run, looks, begun(run))
    name = f"{run.name}, look {number}"
    before = [one for one in ledger.own_looks(run) if one.run != name]
    images, keys = unseen(options.data, {run: before}, limit=options.limit,
                          labelled=looks.parts != [AGREEMENT])
    data = kept_images(images)
    network = QuantNetwork.load(run / NETWORK, check_output=class_scores_check(
        run / NETWORK, [(options.data, data.labels)] * (looks.parts != [AGREEMENT])))
    look = begin(run, number, pool_digest(keys), len(keys))
    own = ledger.images_of([keys])
    ledger.write(run, ledger.Look(run=name, images=own, chosen_on=own[:0]), before)
    print(f"look {number} of {len(looks.levels)}: {counted(len(keys), 'fresh image')}, level "
          f"{100 * looks.levels[number - 1]:.2g} %")
    counts = counts_of(look)
    exact = evaluate(network, data.images, {}, quiet=False)
    for design in due:
        if design not in counts:
            counts[design] = _counts(run, looks, design, network, data, exact)
            count(run, number, counts)
    _tell(run, looks)


def _next(run: Path, looks: Looks, history: Sequence[Look]) -> tuple[int, list[int]]:
    """Return the number of the look to take, or to go on with, and the designs that it judges."""
    every = range(len(looks.designs))
    certified = set[int]()
    for number, look in enumerate(history, 1):
        due = [design for design in every if design not in certified]
        if not {*due} <= counts_of(look).keys():
            if number == 1:
                raise InputError(f"{run}: must be a finished run")
            return number, due
        found = verdicts(looks, [counts_of(one) for one in history[:number]])[-1]
        certified |= {design for design, one in found.items() if holds(one)}
    due = [design for design in every if design not in certified]
    if not due:
        raise InputError(f"{run}: must have a design left to certify, but all of them are")
    if len(history) == len(looks.levels):
        raise InputError(f"{run}: must have a look left, but all {len(history)} are taken; fresh "
                         "images start a new claim")
    return len(history) + 1, due


def _counts(run: Path, looks: Looks, design: int, network: QuantNetwork, data: LabelledImages,
            exact: npt.NDArray[np.float32]) -> list[Counts]:
    """Return what a design loses and gains on the images of a look, by part of the metric."""
    changed, tables = designed(network, load_design(run / FOLDER, design + 1))
    logits = evaluate(changed, data.images, tables, quiet=False)
    return [Counts.of(compare(before, after, margin=looks.margin, metric=part))
            for part, before, after in zip(
                looks.parts, kept(looks.parts, exact, data.labels, exact),
                kept(looks.parts, logits, data.labels, exact), strict=True)]


def _tell(run: Path, looks: Looks) -> None:
    history = begun(run)
    found = verdicts(looks, [counts_of(one) for one in history])
    for line in told(looks, found[-1]):
        print(line)
    passed = {design for one in found for design, certificates in one.items()
              if holds(certificates)}
    if passed:
        best = max(passed)  # each saves more than the one before
        print(f"kept: design {best + 1}, energy {looks.energies[best]:.3f}, "
              f"{design_path(run / FOLDER, best + 1)}")
    else:
        print("kept: none")
    left = len(looks.levels) - len(history)
    print(f"looks left: {left}" if left else "looks left: none; fresh images start a new claim")
