"""Section: what limits the saving, from the numbers above; and what was not run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from search.reproduce.networks import NETWORKS
from search.reproduce.results import NOT_RUN, Results
from search.reproduce.sections.grouping import grouped
from search.reproduce.sections.methods import as_share
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
    for found in results.found(kind="search"):
        method = found.found["methods"][found.found["chosen"]]
        kept, accepted = method["energy"], method["accepted_energy"]
        if kept is not None and accepted is not None and accepted < kept:
            title = NETWORKS[found.about["network"]].title
            yield (f"- *The certificate.* {title} (`{found.name}`): accepted on "
                   f"{found.found['search_n']:,} search images {accepted:.3f}, certified at "
                   f"{100 * found.found['margin']:.1f} points on {found.found['certify_n']:,} "
                   f"others {kept:.3f}.")


def _chips(results: Results) -> Iterator[str]:
    """Yield, for every network, what the design that saves most in the arrays saves in the chip."""
    for network in NETWORKS.values():
        chips = results.found(kind="chip", network=network.name)
        if not chips:
            continue
        most = min(chips, key=lambda chip: chip.found["array_nj"] / chip.found["exact_array_nj"])
        one = most.found
        array = one["array_nj"] / one["exact_array_nj"]
        yield (f"- *The chip around the arrays.* {network.title} (`{most.name}`): "
               f"{one['rows']}x{one['cols']} arrays are {100 * one['mxu_energy_share']:.1f} % of "
               f"the modelled chip energy, so {100 * (1 - array):.1f} % less in the arrays is "
               f"{100 * (1 - one['chip_nj'] / one['exact_chip_nj']):.1f} % less in the chip; with "
               f"the paper's share it would be {100 * (1 - as_share(array)):.1f} %.")
