"""What became of the designs that were judged: the forecast beside the outcome, in words."""

from __future__ import annotations

from collections.abc import Iterator

from hw.common.wording import counted
from search.certify.paired_test import fresh_images, points_of
from search.measure.scores import is_score
from search.report.record import WORDS, Certificate, Judged, RunResult

DISAPPOINTING = 0.01  # of the exact energy, above what the forecast expected


def headline(run: RunResult) -> str:
    """Return the result in a sentence."""
    energies = ", ".join(f"{level} {relative:.3f}" for level, relative
                         in run.kept_figures.relative(run.baseline).items())
    return (f"energy of the exact one: {energies}; {run.made_of}; "
            f"{'; '.join(one.wording for one in run.certificates)}")


def outlook(run: RunResult) -> Iterator[str]:
    """Yield what a reader is owed where less was certified than the forecast expected."""
    if not run.judged:
        yield "no design that saves energy kept the accuracy on the search images: none was judged"
    # The boldest may have been hopeless; the safest of those that save more should have passed.
    failed = next((one for one in run.judged
                   if not one.certified and one.design.energy < run.kept.energy), None)
    if failed is None or (run.certified and run.kept.energy <= run.expected + DISAPPOINTING):
        return
    yield (f"energy {run.expected:.3f} was expected and {run.kept.energy:.3f} is certified: "
           f"the design of {failed.design.energy:.3f} failed, forecast to pass with "
           f"{100 * failed.chance:.0f} %")
    for (network, part), one in zip(run.claims, failed.certificates, strict=True):
        if not one.certified:
            which = f"{network.name}, " * run.joint + f"{part}, " * (len(run.metric) > 1)
            yield f"{which[:-2]}: {_short_of(one)}" if which else _short_of(one)


def _short_of(one: Certificate) -> str:
    said = (f"it lost {tally(one.lost)} and gained {tally(one.gained)} of {one.n:,} images; its "
            f"bound at a level of {100 * one.level:.2g} % is {100 * one.lower_bound:+.2f} points, "
            "not a certificate")
    if is_score(one.metric):  # how far bets reach depends on more than these sums
        return said
    more = fresh_images(one.lost, one.gained, one.n, one.margin)
    return (said + "; " + ("at such a loss no number of images would pass" if more is None else
                           f"about {more:,} fresh images would probably pass")
            + f" at the margin of {points_of(one.margin)} points")


def tally(amount: float) -> str:
    """Return a number of images, or a sum of scores, in few digits."""
    return str(amount) if isinstance(amount, int) else f"{amount:.2f}"


def area_reason(run: RunResult) -> str:
    """Say why less area was not taken; empty where nothing as harmless has less.

    Empty, too, where that is the one array of which `one_array` tells more.
    """
    kept = run.certified
    if kept is None or kept.smaller is None or _is_harmless_array(run):
        return ""
    other = kept.smaller
    more = 100 * (other.energy - kept.design.energy)
    price = (f"takes {more:.1f} points more energy" if more >= 0 else
             f"takes {-more:.1f} points less energy, but was not in the planned order")
    return f"area {other.area:.3f}, {counted(len(other.arrays), 'array')}, as harmless, {price}"


def _is_harmless_array(run: RunResult) -> bool:
    """Return whether the best array that could stand alone is the smaller design, as harmless."""
    kept, single = run.certified, run.single
    return (kept is not None and kept.smaller is not None and len(run.kept.arrays) > 1
            and single is not None and single.design is not None
            and single.design.mapping == kept.smaller.mapping)


def one_array(run: RunResult) -> str:
    """Say what one array would take in place of several; empty where one is kept."""
    kept, single = run.kept, run.single
    if len(kept.arrays) == 1 or single is None:
        return ""
    best, certified = single.design, [one.design for one in run.judged
                                      if one.certified and len(one.design.arrays) == 1]
    if best is None:
        return "none that saves energy kept the accuracy on the search images"
    judged = next((one.verdict for one in run.judged if one.design.mapping == best.mapping),
                  "not judged")
    safe = min(certified, key=lambda one: one.energy, default=best)
    other = "" if safe.mapping == best.mapping else (
        f"; {safe.energy:.3f} of area {safe.area:.3f} is certified")
    saved = 100 * (best.energy - kept.energy)
    harmless = "as harmless, " * _is_harmless_array(run)
    return (f"energy {best.energy:.3f}, area {best.area:.3f}, {harmless}{judged}, forecast to pass "
            f"with {100 * single.chance:.0f} %{other}; the {len(kept.arrays)} arrays save "
            f"{abs(saved):.1f} points {'more' if saved >= 0 else 'less'} for "
            f"{kept.area - best.area:.3f} more area")


def beside(one: Certificate) -> str:
    """Return top-1 and top-5 on the images of a certificate, which claims nothing of them."""
    return "; ".join(f"{WORDS[part]} {100 * share:.2f} %, exact {100 * exact:.2f} %"
                     for part, (exact, share) in one.beside.items())


def forecast_counts(one: Judged) -> str:
    """Return the images that the forecast expects a design to lose and gain."""
    return ", ".join(f"{lost:.1f} / {gained:.1f}"
                     for lost, gained in zip(one.lost, one.gained, strict=True))


def found_counts(one: Judged) -> str:
    """Return the images that it lost and gained."""
    return ", ".join(f"{tally(found.lost)} / {tally(found.gained)}" for found in one.certificates)


def bounds(one: Judged) -> str:
    """Return the bound of each claim in points."""
    return ", ".join(f"{100 * found.lower_bound:+.2f}" for found in one.certificates)


def level_of(one: Judged) -> str:
    """Return the level at which a design was judged."""
    return f"{100 * one.certificates[0].level:.2g} %"
