"""Words that several commands share."""

import argparse

import pytest

from hw.common.wording import HelpWithDefaults, counted, duration, energy, times_a_round


@pytest.mark.parametrize(("seconds", "text"), [
    (0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (5999, "100 min"), (6000, "1.7 h")])
def test_durations_have_a_fitting_unit(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("nanojoules", "text"), [
    (0, "0 pJ"), (0.93695, "936.9 pJ"), (25.7222, "25.72 nJ"), (1234.5, "1.234 uJ"), (4e6, "4 mJ")])
def test_energies_have_a_fitting_unit(nanojoules, text):
    assert energy(nanojoules) == text


def test_one_has_no_plural():
    assert [counted(number, "array") for number in (0, 1, 2)] == ["0 arrays", "1 array", "2 arrays"]
    assert times_a_round(1) == "1 inference a round"


def test_help_states_defaults_that_say_something():
    parser = argparse.ArgumentParser(formatter_class=HelpWithDefaults)
    parser.add_argument("--seed", default=7, help="of the search")
    parser.add_argument("--force", action="store_true", help="replace it")
    text = parser.format_help()
    assert "of the search (default: 7)" in text
    assert text.count("default") == 1
