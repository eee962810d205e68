"""Read: what is searched, checked before any work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

import numpy as np

from hw.common.errors import InputError, ToolError
from hw.machine.design import BankConfig
from hw.machine.pe import FORMS
from hw.machine.pe.kind import Dataflow
from hw.multipliers import EXACT, Multiplier, get
from hw.ppa import MappedPe, load_pe
from hw.ppa.chip.array import array_cost
from hw.ppa.library.chosen import technology_of
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.build import load_or_map
from hw.ppa.mapping.emitted import EmitPes
from hw.ppa.placement.stored_wires import with_wires
from search.measure.metric import AGREEMENT
from search.options import Options
from search.problem.multipliers import choose_multipliers
from search.problem.space import Problem
from search.problem.splits import check_source, check_untouched, load_splits
from search.stages.records import Inputs


def read(options: Options, emit: EmitPes) -> Inputs:
    """Read and check all but the networks; raises InputError or ToolError.

    emit : writes the Verilog of PEs that are not stored.
    """
    for method in options.methods:
        method.check()
    sources = options.workload.networks
    for source in sources:
        check_source(source)
    bank = options.bank()
    # The run's own method first: what others bring comes behind its multipliers.
    words = {method.name: (method.bank,) if method.bank else options.multipliers
             for method in reversed(options.methods)}
    multipliers = choose_multipliers([word for some in words.values() for word in some], bank)
    technology = technology_of(options.technology, None)
    technology.require_energy()
    load = partial(_load, options, technology, emit)
    wired = partial(with_wires, wires=options.wires, folder=options.pes)
    pes: dict[str, MappedPe] = {}
    banks = {}
    chosen = {some: list(choose_multipliers(some, bank)) for some in dict.fromkeys(words.values())}
    for label, some in words.items():
        names = chosen[some]
        try:
            missing = load({name: multipliers[name] for name in names if name not in pes},
                           bank.dataflow)
            own = pes | {name: wired(pe) for name, pe in missing.items()}
            own = {name: own[name] for name in names}
            _check_limits(options, bank, own)
        except (InputError, ToolError) as error:
            if label == options.method or some == options.multipliers:
                raise
            print(f"notice: method {label} is left out: {error}", file=sys.stderr)
            continue
        pes |= own
        banks[label] = names
    columns = list(pes)
    exact_pes = {bank.form: pes[EXACT]} | {form: wired(pe) for form, pe
                                           in _other_forms(bank, load)}
    splits = tuple(load_splits(source.model, data=source.data, separate=source.splits,
                               seed=options.seed, limit=source.limit,
                               labelled=options.metric != AGREEMENT) for source in sources)
    check_untouched({source.name: one for source, one in zip(sources, splits, strict=True)})
    return Inputs(
        bank=bank, multipliers={name: multipliers[name] for name in pes}, pes=pes,
        exact_pes=exact_pes, splits=splits,
        offered={label: sorted(map(columns.index, names)) for label, names in banks.items()})


def _load(options: Options, technology: Technology, emit: EmitPes,
          multipliers: Mapping[str, Multiplier], dataflow: Dataflow) -> dict[str, MappedPe]:
    """Return PEs: from the folder that the user names, else mapped where they are not stored."""
    width = options.bank().psum_width
    if options.pes is None:
        return load_or_map(multipliers, width, technology, dataflow, emit, quiet=options.quiet)
    return {name: load_pe(multiplier, width, technology, dataflow=dataflow, folder=options.pes)
            for name, multiplier in multipliers.items()}


def _other_forms(bank: BankConfig,
                 load: Callable[[Mapping[str, Multiplier], Dataflow], Mapping[str, MappedPe]]
                 ) -> Iterator[tuple[str, MappedPe]]:
    """Return the exact PE in the forms that fit the bank; a folder of the user's has some."""
    for form, dataflow in FORMS.items():
        if form != bank.form and not (bank.rows % dataflow.macs or bank.cols % dataflow.outputs):
            with suppress(ToolError):
                yield form, load({EXACT: get(EXACT)}, dataflow)[EXACT]


def _check_limits(options: Options, bank: BankConfig, pes: Mapping[str, MappedPe]) -> None:
    """Refuse limits that leave room for no array, whatever the layers are."""
    nothing = np.zeros(len(pes))
    Problem(
        layers=("any",), multipliers=tuple(pes), reference=list(pes).index(EXACT),
        dynamic_pj=nothing[None], cycles=nothing[:1], leakage_uw=nothing, delay_ps=nothing,
        area_um2=np.array([array_cost(pe, rows=bank.rows, cols=bank.cols).area_um2
                           for pe in pes.values()]),
        area_limit=options.area_limit, max_arrays=options.max_arrays,
        keep_exact=options.keep_exact)
