"""Published figures of memories and wide arithmetic, each with its source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

WORD_BITS = 64  # of one published memory access
BITS_PER_KB = 8 * 1024

# Titles: docs/ppa.md.
HOROWITZ = "Horowitz, ISSCC 2014, figure 1.1.9 (45 nm)"
JOUPPI_2021 = "Jouppi et al., ISCA 2021, table 2 (7 nm)"
JOUPPI_2017 = "Jouppi et al., ISCA 2017, figure 2"
CHANG = "Chang et al., ISSCC 2017 (7 nm)"
MISTRY = "Mistry et al., IEDM 2007 (45 nm)"


@dataclass(frozen=True)
class Copied:
    """A figure as published."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class NodeFigures:
    """Published figures of one technology node.

    Parameters
    ----------
    name : str
    sram_access_pj : mapping of int to float
        Capacity in KB -> pJ per access of 64 bits.
    sram_source : str
    int32_add_pj, int32_multiply_pj : Copied
    bitcell_um2 : Copied
        Six-transistor SRAM cell.
    dram_access_pj : mapping of str to Copied
        Kind -> pJ per access of 64 bits.
    """

    name: str
    sram_access_pj: Mapping[int, float]
    sram_source: str
    int32_add_pj: Copied
    int32_multiply_pj: Copied
    bitcell_um2: Copied
    dram_access_pj: Mapping[str, Copied]

    def sram_pj_per_bit(self, capacity_bits: float) -> float:
        """Return the energy of reading or writing a bit of a memory.

        Between the published capacities a power law in the capacity; below the smallest the
        smallest one's, beyond the largest growing with the square root of the capacity, as word
        and bit lines do.
        """
        sizes = sorted(self.sram_access_pj)
        capacity_kb = max(capacity_bits / BITS_PER_KB, sizes[0])
        if capacity_kb >= sizes[-1]:
            pj = self.sram_access_pj[sizes[-1]] * math.sqrt(capacity_kb / sizes[-1])
        else:
            low = max(size for size in sizes if size <= capacity_kb)
            high = sizes[sizes.index(low) + 1]
            share = math.log(capacity_kb / low) / math.log(high / low)
            pj = (self.sram_access_pj[low] ** (1 - share) * self.sram_access_pj[high] ** share)
        return pj / WORD_BITS


# Of a range the middle is taken: DRAM at 45 nm 1300 to 2600 pJ, HBM2 250 to 450 pJ.
NODES = {
    "7nm": NodeFigures(
        name="7nm", sram_access_pj={8: 7.5, 32: 8.5, 1024: 14.0}, sram_source=JOUPPI_2021,
        int32_add_pj=Copied(0.03, JOUPPI_2021), int32_multiply_pj=Copied(1.48, JOUPPI_2021),
        bitcell_um2=Copied(0.027, CHANG),
        dram_access_pj={"ddr4": Copied(1300.0, JOUPPI_2021),
                        "hbm2": Copied(350.0, f"{JOUPPI_2021}, middle of 250 to 450")}),
    "45nm": NodeFigures(
        name="45nm", sram_access_pj={8: 10.0, 32: 20.0, 1024: 100.0}, sram_source=HOROWITZ,
        int32_add_pj=Copied(0.1, HOROWITZ), int32_multiply_pj=Copied(3.1, HOROWITZ),
        bitcell_um2=Copied(0.346, MISTRY),
        dram_access_pj={"ddr3": Copied(1950.0, f"{HOROWITZ}, middle of 1300 to 2600")}),
}
