"""The table of energies: the same whoever asks, and measured once where it is kept."""

from dataclasses import replace

import pytest

from hw.multipliers import get
from hw.ppa import energy_table, load_pe, sample_energy, sample_operands, stream_energies
from hw.ppa.reports.pe_report import relu_stream, uniform_stream

NAMES = ("mul8u_exact", "mul8u_trunc_c4", "mul8u_trunc_c8")


@pytest.fixture(scope="module")
def pes():
    return [load_pe(get(name)) for name in NAMES]


@pytest.fixture(scope="module")
def samples():
    return [sample_operands(*stream(), rows=16, cols=16, lanes=256)
            for stream in (relu_stream, uniform_stream)]


@pytest.fixture
def no_measuring(monkeypatch):
    def fail(_pe, _sample):
        raise AssertionError("must come from the cache")

    return lambda: monkeypatch.setattr("hw.ppa.energy.pe_energies.sample_energy", fail)


@pytest.mark.parametrize("jobs", [1, 3])
def test_table_is_every_pe_on_every_sample(pes, samples, jobs):
    seen = []
    found = energy_table(pes, samples, jobs=jobs, done=seen.append)
    assert found == [[sample_energy(pe, sample) for sample in samples] for pe in pes]
    assert seen == pes


def test_kept_energies_are_the_same_and_not_measured_again(pes, samples, empty_cache, no_measuring):
    fresh = energy_table(pes, samples)
    assert len(list(empty_cache.glob("*/*"))) == len(pes)
    no_measuring()
    assert energy_table([load_pe(get(name)) for name in NAMES], samples) == fresh


@pytest.mark.usefixtures("empty_cache")
def test_delay_is_kept_with_the_energies(pes, samples, monkeypatch):
    stream_energies(pes[0], samples[:1])
    again = load_pe(get(NAMES[0]))
    monkeypatch.setattr("hw.ppa.mapping.pe.analyse", lambda *_, **__: pytest.fail("must be kept"))
    stream_energies(again, samples[:1])
    assert again.delay_ps == pes[0].delay_ps


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("change", ["gate", "alone", "seed", "table", "width", "technology"])
def test_whatever_matters_is_measured_again(pes, samples, no_measuring, change):
    pe, sample = pes[0], samples[0]
    stream_energies(pe, [sample])
    if change == "gate":
        gate = pe.netlist.gates[0]
        other = next(cell.name for cell in pe.technology.cells.values()
                     if cell.name != gate.cell and len(cell.inputs) == len(gate.inputs))
        pe = replace(pe, netlist=pe.netlist.with_gate(0, gate._replace(cell=other)))
    elif change == "seed":
        sample = sample_operands(*relu_stream(), rows=16, cols=16, lanes=256, seed=1)
    elif change == "table":
        pe = replace(pe, multiplier=get("mul8u_trunc_c4"))
    elif change == "alone":
        pe = replace(pe, multiplier_netlist=replace(pe.multiplier_netlist, name="other"))
    elif change == "width":
        pe = replace(pe, psum_width=25)
    else:
        pe = replace(pe, technology=replace(pe.technology, name="other"))
    no_measuring()
    with pytest.raises(AssertionError, match=r"^must come from the cache$"):
        stream_energies(pe, [sample])
