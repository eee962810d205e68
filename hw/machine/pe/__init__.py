"""Processing elements as data: the catalogue of their kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hw.common.errors import InputError, unknown_name
from hw.machine.pe.folded_booth import FOLDED_BOOTH_PE
from hw.machine.pe.kind import Dataflow, Pe, PeKind
from hw.machine.pe.sign_magnitude import SIGN_MAGNITUDE_PE
from hw.machine.pe.twos_complement import TWOS_COMPLEMENT_PE
from hw.multipliers import EXACT
from hw.multipliers.adder import ApproximateAdder
from hw.multipliers.base import Multiplier
from hw.netlist import Netlist

# Terms x outputs of a PE. More of either leave fewer registers and less clock to each
# multiplication; delays grow with both. Those that are recoded are of the exact PE alone.
FORMS: dict[str, Dataflow] = {dataflow.form: dataflow for dataflow in (
    Dataflow(), Dataflow(macs=2), Dataflow(macs=4), Dataflow(macs=8),
    Dataflow(macs=4, outputs=4), Dataflow(macs=4, registered=True, psum_cycles=3),
    Dataflow(macs=4, outputs=4, registered=True, psum_cycles=3),
    Dataflow(macs=4, registered=True, recoded=True, psum_cycles=3),
    Dataflow(macs=4, outputs=4, registered=True, recoded=True, psum_cycles=3))}
PE_KINDS: dict[str, PeKind] = {kind.label: kind for base in (
    SIGN_MAGNITUDE_PE,
    TWOS_COMPLEMENT_PE,
    FOLDED_BOOTH_PE,
) for kind in (replace(base, dataflow=dataflow) for dataflow in FORMS.values()
               if dataflow.recoded == (base.circuit is not None))}


PLAIN = FORMS["1x1"]
DENSE = FORMS["4x4r"]  # least energy of the exact PE at a clock near that of the other units


def form_named(form: str) -> Dataflow:
    """Return a form of `FORMS`; InputError suggests the nearest."""
    if form not in FORMS:
        raise unknown_name("PE form", form, FORMS)
    return FORMS[form]


def check_form(multiplier: Multiplier, dataflow: Dataflow) -> None:
    """Refuse a multiplier of which there are no PEs of a form; raises InputError."""
    if multiplier.adder is not None and dataflow != PLAIN:
        raise InputError(f"{multiplier.subject} must be in {PLAIN.form} PEs to have the adder "
                         f"{multiplier.adder}, not in {dataflow.form} ones")
    if dataflow.recoded and (multiplier.signed or not multiplier.is_exact):
        raise InputError(f"{multiplier.subject} must be exact and unsigned for {dataflow.form} PEs")


def kind_for(*, signed: bool, dataflow: Dataflow = PLAIN) -> PeKind:
    """Return the first kind that takes a multiplier, of a form that `check_form` lets pass."""
    return next(kind for kind in PE_KINDS.values()
                if kind.signed == signed and kind.dataflow == dataflow)


def kinds_of(multipliers: Sequence[Multiplier], form: str, exact_form: str) -> tuple[str, ...]:
    """Return the kinds of PE of a bank's arrays, for `BankConfig.kinds`.

    form : of all but the array of `mul8u_exact`, whose form is `exact_form`. None where these are
    what each multiplier needs of one form.
    """
    forms = [exact_form if multiplier.name == EXACT else form for multiplier in multipliers]
    return () if set(forms) <= {form} else tuple(
        kind_for(signed=multiplier.signed, dataflow=form_named(own)).label
        for multiplier, own in zip(multipliers, forms, strict=True))


def pe_of(netlist: Netlist, psum_width: int, dataflow: Dataflow = PLAIN,
          adder: ApproximateAdder | None = None) -> Pe:
    """Return the PE of a multiplier, of a form, where no kind is chosen."""
    return Pe(kind=kind_for(signed=netlist.signed, dataflow=dataflow), netlist=netlist,
              psum_width=psum_width, adder=adder)
