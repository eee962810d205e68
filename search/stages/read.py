"""Read: what is searched, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw.machine.design import BankConfig
from hw.multipliers import EXACT
from hw.ppa import MappedPe, load_pe
from hw.ppa.chip.array import array_cost
from hw.ppa.library.chosen import technology_of
from search.options import Options
from search.problem.multipliers import choose_multipliers
from search.problem.space import Problem
from search.problem.splits import check_source, check_untouched, load_splits
from search.stages.records import Inputs


def read(options: Options) -> Inputs:
    """Read and check all but the networks; raises InputError or ToolError."""
    for method in options.methods:
        method.check()
    sources = options.workload.networks
    for source in sources:
        check_source(source)
    bank = BankConfig(rows=options.rows, cols=options.cols)
    multipliers = choose_multipliers(options.multipliers, bank)
    technology = technology_of(options.technology, None)
    technology.require_energy()
    pes = {name: load_pe(multiplier, bank.psum_width, technology, folder=options.pes)
           for name, multiplier in multipliers.items()}
    _check_limits(options, bank, pes)
    splits = tuple(load_splits(source.model, data=source.data, separate=source.splits,
                               seed=options.seed, limit=source.limit) for source in sources)
    check_untouched({source.name: one for source, one in zip(sources, splits, strict=True)})
    return Inputs(bank=bank, multipliers=multipliers, pes=pes, splits=splits)


def _check_limits(options: Options, bank: BankConfig, pes: Mapping[str, MappedPe]) -> None:
    """Refuse limits that leave room for no array, whatever the layers are."""
    nothing = np.zeros(len(pes))
    Problem(layers=("any",), multipliers=tuple(pes), reference=list(pes).index(EXACT),
            dynamic_pj=nothing[None], cycles=nothing[:1], leakage_uw=nothing, delay_ps=nothing,
            area_um2=np.array([array_cost(pe, rows=bank.rows, cols=bank.cols).area_um2
                               for pe in pes.values()]),
            area_limit=options.area_limit, max_arrays=options.max_arrays,
            keep_exact=options.keep_exact)
