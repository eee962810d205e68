"""The catalogue: the families whose instances are in it, in order.

Names follow EvoApproxLib: `mul8u_` for unsigned 8x8 circuits, `mul8s_` for signed ones, two's
complement, for layers with operands from -128 to 127. A family's file holds its builders and
`ENTRIES`, its instances by name. No two tables are equal: the other structures of an exact product
(`exact`, `booth`) are builders only. `ROUNDED_ENTRIES`, beside the catalogue, are circuits of it
that are given rounded activations.
"""

from __future__ import annotations

from hw.multipliers.entry import Entry
from hw.multipliers.families import (
    approximate_booth,
    approximate_log,
    baugh_wooley,
    broken_array,
    compressor42,
    drum,
    etm,
    exact,
    iterative_log,
    lower_or,
    minimally_biased,
    mitchell,
    perforated,
    recursive,
    roba,
    truncated,
)

FAMILIES = (exact, truncated, broken_array, perforated, recursive, compressor42, lower_or, etm,
            drum, roba, mitchell, minimally_biased, approximate_log, iterative_log, baugh_wooley,
            approximate_booth)
EXACT, SIGNED_EXACT = "mul8u_exact", "mul8s_exact"

_ALL = {name: entry for family in FAMILIES for name, entry in family.ENTRIES.items()}
ENTRIES: dict[str, Entry] = {name: entry for name, entry in _ALL.items() if "8u_" in name}
SIGNED_ENTRIES: dict[str, Entry] = {name: entry for name, entry in _ALL.items() if "8s_" in name}
ROUNDED_ENTRIES: dict[str, Entry] = truncated.ROUNDED_ENTRIES
# What a family is, for those who read the results of a search.
WORDS = {
    "truncated": "truncation",
    "constant_correction": "truncation with constant correction",
    "variable_correction": "truncation with variable correction",
    "broken_array": "broken array",
    "perforated": "rows left out (perforation)",
    "recursive": "approximate 2x2 blocks",
    "compressor42": "approximate 4:2 compressors",
    "lower_or": "low bits added by OR gates",
    "etm": "low parts guessed (error-tolerant)",
    "drum": "leading bits only (DRUM)",
    "roba": "operands rounded to powers of two (RoBA)",
    "mitchell": "addition of logarithms (Mitchell)",
    "minimally_biased": "addition of logarithms, minimally biased",
    "approximate_log": "addition of logarithms by an approximate adder",
    "iterative_log": "addition of logarithms, iterated",
    "baugh_wooley": "broken array of two's complement",
    "approximate_booth": "approximate Booth encoders",
    "broken_booth": "truncated Booth rows",
    "evolved": "evolved circuit",
}
