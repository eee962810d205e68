"""The two steps of a certificate on a pool: the claim, and what the labels make of it."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hw.common.errors import InputError
from hw.common.files import file_digest, read_bytes
from hw.common.wording import counted
from search.certify.earlier_looks import own_looks
from search.certify.paired_test import points_of, supported_margin
from search.pool.answers import differing, load_answers, run_pool
from search.pool.claim import (
    NETWORK,
    Claim,
    load_claim,
    open_claim,
    pool_digest,
    run_files,
)
from search.pool.labelling import FOLDER, PAGE, TEMPLATE, read_labels, write_images
from search.pool.unseen import unseen
from search.pool.verdict import verdict_on
from sim.network.quant_network import QuantNetwork


def claim(options: argparse.Namespace) -> None:
    """Fix what is claimed, run the pool, write the images to label."""
    designs = run_files(options.runs)
    images, keys = unseen(options.pool, {run: own_looks(run) for run in options.runs},
                          limit=options.limit, labelled=False)
    network = QuantNetwork.load(options.runs[0] / NETWORK)
    outputs = network.run(np.asarray(images[:1])).shape[1]
    names = [str(number) for number in range(outputs)] if options.classes is None else \
        _classes(options.classes, outputs)
    made = Claim(
        designs=[file_digest(path) for path in designs],
        network=file_digest(options.runs[0] / NETWORK),
        source=options.pool, pool=pool_digest(keys), images=len(keys), metric=options.metric,
        margin=supported_margin(len(keys)) if options.margin is None else options.margin,
        classes=names)
    if not 0 < made.margin < 1:
        raise InputError(f"--margin must be a fraction between 0 and 1, not {made.margin:g}")
    if open_claim(options.output, made, options.runs):
        print(f"{options.output}: the claim is made already; going on")
    run_pool(options.output, made, network, images, quiet=False)
    which = np.flatnonzero(differing(load_answers(options.output, made)).any(axis=0))
    print(f"{counted(len(which), 'image')} of {made.images:,} on which "
          f"{'the design differs' if len(designs) == 1 else 'a design differs'} from the exact "
          f"network, margin {points_of(made.margin)} points")
    write_images(options.output, images, which, made.classes)
    if which.size:
        print(f"label them: {options.output / FOLDER / PAGE} shows them, "
              f"{options.output / FOLDER / TEMPLATE} takes the labels")
    print(f"then: python -m search.pool conclude {options.output}")


def _classes(path: Path, outputs: int) -> list[str]:
    names = [line.strip() for line in read_bytes(path).decode(errors="replace").splitlines()]
    if len(names) != outputs or len(set(names)) != outputs or not all(names):
        raise InputError(f"{path}: must name each of the {outputs} classes in a line of its own, "
                         f"not {len(names)} lines with {len(set(names))} names")
    return names


def conclude(options: argparse.Namespace) -> None:
    """Take the labels back, and judge."""
    made = load_claim(options.folder)
    answers = load_answers(options.folder, made)
    which = np.flatnonzero(differing(answers).any(axis=0))
    labels = read_labels(options.labels or options.folder / FOLDER / TEMPLATE, which,
                         made.classes)
    verdict = verdict_on(options.folder, answers, labels, made.margin)
    for one in verdict.judged:
        print(f"design {one.design} of {len(made.designs)}: {one.differing} of {one.n:,} answers "
              f"differ, {one.lost} lost, {one.gained} gained, bound "
              f"{100 * one.lower_bound:+.3f} points: {one.wording}")
    passed = [one.design for one in verdict.judged if one.certified]
    print(f"kept: design {passed[-1]}, {made.metric}" if passed else
          "kept: none; a new claim takes fresh images")
