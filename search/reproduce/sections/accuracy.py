"""Section: accuracy of every network as floats and with 8-bit exact multipliers."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from search.certify.paired_test import supported_margin
from search.reproduce.networks import NETWORKS, Network
from search.reproduce.results import Outcome, Results
from search.reproduce.sections.text import DASH, percent
from sim.bench.report import table

HEAD = ("network", "images", "n", "float, published", "float", "8 bits, exact", "standard error",
        "margin")


def lines(results: Results, _folder: str) -> Iterator[str]:
    """Yield the section."""
    yield from ("## Accuracy of the quantised networks", "")
    rows = [row for network in NETWORKS.values() for row in _rows(results, network)]
    yield table(HEAD, rows)
    authors = dict.fromkeys(network.published_by for network in NETWORKS.values()
                            if network.published_by)
    yield (f"*float, published*: by {', '.join(authors)}. *margin*: what a one-sided 95 % "
           "certificate can show with that many images ([search.md](search.md)). The ImageNet "
           "sample is of the training distribution: compare 8 bits with float on the same images, "
           "never with published accuracies. Activation ranges are measured on the calibration "
           "images, *trained ranges* are the network's own; searches use these where there are "
           "any.")
    yield ""


def _rows(results: Results, network: Network) -> Iterator[list[str]]:
    exact = results.one(kind="exact", network=network.name)
    published = (DASH if network.published_top1 is None else f"{network.published_top1:.2f} %")
    floating = _top1(results.one(kind="float", network=network.name))
    for found, title in ((exact, network.title),
                         (results.one(kind="ranges", network=network.name),
                          f"{network.title}, trained ranges")):
        if found is not None:
            right, n = found.found["right"], found.found["n"]
            top1 = right / n
            yield [title, network.images.title, f"{n:,}", published, floating, percent(right, n),
                   f"{100 * sqrt(top1 * (1 - top1) / n):.2f}",
                   f"{100 * supported_margin(n):.1f} points"]
        elif title == network.title:
            yield [title, network.images.title, DASH, published, floating, "not run", DASH, DASH]


def _top1(outcome: Outcome | None) -> str:
    return "not run" if outcome is None else percent(outcome.found["right"], outcome.found["n"])
