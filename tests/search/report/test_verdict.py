"""What became of the designs that were judged: nothing is lost in silence."""

from dataclasses import replace

import pytest

from search.report.record import SingleArray
from search.report.verdict import (
    area_reason,
    bounds,
    forecast_counts,
    found_counts,
    headline,
    level_of,
    one_array,
    outlook,
)
from tests.search.runs import made_up_run

RUN = made_up_run()
PASSED, FAILED = RUN.judged


def test_the_headline_has_every_level_and_the_certificate():
    said = headline(RUN)
    assert f"array {RUN.kept_figures.relative(RUN.baseline)['array']:.3f}, chip 0." in said
    assert said.endswith("; zero-loss (certified, margin 1.0 points, 95 %)")


def test_where_as_much_is_certified_as_was_expected_nothing_more_is_said():
    assert list(outlook(replace(RUN, expected=RUN.kept.energy))) == []
    assert list(outlook(replace(RUN, judged=[PASSED], expected=0.1))) == []


@pytest.mark.parametrize(("certificate", "said"), [
    ({}, "it lost 12 and gained 1 of 800 images; its bound at a level of 2.5 % is -2.17 points, "
         "not a certificate; at such a loss no number of images would pass at the margin of 1.0 "
         "points"),
    ({"lost": 8, "gained": 2, "lower_bound": -0.0151}, "it lost 8 and gained 2 of 800 images; its "
     "bound at a level of 2.5 % is -1.51 points, not a certificate; about 19,000 fresh images "
     "would probably pass at the margin of 1.0 points")])
def test_what_fell_short_is_told_with_its_bound_and_the_images_that_it_needs(certificate, said):
    one, = FAILED.certificates
    failed = replace(FAILED, certificates=(replace(one, **certificate),))
    first, second = outlook(replace(RUN, judged=[PASSED, failed], expected=0.1))
    assert first == (f"energy 0.100 was expected and {RUN.kept.energy:.3f} is certified: "
                     f"the design of {failed.design.energy:.3f} failed, forecast to pass with 75 %")
    assert second == said


def test_where_nothing_is_certified_that_is_said_whatever_was_expected():
    nothing = replace(RUN, judged=[FAILED], kept=RUN.exact, expected=1.0)
    assert "is certified: the design of" in next(outlook(nothing))
    assert list(outlook(replace(nothing, judged=[]))) == [
        "no design that saves energy kept the accuracy on the search images: none was judged"]


def test_less_area_has_its_price():
    more = 100 * (1 - RUN.kept.energy)
    assert area_reason(RUN) == (
        f"area 1.000, 1 array, as harmless, takes {more:.1f} points more energy")
    cheaper = replace(PASSED.smaller, energy=RUN.kept.energy - 0.012)
    assert area_reason(replace(RUN, judged=[replace(PASSED, smaller=cheaper)])) == (
        "area 1.000, 1 array, as harmless, takes 1.2 points less energy, but was not in the "
        "planned order")
    assert area_reason(replace(RUN, judged=[replace(PASSED, smaller=None)])) == ""
    assert area_reason(replace(RUN, judged=[FAILED], kept=RUN.exact)) == ""


def test_a_bank_is_told_beside_the_best_single_array():
    """Whether that was judged, passed or failed; where another passed, that one too."""
    layers = list(RUN.kept.mapping)

    def single(name, energy, area):
        return replace(RUN.kept, mapping=dict.fromkeys(layers, name), energy=energy, area=area)

    best, safe = single("best", RUN.kept.energy + 0.04, 0.4), single("safe", 0.95, 0.6)
    assert len(RUN.kept.arrays) == 3
    run = replace(RUN, single=SingleArray(design=best, chance=0.97, expected=0.9))
    start, end = (f"energy {best.energy:.3f}, area 0.400, ",
                  "; the 3 arrays save 4.0 points more for 1.100 more area")
    assert one_array(run) == f"{start}not judged, forecast to pass with 97 %{end}"
    passed, failed = replace(PASSED, design=best), replace(FAILED, design=best)
    assert one_array(replace(run, judged=[passed])).startswith(f"{start}certified, forecast")
    assert one_array(replace(run, judged=[replace(PASSED, design=safe), failed])) == (
        f"{start}not certified, forecast to pass with 97 %; 0.950 of area 0.600 is certified{end}")
    harmless = replace(run, judged=[replace(PASSED, smaller=best)])
    assert one_array(harmless) == (
        f"{start}as harmless, not judged, forecast to pass with 97 %{end}")
    assert area_reason(harmless) == ""  # which would say the same
    bolder = replace(best, energy=RUN.kept.energy - 0.02)
    assert "save 2.0 points less for 1.100 more area" in one_array(
        replace(run, single=replace(run.single, design=bolder)))


def test_where_no_array_alone_saves_that_is_said_and_one_array_has_no_rival():
    nothing = SingleArray(design=None, chance=0.0, expected=1.0)
    assert one_array(replace(RUN, single=nothing)) == (
        "none that saves energy kept the accuracy on the search images")
    assert one_array(replace(RUN, single=nothing, kept=RUN.exact)) == ""


def test_counts_and_bounds_in_words():
    assert (forecast_counts(PASSED), found_counts(PASSED), bounds(PASSED)) == (
        "2.4 / 1.6", "3 / 2", "-0.61")
    both = replace(PASSED, lost=(1.0, 2.0), gained=(0.0, 0.5),
                   certificates=PASSED.certificates * 2)
    assert (forecast_counts(both), found_counts(both), bounds(both)) == (
        "1.0 / 0.0, 2.0 / 0.5", "3 / 2, 3 / 2", "-0.61, -0.61")
    assert (level_of(PASSED), level_of(FAILED)) == ("5 %", "2.5 %")
