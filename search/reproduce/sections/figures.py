"""Section: the paper's Figures 2, 4, 5, 6 and 9 in this project's terms."""

from __future__ import annotations

from collections.abc import Iterator

from search.reproduce.networks import NETWORKS
from search.reproduce.results import Outcome, Results
from sim.bench.report import table


def lines(results: Results, folder: str) -> Iterator[str]:
    """Yield the section; a figure that was not run is left to the list at the end."""
    yield from ("## The paper's figures", "")
    maps = results.found(kind="figure2")
    if maps:
        yield "**Figure 2**, error of a multiplier over its operands: " + "; ".join(
            f"`{one.about['multiplier']}`, mean error {one.found['mae_percent']:.2f} % of full "
            f"scale, mean relative error {one.found['mre_percent']:.1f} %" for one in maps) + "."
        yield from ("", " ".join(_image(one, folder, one.about["multiplier"]) for one in maps), "")
    if found := results.one(kind="figure4"):
        streams = "; ".join(f"r = {values['r']:.3f} on {name} operands ({values['circuits']} "
                            "circuits)" for name, values in found.found["streams"].items())
        yield ("**Figure 4**, energy of the multiplier alone and of arrays built from it: "
               f"{streams}.")
        yield from ("", _image(found, folder, "Multiplier energy against array energy"), "")
    if found := results.one(kind="figure5"):
        yield from _speed(found)
    if found := results.one(kind="figure6"):
        yield ("**Figure 6**, singular values of the error: how many terms a low-rank emulation "
               "needs for a share of the error's energy, and in all.")
        yield ""
        yield table(("multiplier", "99 %", "99.9 %", "rank"), [
            [f"`{name}`", str(one["terms_99"]), str(one["terms_999"]), str(one["rank"])]
            for name, one in found.found["multipliers"].items()])
        yield from (_image(found, folder, "Singular values of the error"), "")
    for one in results.found(kind="search", variant="study"):
        title = NETWORKS[one.about["network"]].title
        yield (f"**Figure 9**, damage of each multiplier in each layer of {title} alone, measured; "
               "dots: the mapping that was kept.")
        yield from ("", _image(one, folder, "Damage per layer and multiplier"), "")


def _image(outcome: Outcome, folder: str, alternative: str) -> str:
    return f"![{alternative}]({folder}/{outcome.figure})" if outcome.figure else \
        f"({alternative}: the figure is too large for this page)"


def _speed(outcome: Outcome) -> Iterator[str]:
    found = outcome.found
    rows = found["rows"]
    yield (f"**Figure 5**, time of a simulation relative to ONNX Runtime's int8 convolutions, "
           f"{found['title']}, {found['threads']} thread, median of {found['repeats']} rounds on "
           f"{found['cpu']} (all of it: [benchmarks.md](benchmarks.md)): "
           + "; ".join(f"{one['label']} {_times(one['ratio'])}" for one in rows.values()) + ".")
    yield ""


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
