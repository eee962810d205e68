"""Energies of PEs on operand streams, measured where tasks are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hw.ppa import MappedPe, OperandSample, StreamEnergy, stream_energies
from hw.ppa.energy.pe_energies import Measured, measured
from search.measure.engine.base import Engine

Energies = Callable[[MappedPe, Sequence[OperandSample]], list[StreamEnergy]]


def energies_on(engine: Engine) -> Energies:
    """Return `stream_energies` that has what is not known measured by an engine."""
    return partial(stream_energies, measure=partial(_measured_on, engine))


def _measured_on(engine: Engine, pe: MappedPe, samples: Sequence[OperandSample]) -> Measured:
    held = engine.held(lambda: (pe, samples))
    [(_index, found)] = engine.each("energy", _measured, [(held,)])
    return found


def _measured(sample: tuple[MappedPe, Sequence[OperandSample]]) -> Measured:
    return measured(*sample)
