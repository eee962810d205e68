"""Section: this project's designs beside published ones, and what may be compared."""

from __future__ import annotations

from collections.abc import Iterator

from search.reproduce.networks import NETWORKS
from search.reproduce.published import PAPER_SHARE, ROWS
from search.reproduce.results import Outcome, Results
from search.reproduce.sections.methods import as_share, chip_energy
from search.reproduce.sections.text import DASH, ratio
from sim.bench.report import table

HEAD = ("design", "workload", "energy", "of what", "area", "top-1, points", "accuracy is",
        "like for like with")

ARRAY = "array, asap7"


def lines(results: Results, _folder: str) -> Iterator[str]:
    """Yield the section."""
    yield from ("## Beside published figures", "")
    rows = [[f"{one.design} ({one.source})", one.workload, ratio(one.energy), one.energy_of,
             ratio(one.area), f"{one.top1_change:+.1f}",
             one.accuracy, one.like] for one in ROWS]
    best = [found for network in NETWORKS if (found := _best(results, network)) is not None]
    yield table(HEAD, [*rows, *(row for found in best for row in _rows(results, found))])
    yield (f"The row *arrays {100 * PAPER_SHARE:.0f} % of chip* is the one to set beside the "
           "paper's, whose energy is that of a chip of which the matrix unit is that share. It is "
           "like for like in the kind of energy, for VGG-19 in network and images too, though not "
           "in its weights: asap7 is an open, predictive 7 nm library without placement or wires, "
           "the other networks are not the paper's, and accuracy is certified on images that "
           "nothing else has touched. ALWANN's saving is of "
           "multiplications, which an array never saves in full (Figure 4). Of several runs "
           "on a network the least certified energy is shown: each certificate holds for its run, "
           "not for the choice among them.")
    yield ""


def _best(results: Results, network: str) -> Outcome | None:
    """Return the certified search of least energy of a network, compensation or not."""
    def energy(outcome: Outcome) -> float | None:
        method = outcome.found["methods"][outcome.found["chosen"]]
        kept = method["certificate"]
        return method["energy"] if kept and kept["certified"] else None

    found = [(energy(one), one) for one in results.found(kind="search", network=network)]
    certified = [(value, one) for value, one in found if value is not None]
    return min(certified, key=lambda pair: pair[0])[1] if certified else None


def _rows(results: Results, outcome: Outcome) -> Iterator[list[str]]:
    found, network = outcome.found, NETWORKS[outcome.about["network"]]
    method = found["methods"][found["chosen"]]
    energy, certificate = method["energy"], method["certificate"]
    change = 100 * (certificate["gained"] - certificate["lost"]) / found["certify_n"]
    chip = results.one(kind="chip", method=found["chosen"], network=network.name,
                       variant=outcome.about["variant"])
    same = any(one.workload.startswith(f"{network.title},") for one in ROWS)
    modelled = chip_energy(energy, chip.found if chip else None)
    for value, what, area, like in (
            (energy, ARRAY, ratio(method["area"]), "other rows *array*"),
            (modelled, "chip, modelled", DASH, "other rows *chip, modelled*"),
            (as_share(energy), f"arrays {100 * PAPER_SHARE:.0f} % of chip", DASH,
             "the paper's, in kind of energy" + (", network, images" if same else " alone"))):
        if value is not None and (value != 1 or what == ARRAY):  # the exact array needs one row
            yield [f"{found['chosen']} (here, `{outcome.name}`)",
                   f"{network.title}, {network.images.title}", ratio(value), what,
                   area, f"{change:+.2f}",
                   f"certified, margin {100 * found['margin']:.1f}", like]
