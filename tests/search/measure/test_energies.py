"""Energies of PEs are those of hw.ppa, wherever they are measured."""

import numpy as np
import pytest

from hw.multipliers import get
from hw.ppa import load_pe, sample_energy, sample_operands
from search.measure.energies import energies_on
from search.measure.engine.threads import start_threads


@pytest.mark.usefixtures("empty_cache")
def test_what_is_known_is_not_measured_again():
    generator = np.random.default_rng(0)
    pe = load_pe(get("mul8u_trunc_c9"))
    samples = [sample_operands(generator.integers(0, 255, (40, 20)),
                               generator.integers(-128, 128, (20, 8)), rows=8, cols=8, lanes=128)]
    engine, asked = start_threads(1), []
    each = engine.each

    def counted(label, *arguments):
        asked.append(label)
        return each(label, *arguments)

    object.__setattr__(engine, "each", counted)
    energies = energies_on(engine)
    assert energies(pe, samples) == energies(pe, samples) == [sample_energy(pe, samples[0])]
    assert asked == ["energy"]
