"""The table of energies: the same whoever asks, and measured once where it is kept."""

import json
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
        raise AssertionError("must come from the folder")

    return lambda: monkeypatch.setattr("hw.ppa.energy.pe_energies.sample_energy", fail)


@pytest.mark.parametrize("jobs", [1, 3])
def test_table_is_every_pe_on_every_sample(pes, samples, jobs):
    seen = []
    found = energy_table(pes, samples, jobs=jobs, done=seen.append)
    assert found == [[sample_energy(pe, sample) for sample in samples] for pe in pes]
    assert seen == pes


def test_kept_energies_are_the_same_and_not_measured_again(pes, samples, tmp_path, no_measuring):
    fresh = energy_table(pes, samples, folder=tmp_path)
    assert fresh == energy_table(pes, samples)
    assert len(list(tmp_path.iterdir())) == len(pes)
    no_measuring()
    assert energy_table([load_pe(get(name)) for name in NAMES], samples, folder=tmp_path) == fresh


def test_delay_is_kept_with_the_energies(pes, samples, tmp_path, monkeypatch):
    stream_energies(pes[0], samples[:1], tmp_path)
    again = load_pe(get(NAMES[0]))
    monkeypatch.setattr("hw.ppa.mapping.pe.analyse", lambda *_, **__: pytest.fail("must be kept"))
    stream_energies(again, samples[:1], tmp_path)
    assert again.delay_ps == pes[0].delay_ps


def test_equal_runs_write_equal_bytes(pes, samples, tmp_path):
    for name, order in (("a", samples), ("b", samples[::-1])):
        stream_energies(pes[0], order, tmp_path / name)
    a, b = (next((tmp_path / name).iterdir()) for name in "ab")
    assert (a.name, a.read_bytes()) == (b.name, b.read_bytes())


def test_new_samples_are_added(pes, samples, tmp_path, no_measuring):
    one, both = samples[:1], samples
    stream_energies(pes[0], one, tmp_path)
    found = stream_energies(pes[0], both, tmp_path)
    no_measuring()
    assert stream_energies(pes[0], both, tmp_path) == found


@pytest.mark.parametrize("change", ["gate", "seed", "table", "modules"])
def test_whatever_matters_is_measured_again(pes, samples, tmp_path, no_measuring, monkeypatch,
                                            change):
    pe, sample = pes[0], samples[0]
    stream_energies(pe, [sample], tmp_path)
    if change == "gate":
        gate = pe.netlist.gates[0]
        other = next(cell.name for cell in pe.technology.cells.values()
                     if cell.name != gate.cell and len(cell.inputs) == len(gate.inputs))
        pe = replace(pe, netlist=pe.netlist.with_gate(0, gate._replace(cell=other)))
    elif change == "seed":
        sample = sample_operands(*relu_stream(), rows=16, cols=16, lanes=256, seed=1)
    elif change == "table":
        pe = replace(pe, multiplier=get("mul8u_trunc_c4"))
    else:
        monkeypatch.setattr("hw.ppa.energy.pe_energies.code_digest", lambda _module: "changed")
    no_measuring()
    with pytest.raises(AssertionError, match=r"^must come from the folder$"):
        stream_energies(pe, [sample], tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": "other", "key": "", "streams": {}}'])
def test_damaged_records_are_measured_again(pes, samples, tmp_path, content):
    fresh = stream_energies(pes[0], samples[:1], tmp_path)
    path, = tmp_path.iterdir()
    path.write_text(content)
    assert stream_energies(pes[0], samples[:1], tmp_path) == fresh
    assert json.loads(path.read_text())["multiplier"] == NAMES[0]
