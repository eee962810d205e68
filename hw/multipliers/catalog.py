"""The catalogue: named instances, data only.

Names follow EvoApproxLib: `mul8u_` for unsigned 8x8 circuits. Each row is name, builder and
its arguments; the paper is the one the builder's docstring names. No two tables are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hw.multipliers.broken_array import broken_array
from hw.multipliers.compressor42 import compressor42
from hw.multipliers.drum import drum
from hw.multipliers.exact import exact
from hw.multipliers.lower_or import lower_or
from hw.multipliers.mitchell import mitchell
from hw.multipliers.perforated import perforated
from hw.multipliers.recursive import recursive
from hw.multipliers.truncated import operand_truncated, truncated, variable_correction
from hw.netlist import Netlist

EXACT = "mul8u_exact"


class Entry(NamedTuple):
    """A catalogue entry before it is built."""

    family: str
    build: Callable[..., Netlist]
    parameters: dict[str, int | str]

    @property
    def citation(self) -> str:
        """The paper that published the construction."""
        if self.family == "compressor42":
            return COMPRESSOR_CITATIONS[str(self.parameters["design"])]
        return CITATIONS[self.family]


CITATIONS = {
    "exact": "Dadda, Alta Frequenza 34, 1965",
    "truncated": "Schulte and Swartzlander, VLSI Signal Processing VI, 1993",
    "variable_correction": "King and Swartzlander, Asilomar Conf. Signals Systems Computers, 1997",
    "operand_truncated": "plain operand truncation, the baseline of the field",
    "broken_array": "Mahdiani et al., IEEE Trans. Circuits and Systems I 57(4), 2010",
    "perforated": "Zervakis et al., IEEE Trans. VLSI Systems 24(10), 2016",
    "recursive": "Kulkarni, Gupta and Ercegovac, VLSI Design, 2011",
    "compressor42": "after Momeni et al., IEEE Trans. Computers 64(4), 2015",
    "lower_or": "after Mahdiani et al., IEEE Trans. Circuits and Systems I 57(4), 2010",
    "drum": "Hashemi, Bahar and Reda, ICCAD, 2015",
    "mitchell": "Mitchell, IRE Trans. Electronic Computers EC-11(4), 1962",
}

COMPRESSOR_CITATIONS = {
    "saturate": "Yang, Han and Lombardi, DFTS, 2015 (ACCI1)",
    "pairs": "Akbari et al., IEEE Trans. VLSI Systems 25(4), 2017 (DQ4:2C4)",
    "merge": "after Esposito et al., IEEE Trans. Circuits and Systems I 65(12), 2018",
    "or4": "after Venkatachalam and Ko, IEEE Trans. VLSI Systems 25(5), 2017",
}

ENTRIES: dict[str, Entry] = {
    EXACT: Entry("exact", exact, {"structure": "dadda"}),
    **{f"mul8u_trunc_c{c}": Entry("truncated", truncated, {"columns": c})
       for c in range(2, 10)},
    **{f"mul8u_truncvc_c{c}": Entry("variable_correction", variable_correction, {"columns": c})
       for c in range(3, 10)},
    **{f"mul8u_optrunc_a{a}w{w}": Entry("operand_truncated", operand_truncated,
                                        {"act_bits": a, "weight_bits": w})
       for a, w in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 1), (3, 2), (4, 2), (3, 3))},
    **{f"mul8u_bam_h{h}v{v}": Entry("broken_array", broken_array, {"horizontal": h, "vertical": v})
       for h, v in ((1, 4), (1, 6), (2, 6), (2, 8), (3, 9))},
    **{f"mul8u_perf_f{f}n{n}": Entry("perforated", perforated, {"first": f, "count": n})
       for f, n in ((1, 1), (2, 1), (1, 2), (2, 2))},
    **{f"mul8u_kulkarni_l{limit}": Entry("recursive", recursive, {"limit": limit})
       for limit in (4, 6, 8, 10, 14)},
    **{f"mul8u_ac42_{design}_c{limit}": Entry("compressor42", compressor42,
                                              {"design": design, "limit": limit})
       for design, limit in (("saturate", 8), ("saturate", 12), ("pairs", 6), ("pairs", 8),
                             ("pairs", 10), ("merge", 6), ("merge", 8), ("merge", 10),
                             ("or4", 5), ("or4", 7), ("or4", 9))},
    **{f"mul8u_lowor_c{limit}d{dropped}": Entry("lower_or", lower_or,
                                                {"limit": limit, "dropped": dropped})
       for limit, dropped in ((4, 0), (6, 0), (7, 4), (8, 6), (9, 7))},
    **{f"mul8u_drum_k{k}": Entry("drum", drum, {"bits": k}) for k in (3, 4, 5, 6)},
    **{f"mul8u_mitchell_f{f}": Entry("mitchell", mitchell, {"fraction_bits": f}) for f in (3, 7)},
}
