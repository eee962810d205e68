"""Options that choose the mapping recipe."""

import argparse

import pytest

from hw.ppa.mapping.synthesis import AREA, SPEED
from hw.ppa.reports.recipe_options import add_recipe_options, chosen_recipe


@pytest.mark.parametrize(("arguments", "recipe"), [
    ([], AREA), (["--recipe", "speed"], SPEED), (["--full-adders"], AREA.with_full_adders())])
def test_options_choose_a_recipe(arguments, recipe):
    parser = argparse.ArgumentParser()
    add_recipe_options(parser)
    assert chosen_recipe(parser.parse_args(arguments)) == recipe
