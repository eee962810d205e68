"""Two networks on one bank end to end: embedded digits twice, on images of its own each."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.compiler import Program, compile_program, routes
from hw.machine.design import Design
from hw.multipliers import get
from models.data import load_digits_split
from search import pipeline
from search import run as command
from search.measure import probes
from search.measure.designs import key, once
from search.problem.workload import DEFAULT_MODEL
from search.report.circuits import load_bank
from search.report.comparison.two_runs import compare_runs
from search.report.page import render
from search.report.record import RunResult
from sim.compensation.correction import Correction
from sim.network.quant_network import QuantNetwork
from tests.command import run_main

SMALL = ("--multipliers", "mul8u_trunc_c9,mul8u_drum_k4", "--budget", "18", "--compare", "uniform",
         "--rows", "4", "--cols", "4", "--max-arrays", "2", "--json")
INFERENCES = {"a": 1, "b": 3}
start = partial(run_main, command.main)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two workload files; the second network is searched on fewer images than the first."""
    folder = tmp_path_factory.mktemp("workload")
    images, labels = load_digits_split("search")
    pixels = np.rint(images * 16).astype(np.uint8).transpose(0, 2, 3, 1)
    np.savez(folder / "few.npz", x=pixels[:120], y=labels[:120])
    own = {"model": str(DEFAULT_MODEL), "calibrate": "digits:calibrate",
           "certify": "digits:certify"}
    networks = [{"name": "a", **own, "search": "digits:search", "inferences": INFERENCES["a"]},
                {"name": "b", **own, "search": "few.npz", "inferences": INFERENCES["b"]}]
    (folder / "nets.json").write_text(json.dumps({"networks": networks}))
    (folder / "one.json").write_text(json.dumps({"networks": networks[:1]}))
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    """A finished run of both networks: its folder."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert start(monkeypatch, "--workload", folder / "nets.json", *SMALL,
                     "--output", folder) == 0
    return folder / "nets"


@pytest.fixture(scope="module")
def result(finished):
    return RunResult.load(finished / "run.json")


def searched(monkeypatch, tmp_path, *arguments):
    """Return the result of a run that emits no hardware."""
    kept = []
    monkeypatch.setattr(pipeline, "write_outputs",
                        lambda _folder, result, *_files, **_options: kept.append(result))
    assert start(monkeypatch, *arguments, *SMALL, "--output", tmp_path, "--force") == 0
    return kept[0]


def test_every_network_has_its_files_and_all_share_one_bank(finished):
    names = {path.name for path in finished.iterdir()}
    assert {f"{stem}_{name}{suffix}" for name in INFERENCES for stem, suffix in (
        ("design", ".json"), ("program", ".json"), ("network", ".onnx"), ("network", ".json"))
        } <= names
    assert not {"program.json", "network.onnx"} & names
    design = Design.load(finished / "design.json")
    for name in INFERENCES:
        own = Design.load(finished / f"design_{name}.json")
        assert own.bank == design.bank
        assert dict(own.mapping) == {layer.removeprefix(f"{name}/"): array for layer, array
                                     in design.mapping.items() if layer.startswith(f"{name}/")}
        network = QuantNetwork.load(finished / f"network_{name}.onnx")
        program = Program.load(finished / f"program_{name}.json")
        assert program == compile_program(network.layers, own, batch=16)
        assert routes(program) == dict(own.mapping)
    assert (finished / "rtl" / "bank.v").stat().st_size > 1000


def test_accuracies_and_certificates_are_those_of_each_network_as_built(finished, result):
    best, certificates = result.kept, result.certificates
    assert best.energy < 1
    assert best.images == (300, 120)
    assert best.keeps(result.exact.right)
    assert len(certificates) == 2
    for index, name in enumerate(INFERENCES):
        design = Design.load(finished / f"design_{name}.json")
        network = QuantNetwork.load(finished / f"network_{name}.onnx")
        own = {layer.name: layer for layer in network.layers}
        built = network.with_layers({layer: Correction.from_dict(values).apply(own[layer])
                                     for layer, values in design.constants.items()})
        tables = {layer: get(design.multiplier_of(layer).name).table for layer in own}
        for split, right in (("search", best.right[index]),
                             ("certify", certificates[index].approx_right)):
            images, labels = load_digits_split(split)
            n = best.images[index] if split == "search" else certificates[index].n
            found = built.run(images[:n], tables).argmax(1) == labels[:n]
            assert found.sum() == right


def test_the_energy_of_a_round_adds_up(result):
    first, second = (sum(energy["mul8u_exact"] for layer, energy in result.layer_energy_pj.items()
                         if layer.startswith(f"{name}/")) for name in INFERENCES)
    assert second == pytest.approx(3 * first)
    assert [(network.name, network.inferences, network.layers)
            for network in result.networks] == [("a", 1, 8), ("b", 3, 8)]
    assert result.macs == 4 * sum(layer.macs for layer in result.layers[:8])


def test_the_report_shows_every_network(finished, result):
    html = render(result, load_bank(finished, result))
    for network, certificate in zip(result.networks, result.certificates, strict=True):
        assert f"{network.name}: Certificate" in html
        assert f"<b>{network.name}</b>, {network.times}" in html
        assert f"n = {certificate.n}, {certificate.lost} lost" in html
    assert all(html.count(layer.name) > 1 for layer in result.layers)
    lines = compare_runs(result, result)
    assert sum(line.startswith("right held out") for line in lines) == 2


def test_a_workload_of_one_is_a_plain_run(folder, monkeypatch, tmp_path):
    plain = searched(monkeypatch, tmp_path)
    one = searched(monkeypatch, tmp_path, "--workload", folder / "one.json")
    assert [replace(method, seconds=0.0) for method in one.methods] == [
        replace(method, seconds=0.0) for method in plain.methods]
    assert (one.layers, one.layer_energy_pj, one.sensitivity, one.multipliers) == (
        plain.layers, plain.layer_energy_pj, plain.sensitivity, plain.multipliers)
    assert one.hashes == plain.hashes
    untimed = [replace(run.compensation, refit_seconds=0) for run in (one, plain)]
    assert untimed[0] == untimed[1]


def test_an_interrupted_run_resumes_to_the_same(folder, result, monkeypatch, tmp_path):
    kept = set()

    def interrupted(measure, known):
        remembered = once(measure, known)

        def asked(mappings):
            if len(kept) >= 4:
                raise KeyboardInterrupt
            kept.update(map(key, mappings))
            return remembered(mappings)
        return asked

    arguments = ("--workload", folder / "nets.json", *SMALL, "--output", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "once", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start(monkeypatch, *arguments)
    renamed = json.loads((folder / "nets.json").read_text())
    renamed["networks"].reverse()
    (folder / "turned.json").write_text(json.dumps(renamed))
    with pytest.raises(InputError, match=r"must come from the same order of networks; choose"):
        start(monkeypatch, "--workload", folder / "turned.json", *SMALL, "--output", tmp_path,
              "--name", "nets", "--resume")
    again = []
    monkeypatch.setattr(pipeline, "write_outputs",
                        lambda _folder, result, *_files, **_options: again.append(result))
    monkeypatch.setattr(probes, "_measure", None)  # they were finished, and may not be again
    assert start(monkeypatch, *arguments, "--resume") == 0
    assert [method.history for method in again[0].methods] == [
        method.history for method in result.methods]
    assert again[0].judged == result.judged


def test_a_dry_run_tells_of_every_network(folder, result, monkeypatch, tmp_path, capsys):
    arguments = ("--workload", folder / "nets.json", *SMALL, "--output", tmp_path / "runs",
                 "--dry-run")
    assert start(monkeypatch, *arguments) == 0
    planned = json.loads(capsys.readouterr().out)
    assert [network["images"]["search"] for network in planned["networks"]] == [300, 120]
    assert planned["layers"] == len(result.layers)
    for method in result.methods:
        assert method.evaluations == pytest.approx(
            planned["charges"][method.method] + len(method.history))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", ["--network", "--data", "--search"])
def test_a_workload_names_its_networks_itself(folder, monkeypatch, tmp_path, option):
    with pytest.raises(InputError, match=rf"^--workload must not be combined with {option}$"):
        start(monkeypatch, "--workload", folder / "nets.json", option, "digits:search",
              "--output", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_certify_images_that_another_network_is_searched_on_are_refused(folder, monkeypatch,
                                                                       tmp_path):
    networks = json.loads((folder / "nets.json").read_text())["networks"]
    images, labels = load_digits_split("certify")  # nearly the same ones
    np.savez(folder / "near.npz", x=images + np.float32(1e-6), y=labels)
    networks[1] |= {"search": "near.npz", "certify": "few.npz"}
    path = folder / "leaking.json"
    path.write_text(json.dumps({"networks": networks}))
    with pytest.raises(InputError, match=r"^digits:certify: certify images of a must not be search "
                                         r"images of another network, but \d+ are of b$"):
        start(monkeypatch, "--workload", path, *SMALL, "--output", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
