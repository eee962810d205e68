"""Section: the paper's 36 multipliers, accuracy only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from search.reproduce.networks import NETWORKS
from search.reproduce.results import Outcome, Results
from search.reproduce.sections.text import DASH, percent
from sim.bench.report import table

FIGURE = "bank36.svg"


def points(results: Results) -> dict[str, list[tuple[float, float]]]:
    """Return network title -> (power x delay, top-1 in percent) of the multipliers tried."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in results.found(kind="table"):
        found[NETWORKS[one.about["network"]].title].append(
            (one.found["power_delay"], 100 * one.found["right"] / one.found["n"]))
    return dict(found)


def lines(results: Results, folder: str) -> Iterator[str]:
    """Yield the section."""
    yield from ("## The paper's 36 multipliers: accuracy only", "")
    by_name: dict[str, dict[str, Outcome]] = defaultdict(dict)
    for one in results.found(kind="table"):
        by_name[one.about["multiplier"]][one.about["network"]] = one
    if not by_name:
        yield from ("Not run.", "")
        return
    networks = [name for name in NETWORKS if any(name in found for found in by_name.values())]
    some = next(iter(next(iter(by_name.values())).values())).found
    yield (f"EvoApproxLib's 36 unsigned circuits from their product tables, each in all layers but "
           f"the first and the last, without compensation; first {some['n']:,} test images. *power "
           "x delay* is published, 45 nm, of the multiplier alone: no energy of this project "
           "stands here, and none of an array.")
    yield from ("", f"![Top-1 against power x delay]({folder}/{FIGURE})", "")
    rows = []
    for name, found in sorted(by_name.items(), key=lambda pair: -_any(pair[1])["power_delay"]):
        facts = _any(found)
        rows.append([f"`{name}`", f"{facts['power_delay']:.3f}", f"{facts['mre_percent']:.3g} %",
                     *(percent(found[network].found["right"], found[network].found["n"])
                       if network in found else DASH for network in networks)])
    yield table(("multiplier", "power x delay", "MRE", *(f"{NETWORKS[network].title}"
                                                         for network in networks)), rows)


def _any(found: dict[str, Outcome]) -> dict[str, float]:
    return dict(next(iter(found.values())).found)
