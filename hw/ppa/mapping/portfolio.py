"""Several ways of mapping a small circuit, of which the best result is kept.

One recipe serves all PEs, so that they stay comparable. A multiplier alone that is set against
published figures should not lose to them by an unlucky restructuring: from one recipe to the next
area varies by a tenth and power x delay by a fifth, with another winner for every circuit. These
were picked one by one out of 126 combinations, each the one that improved the best of all so far
most, over eight multipliers of as many families.
"""

from __future__ import annotations

from hw.ppa.mapping.synthesis import Recipe

RESYN2 = ("balance", "rewrite", "refactor", "balance", "rewrite", "rewrite -z", "balance",
          "refactor -z", "rewrite -z", "balance")
COMPRESS2RS = (
    "balance -l", "resub -K 6 -l", "rewrite -l", "resub -K 6 -N 2 -l", "refactor -l",
    "resub -K 8 -l", "balance -l", "resub -K 8 -N 2 -l", "rewrite -l", "resub -K 10 -l",
    "rewrite -z -l", "resub -K 10 -N 2 -l", "balance -l", "resub -K 12 -l", "refactor -z -l",
    "resub -K 12 -N 2 -l", "rewrite -z -l", "balance -l")
RESUB = ("resub -K 10 -N 2 -l", "resub -K 12 -N 3 -l", "rewrite -l")
SMALL = ("&nf -R 1000 -F 100 -C 32 -L 3 -a", "&put")
FAST = ("&nf", "&put")
SWEEP = ("strash", "ifraig", "scorr")  # equal nodes become one
SIZING = ("buffer -c", "topo", "upsize", "dnsize")

PORTFOLIO = tuple(Recipe(name=name, abc=abc) for name, abc in {
    "fast": ("strash", "&get -n", *FAST),
    "fast-synch2": ("strash", "&get -n", "&synch2", *FAST),
    "fast-resub-synch2": ("strash", "ifraig", *RESUB, "&get -n", "&synch2", *FAST),
    "fast-resyn2": (*SWEEP, *RESYN2, "&get -n", *FAST),
    "fast-compress-sized": (*SWEEP, *COMPRESS2RS, "&get -n", "&synch2", *FAST, *SIZING),
    "small-dch": ("strash", "&get -n", "&dch -f", *SMALL),
    "small-synch2": ("strash", "&get -n", "&synch2", *SMALL),
    "small-resyn2-synch2": (*SWEEP, *RESYN2, "&get -n", "&synch2", *SMALL),
}.items())
