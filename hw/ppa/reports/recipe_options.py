"""The mapping recipe that a command line asks for."""

from __future__ import annotations

import argparse

from hw.ppa.mapping.synthesis import AREA, RECIPES, Recipe


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add `--recipe` and `--full-adders`."""
    parser.add_argument("--recipe", choices=sorted(RECIPES), default=AREA.name,
                        help="what mapping aims at (default: %(default)s)")
    parser.add_argument("--full-adders", action="store_true",
                        help="use the full-adder cell of the library: smaller and slower")


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """Return what the options of `add_recipe_options` ask for."""
    recipe = RECIPES[options.recipe]
    return recipe.with_full_adders() if options.full_adders else recipe
