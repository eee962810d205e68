"""The catalogue: named instances, data only.

Names follow EvoApproxLib: `mul8u_` for unsigned 8x8 circuits, `mul8s_` for signed ones. Each row
is name, builder and its arguments; the paper is the one the builder's docstring names. No two
tables are equal: the other structures of an exact product (`exact`, `booth`) are builders only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hw.multipliers.families.approximate_booth import approximate_booth, broken_booth
from hw.multipliers.families.approximate_log import approximate_log
from hw.multipliers.families.baugh_wooley import baugh_wooley
from hw.multipliers.families.broken_array import broken_array
from hw.multipliers.families.compressor42 import compressor42
from hw.multipliers.families.drum import drum
from hw.multipliers.families.etm import etm
from hw.multipliers.families.exact import exact
from hw.multipliers.families.iterative_log import iterative_log
from hw.multipliers.families.lower_or import lower_or
from hw.multipliers.families.minimally_biased import minimally_biased
from hw.multipliers.families.mitchell import mitchell
from hw.multipliers.families.perforated import perforated
from hw.multipliers.families.recursive import recursive
from hw.multipliers.families.roba import roba
from hw.multipliers.families.truncated import (
    constant_correction,
    operand_truncated,
    truncated,
    variable_correction,
)
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
        if self.family == "approximate_booth":
            return BOOTH_CITATIONS[str(self.parameters["encoder"])]
        return CITATIONS[self.family]


CITATIONS = {
    "exact": "Dadda, Alta Frequenza 34, 1965",
    "truncated": "Schulte and Swartzlander, VLSI Signal Processing VI, 1993",
    "constant_correction": "Schulte and Swartzlander, VLSI Signal Processing VI, 1993",
    "variable_correction": "King and Swartzlander, Asilomar Conf. Signals Systems Computers, 1997",
    "operand_truncated": "plain operand truncation, the baseline of the field",
    "broken_array": "Mahdiani et al., IEEE Trans. Circuits and Systems I 57(4), 2010",
    "perforated": "Zervakis et al., IEEE Trans. VLSI Systems 24(10), 2016",
    "recursive": "Kulkarni, Gupta and Ercegovac, VLSI Design, 2011",
    "compressor42": "after Momeni et al., IEEE Trans. Computers 64(4), 2015",
    "lower_or": "after Mahdiani et al., IEEE Trans. Circuits and Systems I 57(4), 2010",
    "etm": "Kyaw, Goh and Yeo, EDSSC, 2010",
    "drum": "Hashemi, Bahar and Reda, ICCAD, 2015",
    "roba": "Zendegani et al., IEEE Trans. VLSI Systems 25(2), 2017",
    "mitchell": "Mitchell, IRE Trans. Electronic Computers EC-11(4), 1962",
    "minimally_biased": "Saadat, Bokhari and Parameswaran, IEEE Trans. CAD 37(11), 2018",
    "approximate_log": "Liu et al., IEEE Trans. Circuits and Systems I 65(9), 2018",
    "iterative_log": "Babic, Avramovic and Bulic, Microprocessors and Microsystems 35(1), 2011",
    "baugh_wooley": "Baugh and Wooley, IEEE Trans. Computers C-22(12), 1973",
    "approximate_booth": "Liu et al., IEEE Trans. Computers 66(8), 2017",
    "broken_booth": "after Farshchi, Abrishami and Fakhraie, CADS, 2013",
}

COMPRESSOR_CITATIONS = {
    "saturate": "Yang, Han and Lombardi, DFTS, 2015 (ACCI1)",
    "wrap": "Lin and Lin, ICCD, 2013",
    "pairs": "Akbari et al., IEEE Trans. VLSI Systems 25(4), 2017 (DQ4:2C4)",
    "pairs3": "after Venkatachalam and Ko, IEEE Trans. VLSI Systems 25(5), 2017",
    "merge": "after Esposito et al., IEEE Trans. Circuits and Systems I 65(12), 2018",
    "or4": "after Venkatachalam and Ko, IEEE Trans. VLSI Systems 25(5), 2017",
    "momeni": "Momeni et al., IEEE Trans. Computers 64(4), 2015 (design 2)",
}

BOOTH_CITATIONS = {
    "abe1": "Liu et al., IEEE Trans. Computers 66(8), 2017 (R4ABE1)",
    "abe2": "Liu et al., IEEE Trans. Computers 66(8), 2017 (R4ABE2)",
    "single": "after Venkatachalam et al., IEEE Trans. Computers 68(11), 2019 (PPG-2S)",
}

ENTRIES: dict[str, Entry] = {
    EXACT: Entry("exact", exact, {"structure": "dadda"}),
    **{f"mul8u_trunc_c{c}": Entry("truncated", truncated, {"columns": c})
       for c in range(1, 12)},
    **{f"mul8u_trunccc_c{c}": Entry("constant_correction", constant_correction, {"columns": c})
       for c in range(5, 11)},
    **{f"mul8u_truncvc_c{c}": Entry("variable_correction", variable_correction, {"columns": c})
       for c in range(3, 12)},
    **{f"mul8u_optrunc_a{a}w{w}": Entry("operand_truncated", operand_truncated,
                                        {"act_bits": a, "weight_bits": w})
       for a, w in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 1), (3, 2), (4, 2), (3, 3),
                    (4, 3), (4, 4), (5, 4))},
    **{f"mul8u_bam_h{h}v{v}": Entry("broken_array", broken_array, {"horizontal": h, "vertical": v})
       for h, v in ((1, 4), (1, 6), (1, 7), (2, 6), (2, 7), (2, 8), (3, 8), (3, 9), (4, 10))},
    **{f"mul8u_perf_f{f}n{n}": Entry("perforated", perforated, {"first": f, "count": n})
       for f, n in ((1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3))},
    **{f"mul8u_kulkarni_l{limit}": Entry("recursive", recursive, {"limit": limit})
       for limit in (2, 4, 6, 8, 10, 12, 14)},
    **{f"mul8u_ac42_{design}_c{limit}": Entry("compressor42", compressor42,
                                              {"design": design, "limit": limit})
       for design, limit in (("saturate", 5), ("saturate", 6), ("saturate", 8), ("saturate", 12),
                             ("wrap", 4), ("wrap", 8), ("wrap", 11),
                             ("pairs", 6), ("pairs", 8), ("pairs", 10),
                             ("pairs3", 5), ("pairs3", 7), ("pairs3", 9),
                             ("merge", 6), ("merge", 8), ("merge", 10), ("merge", 12),
                             ("or4", 5), ("or4", 7), ("or4", 9), ("or4", 11),
                             ("momeni", 6), ("momeni", 8), ("momeni", 10))},
    **{f"mul8u_lowor_c{limit}d{dropped}": Entry("lower_or", lower_or,
                                                {"limit": limit, "dropped": dropped})
       for limit, dropped in ((2, 1), (3, 0), (4, 0), (5, 0), (6, 0), (7, 4), (8, 6), (9, 7),
                              (10, 8), (11, 9), (12, 10))},
    **{f"mul8u_etm_l{low}": Entry("etm", etm, {"low": low}) for low in (2, 3, 4)},
    **{f"mul8u_drum_k{k}": Entry("drum", drum, {"bits": k}) for k in (3, 4, 5, 6, 7)},
    "mul8u_roba": Entry("roba", roba, {}),
    **{f"mul8u_mitchell_f{f}": Entry("mitchell", mitchell, {"fraction_bits": f})
       for f in (2, 3, 5, 7)},
    "mul8u_mbm": Entry("minimally_biased", minimally_biased, {}),
    **{f"mul8u_alm_{short}{low}": Entry("approximate_log", approximate_log,
                                        {"adder": adder, "low": low})
       for short, adder, low in (("soa", "set_one", 3), ("soa", "set_one", 4),
                                 ("soa", "set_one", 5), ("loa", "lower_or", 6))},
    **{f"mul8u_ilm_n{n}d{d}": Entry("iterative_log", iterative_log,
                                    {"corrections": n, "dropped": d})
       for n, d in ((0, 0), (0, 8), (1, 0), (1, 6), (2, 0))},
}

# Two's complement, for layers with operands from -128 to 127 (`search.run --symmetric`).
SIGNED_EXACT = "mul8s_exact"
SIGNED_ENTRIES: dict[str, Entry] = {
    SIGNED_EXACT: Entry("baugh_wooley", baugh_wooley, {}),
    **{f"mul8s_trunc_c{c}": Entry("baugh_wooley", baugh_wooley, {"horizontal": 0, "vertical": c})
       for c in (2, 4, 6, 8, 10)},
    **{f"mul8s_bam_h{h}v{v}": Entry("baugh_wooley", baugh_wooley,
                                    {"horizontal": h, "vertical": v})
       for h, v in ((1, 4), (1, 6), (2, 6), (2, 8), (3, 9))},
    **{f"mul8s_booth_{encoder}_c{c}": Entry("approximate_booth", approximate_booth,
                                            {"encoder": encoder, "columns": c})
       for encoder in BOOTH_CITATIONS for c in (4, 6, 8)},
    **{f"mul8s_bbm_v{v}": Entry("broken_booth", broken_booth, {"vertical": v})
       for v in (3, 5, 7, 8)},
}
