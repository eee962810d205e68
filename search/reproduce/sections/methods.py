"""Section: Figures 7 and 8 and Table II: every method at one budget, array and chip energy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hw.multipliers import catalogue, get
from hw.multipliers.precision import in_words
from search.methods.precision import METHOD as PRECISION
from search.report.record import made_of
from search.reproduce.networks import NETWORKS, PAPER_AREAS
from search.reproduce.published import PAPER_SHARE
from search.reproduce.results import Outcome, Results
from search.reproduce.sections.text import DASH, percent, ratio
from sim.bench.report import table

HEAD = ("method", "evaluations", "accepted", "array energy", "nJ", "multipliers", "chip energy",
        f"arrays {100 * PAPER_SHARE:.0f} % of chip", "area", "arrays", "latency, us", "top-1",
        "lost, gained", "bound", "verdict")
PLAIN = "none"
# From this commit on PEs have no registers for bits that nothing needs.
TRIMMED_SINCE = "b6cf4be11f"


def lines(results: Results, folder: str) -> Iterator[str]:
    """Yield the section."""
    yield from ("## Figures 7 and 8, Table II: all methods at one budget", "")
    yield ("*evaluations*: passes of the search split, preparations charged. *accepted*: least "
           "array energy that kept the accuracy there. All behind it is of the design that was "
           "kept: of a planned few of the accepted ones and those that are as harmless, the last "
           "that the certify split passed. Runs from the pool on certify one order for all methods "
           "([search.md](search.md#one-pool-one-planned-order)); rows of the others then show what "
           "each would have handed over. CIFAR-10's search images are a tenth of the test set, "
           "as in the paper, and the other 9,000 certify. "
           "*top-1*, *lost, gained* and *bound* (95 %, points) are on the certify images, which "
           f"nothing else has touched. *arrays {100 * PAPER_SHARE:.0f} % of chip* is derived: the "
           "paper's share, the rest unchanged. *chip energy* is modelled with this project's "
           "buffers at this array size. *nJ* is the arrays' per inference, *multipliers* the "
           "energy of those alone. Earlier runs, with a dash there, have chip energies on the "
           "network's own weights instead of those that the arrays hold. The paper's Vizier is "
           f"closest to `gp`. Runs whose commit is not {TRIMMED_SINCE} or a later one built PEs "
           "with registers for bits that nothing needs "
           "([ppa.md](ppa.md#registers-that-hold-nothing)), from a bank chosen by their energies.")
    yield ""
    for found in results.found(kind="search"):
        if found.about["variant"] != "study" and found.about["variant"] not in PAPER_AREAS:
            yield from _run(results, found, folder)
    yield from _banks(results)


def _run(results: Results, outcome: Outcome, folder: str) -> Iterator[str]:
    found, network = outcome.found, NETWORKS[outcome.about["network"]]
    compensation = ("without compensation" if found["compensation"] == PLAIN
                    else f"compensation {found['compensation']}")
    by = f"; commit {outcome.project}" * bool(outcome.project)
    yield (f"**{network.title}**, {compensation}: {found['layers']} layers, "
           f"{found['multipliers']} multipliers, {found['rows']}x{found['cols']} arrays, batch "
           f"{found['batch']}, at most {found['max_arrays']} arrays of {found['area_limit']:g} "
           f"times the exact area, budget {found['budget']}, seed {found['seed']}; "
           f"{found['search_n']:,} search images, exact {_exact(found, 'search')}; "
           f"{_n(found['certify_n'])} certify images, exact {_exact(found, 'certify')}; margin "
           f"{100 * found['margin']:.1f} points{by}.{_arrays(found)}")
    yield ""
    chips = {one.about["method"]: one.found for one in results.found(
        kind="chip", network=network.name, variant=outcome.about["variant"])}
    yield table(HEAD, [_row(name, one, found, chips.get(name))
                       for name, one in found["methods"].items()])
    if outcome.figure:
        yield from (f"![Energy and accuracy of every design]({folder}/{outcome.figure})", "")


def _arrays(found: Mapping[str, Any]) -> str:
    """Return what the designs of the chosen method and of plain lower precision are made of."""
    kept = {method: {name: in_words(get(name)) for name in found["methods"][method]["arrays"]
                     if name in catalogue()}
            for method in dict.fromkeys((found["chosen"], PRECISION.name))
            if method in found["methods"]}
    return "".join(f" Arrays of {method}: {made_of(words)}."
                   for method, words in kept.items() if words)


def _row(name: str, method: Mapping[str, Any], found: Mapping[str, Any],
         chip: Mapping[str, float] | None) -> list[str]:
    energy = method["energy"]
    title = f"**{name}**" if name == found["chosen"] else name
    spent = (title, f"{method['evaluations']:.0f}", ratio(method["accepted_energy"]))
    held = _held(method["certificate"], found["certify_n"])
    if energy is None:  # where one failed, the first to fail
        return [*spent, "none kept", *[DASH] * (len(HEAD) - len(spent) - 1 - len(held)), *held]
    levels, latency = method.get("relative", {}), method.get("latency_us")
    return [*spent, ratio(energy), f"{energy * found['exact_pj'] / 1000:,.0f}",
            ratio(levels.get("multiplier")),
            ratio(levels.get("chip") or chip_energy(energy, chip)), ratio(as_share(energy)),
            ratio(method["area"]), str(len(method["arrays"])),
            f"{latency:.4g}" if latency else DASH, *held]


def _held(certificate: Mapping[str, Any] | None, n: int) -> list[str]:
    if certificate is None:
        return [DASH] * 4
    return [percent(certificate["approx_right"], n),
            f"{certificate['lost']}, {certificate['gained']}",
            f"{100 * certificate['lower_bound']:+.2f}",
            "certified" if certificate["certified"] else "not certified"]


def chip_energy(array: float, chip: Mapping[str, float] | None) -> float | None:
    """Return the modelled chip energy relative to the exact chip's, None where it was not run."""
    if array == 1:
        return 1.0
    return None if chip is None else chip_ratio(chip)


def chip_ratio(chip: Mapping[str, float]) -> float:
    """Return the modelled energy of a chip relative to the exact one's."""
    return chip["chip_nj"] / chip["exact_chip_nj"]


def as_share(array: float) -> float:
    """Return the energy of a chip of which the exact array is the paper's share."""
    return 1 - PAPER_SHARE * (1 - array)


def _exact(found: Mapping[str, Any], split: str) -> str:
    right, n = found[f"exact_{split}_right"], found[f"{split}_n"]
    return DASH if right is None else percent(right, n)


def _n(count: int | None) -> str:
    return DASH if count is None else f"{count:,}"


def _banks(results: Results) -> Iterator[str]:
    """Yield the designs under the areas of the paper's S, L and XL."""
    rows = []
    for found in results.found(kind="search"):
        variant = found.about["variant"]
        if variant not in PAPER_AREAS:
            continue
        network, size = found.about["network"], variant.removeprefix("area-").upper()
        for name, method in found.found["methods"].items():
            chip = results.one(kind="chip", method=name, network=network, variant=variant)
            row = _row(name, method, found.found, chip.found if chip else None)
            by = f", {name}" * (name != found.found["chosen"])
            rows.append([f"{NETWORKS[network].title}, {size}{by}",
                         f"{found.found['area_limit']:g}", *row[1:]])
    if rows:
        yield ("**Bank sizes.** The paper's S, L and XL are told apart by their area here: milp "
               "with no more area than each.")
        yield ""
        yield table(("network, bank", "area limit", *HEAD[1:]), rows)
