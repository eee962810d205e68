"""What the simulator is meant to reach, and whether a measurement does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hw.common.wording import counted
from sim.bench.contenders.all import BASELINE
from sim.bench.results import Results
from sim.bench.timing import Spread

LUT = ("ours-typical", "ours-hard")  # "any LUT": the slower of them counts
PEAK_GB = 4.0
STACK = "resnet50"
DIRECT_HOURS = 4.2  # an inference by direct simulation (Jain et al., DATE 2022)
Badness = Callable[[Spread], float]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A target, what was measured and whether it was met; None where it was not measured."""

    target: str
    measured: str
    met: bool | None


def verdicts(results: Results) -> list[Verdict]:
    """Return the targets with what `results` say, single-core ones on one thread.

    Those of the stack are about ResNet-50: other shapes have none.
    """
    return [*(_of_stack(results) if results.title == STACK else ()),
            *(_of_networks(results) if results.networks else ())]


def _of_stack(results: Results) -> list[Verdict]:
    found = []
    for threads in results.threads:
        on = counted(threads, "thread")
        found += [
            _at_most(results, f"any LUT ≤ 1.8 × {BASELINE}, {on}", LUT, 1.8, threads),
            _at_most(results, f"rank-1 circuit ≤ 1.15 × {BASELINE}, {on}", ("ours-rank1",), 1.15,
                     threads),
            _at_most(results, f"exact multiplier ≤ 1.1 × {BASELINE}, {on}", ("ours-exact",), 1.1,
                     threads)]
    return [
        *found,
        _at_least(results, "any LUT ≥ 15 × faster than the better compiled loop, per core",
                  ("loop-rows", "loop-columns"), 15),
        _at_least(results, "any LUT ≥ 100 × faster than NumPy gather, per core",
                  ("numpy-gather",), 100),
        _inference(results, max(results.threads)),
        _at_least(results, "any LUT ≥ 1,000 × faster than a Verilated multiplier, per MAC",
                  ("verilator-multiplier",), 1000)]


def _inference(results: Results, threads: int) -> Verdict:
    """Compare an image through the slowest of LUT, per multiplication, with the paper's hours."""
    rows = [results.row(name, threads) for name in LUT]
    known = [Spread.of(row.stack_ns(results.shapes)).median * 1e-9 for row in rows if row]
    target = (f"{STACK}, {DIRECT_HOURS} hours an inference by direct simulation in the paper: "
              f"≤ 0.1 s, any LUT, {counted(threads, 'thread')}")
    if len(known) < len(rows):
        return Verdict(target=target, measured="not measured", met=None)
    times = DIRECT_HOURS * 3600 / max(known)
    return Verdict(target=target, measured=f"{max(known):.3g} s, {times:,.0f} × as fast",
                   met=max(known) <= 0.1)


def _of_networks(results: Results) -> list[Verdict]:
    found = []
    for network, speed in (("resnet50", 8), ("resnet20", 450)):
        records = [record for record in results.networks if record["network"] == network]
        slowest = min((record["images_per_s"]["median"] for record in records), default=None)
        threads = max((record["threads"] for record in records), default=1)
        found.append(Verdict(
            target=f"{network} ≥ {speed} images/s, any LUT, two cores",
            measured="not measured" if slowest is None else
            f"{slowest:.3g} images/s, {counted(threads, 'thread')}",
            met=None if slowest is None else slowest >= speed))
        if network == "resnet50":
            peak = max((record["peak_memory_gb"] for record in records), default=None)
            found.append(Verdict(
                target=f"{network} ≤ {PEAK_GB:g} GB of memory at its peak",
                measured="not measured" if peak is None else f"{peak:.2f} GB",
                met=None if peak is None else peak <= PEAK_GB))
    return found


def _at_most(results: Results, target: str, names: Sequence[str], limit: float,
             threads: int) -> Verdict:
    spreads = [results.ratio(name, BASELINE, threads) for name in names]
    return _verdict(target, spreads, lambda spread: spread.median, limit)


def _at_least(results: Results, target: str, others: Sequence[str], limit: float) -> Verdict:
    """Compare the slowest of LUT with the fastest of `others`, one thread each."""
    speeds = []
    for name in LUT:
        ratios = [results.ratio(other, name, 1) for other in others]
        known = [ratio for ratio in ratios if ratio is not None]
        speeds.append(min(known, key=lambda spread: spread.median)
                      if len(known) == len(ratios) else None)
    return _verdict(target, speeds, lambda spread: -spread.median, -limit)


def _verdict(target: str, spreads: Sequence[Spread | None], badness: Badness,
             limit: float) -> Verdict:
    known = [spread for spread in spreads if spread is not None]
    if len(known) < len(spreads):
        return Verdict(target=target, measured="not measured", met=None)
    worst = max(known, key=badness)
    return Verdict(target=target, measured=f"{worst} ×", met=badness(worst) <= limit)
