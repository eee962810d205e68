"""Section: what limits the saving, from the numbers above; and what was not run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from search.reproduce.networks import NETWORKS
from search.reproduce.results import NOT_RUN, Results
from search.reproduce.sections.grouping import grouped
from search.reproduce.sections.methods import as_share, chip_ratio
from search.reproduce.steps import DONE


def lines(results: Results, _folder: str) -> Iterator[str]:
    """Yield the section."""
    yield from ("## What limits the saving", "")
    yield from _certificates(results)
    yield from _chips(results)
    yield from ("", "## Not run", "")
    absent = [outcome for outcome in results.outcomes if outcome.state != DONE]
    if not absent:
        yield "Everything was run."
    reasons: dict[str, list[str]] = defaultdict(list)
    for group in grouped([one for one in absent if not one.waits_for]):
        behind = _behind(results, group.names)
        waiting = f" (and {behind} behind)" * (behind > 0)
        reasons[f"{group.state}, {group.reason}"].append(f"{group.label}{waiting}")
    for reason, labels in reasons.items():
        yield f"- {reason.removeprefix(f'{NOT_RUN}, ')}: {', '.join(labels)}."
    yield ""


def _behind(results: Results, names: Sequence[str]) -> int:
    """Return how many steps wait for some, directly or not."""
    waiting = [one.name for one in results.outcomes if one.waits_for in names]
    return len(waiting) + _behind(results, waiting) if waiting else 0


def _certificates(results: Results) -> Iterator[str]:
    """Yield what the chosen methods accepted and what was certified, where that is more."""
    found = []
    for outcome in results.found(kind="search"):
        method = outcome.found["methods"][outcome.found["chosen"]]
        kept, accepted = method["energy"], method["accepted_energy"]
        if kept is not None and accepted is not None and accepted < kept:
            found.append(f"`{outcome.name}` {accepted:.3f} and {kept:.3f}")
    if found:
        yield ("- *The certificate.* Energy accepted on the search images, and the one that the "
               f"certify images allowed: {', '.join(found)}.")


def _chips(results: Results) -> Iterator[str]:
    """Yield, for every network, what the design that saves most in the arrays saves in the chip."""
    parts = []
    for network in NETWORKS.values():
        chips = results.found(kind="chip", network=network.name)
        if not chips:
            continue
        most = min(chips, key=lambda chip: chip.found["array_nj"] / chip.found["exact_array_nj"])
        one = most.found
        array = one["array_nj"] / one["exact_array_nj"]
        parts.append(
            f"{network.title} (`{most.name}`): {one['rows']}x{one['cols']} arrays are "
            f"{100 * one['mxu_energy_share']:.1f} % of the modelled chip energy, so "
            f"{100 * (1 - array):.1f} % less in the arrays is "
            f"{100 * (1 - chip_ratio(one)):.1f} % less in the chip; with "
            f"the paper's share it would be {100 * (1 - as_share(array)):.1f} %")
    if parts:
        yield f"- *The chip around the arrays.* {'. '.join(parts)}."
