"""The main job end to end on a small budget, and one line for each kind of bad input."""

import csv
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError, ToolError
from hw.common.files import read_json
from hw.common.wording import energy
from hw.machine.compiler import Program, routes
from hw.machine.design import Design
from hw.multipliers import files, get
from hw.multipliers.base import Multiplier
from hw.ppa.mapping.stored_pes import results_folder
from models.data import load_digits_split
from search import pipeline
from search import run as command
from search.certify.looks import Counts
from search.measure import probes
from search.measure.designs import key, once
from search.pipeline import JOURNAL, Finished
from search.pool import __main__ as pool
from search.pool.looks import begun, counts_of, load_looks
from search.problem.workload import DEFAULT_MODEL
from search.report.consistency import check_run
from search.report.page import render
from search.report.record import RunResult
from sim.compensation.correction import Correction
from sim.network.quant_network import QuantNetwork
from tests.command import run_main

MULTIPLIERS = "mul8u_trunc_c9,mul8u_truncvc_c9,mul8u_optrunc_a3w1,mul8u_drum_k4"
SMALL = ("--multipliers", MULTIPLIERS, "--budget", "24", "--compare", "uniform,tpe",
         "--rows", "8", "--cols", "8")
start = partial(run_main, command.main)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run: its folder."""
    output = tmp_path_factory.mktemp("runs")
    patch = pytest.MonkeyPatch()
    with patch.context() as monkeypatch:
        assert start(monkeypatch, *SMALL, "--output", output, "--json") == 0
    return output / "digits"


@pytest.fixture(scope="module")
def result(finished):
    return RunResult.load(finished / "run.json")


def test_the_folder_holds_every_file(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {"artifacts", "certified.json", "design.json", "figures", "mapping.csv",
                     "multipliers", "network.json", "network.onnx", "pareto.csv", "program.json",
                     "report.html", "rtl", "run.json", "run.log", "run.toml", JOURNAL}
    assert (finished / "rtl" / "bank.v").stat().st_size > 1000
    assert list(finished.parent.iterdir()) == [finished]


def test_design_and_network_of_the_folder_make_its_program(finished, tmp_path):
    subprocess.run([sys.executable, "-m", "hw.compile", finished / "design.json",
                    finished / "network.onnx", "--batch", "16", "-o", tmp_path / "again.json"],
                   check=True, capture_output=True)
    assert (tmp_path / "again.json").read_bytes() == (finished / "program.json").read_bytes()


def test_design_program_mapping_and_result_tell_the_same(finished, result):
    design = Design.load(finished / "design.json")
    best = result.kept
    mapping = {layer: design.multiplier_of(layer).name for layer in design.mapping}
    assert mapping == best.mapping
    assert routes(Program.load(finished / "program.json")) == dict(design.mapping)
    with (finished / "mapping.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["layer"]: row["multiplier"] for row in rows} == best.mapping
    for name, multiplier in design.multipliers.items():
        assert (finished / "rtl" / f"multiplier_{name}.v").exists()
        assert multiplier.digest in (finished / "rtl" / "bank.v").read_text()


def test_accuracy_in_the_result_is_the_golden_models(finished, result):
    """With the constants that the design carries, and with nothing else."""
    network = QuantNetwork.load(Path("models/zoo/digits.onnx"),
                                load_digits_split("calibrate").images)
    best, certificate = result.kept, result.certificate
    tables = {layer: get(name).table for layer, name in best.mapping.items()}
    own = {layer.name: layer for layer in network.layers}
    constants = Design.load(finished / "design.json").constants
    built = network.with_layers({
        name: Correction.from_dict(values).apply(own[name]) for name, values in constants.items()})
    for split, right in (("search", best.search_right), ("certify", certificate.approx_right)):
        images, labels = load_digits_split(split)
        assert (built.run(images, tables).argmax(1) == labels).sum() == right
    images, labels = load_digits_split("search")
    facts = result.compensation
    assert facts.right == best.search_right
    assert facts.plain_right == (network.run(images, tables).argmax(1) == labels).sum()
    assert facts.plain_damage > facts.damage
    changed = {layer for layer, kept in facts.layers.items() if kept != "none"}
    assert changed == set(constants) != set()


def test_the_kept_design_saves_energy_and_keeps_the_accuracy(result):
    assert result.kept.energy < 0.95
    assert result.winner.accepted.search_right >= result.exact.search_right
    assert result.certificate.certified
    assert [method.method for method in result.methods] == ["uniform", "tpe", "milp"]
    for method in result.methods:
        assert method.evaluations <= 24
        for candidate in method.history:
            assert candidate.area <= 4
            assert len(candidate.arrays) <= 3


def test_what_the_run_took_is_in_its_record(result):
    spent = dict(result.processor_seconds)
    in_all = spent.pop("in all, imports included")
    assert {"energy of every array on every layer", "searching by milp",
            "certifying on held-out images"} <= set(spent)
    assert 0 < sum(spent.values()) <= in_all
    assert result.peak_bytes > 2**27


def test_nothing_that_any_method_measured_and_that_is_certified_is_cheaper(result):
    assert result.certified.design == result.kept
    assert {one.verdict for one in result.judged} <= {"certified", "not certified"}
    for one in result.judged:
        assert one.found_by == tuple(method.method for method in result.methods if any(
            tried.mapping == one.design.mapping for tried in method.history))
        assert not one.certified or one.design.energy >= result.kept.energy
    assert [result.certified_of(name).design.energy >= result.kept.energy
            for name in result.certified.found_by] == [True] * len(result.certified.found_by)


def test_energies_add_up(result):
    exact = 1000 * result.baseline.energy_nj["array"]
    for method in result.methods:
        for candidate in method.history:
            dynamic = sum(result.layer_energy_pj[layer][name]
                          for layer, name in candidate.mapping.items())
            # Idle arrays add leakage, a slower clock stretches it: little, never less.
            assert candidate.energy * exact >= dynamic * (1 - 1e-9) or len(candidate.arrays) > 1
            assert candidate.energy * exact <= dynamic * 1.03


def test_the_same_seed_finds_the_same(finished, result, monkeypatch, tmp_path, capsys):
    assert start(monkeypatch, *SMALL, "--output", tmp_path, "--json") == 0
    again = RunResult.load(tmp_path / "digits" / "run.json")
    assert [method.history for method in again.methods] == [
        method.history for method in result.methods]
    assert json.loads(capsys.readouterr().out)["mapping"] == result.kept.mapping
    for name in ("mapping.csv", "pareto.csv", "program.json"):
        assert (tmp_path / "digits" / name).read_bytes() == (finished / name).read_bytes()


def test_a_multiplier_file_is_searched_as_if_it_were_of_the_catalogue(monkeypatch, tmp_path):
    ours = replace(get("mul8u_trunc_c9"), name="ours")
    files.save(ours, tmp_path / "ours.json")
    found = {}
    for choice in (tmp_path / "ours.json", "mul8u_trunc_c9"):
        assert start(monkeypatch, "--multipliers", choice, "--compare", "uniform", "--budget", "14",
                     "--rows", "8", "--cols", "8", "--output", tmp_path / "runs", "--json",
                     "--name", Path(choice).stem) == 0
        result = RunResult.load(tmp_path / "runs" / Path(choice).stem / "run.json")
        found[choice] = [
            (c.energy, c.search_right, [name != "mul8u_exact" for name in c.mapping.values()])
            for method in result.methods for c in method.history]
    assert len(set(map(str, found.values()))) == 1
    assert any(any(approximate) for *_figures, approximate in next(iter(found.values())))
    design = Design.load(tmp_path / "runs" / "ours" / "design.json")
    assert ours.digest in {multiplier.digest for multiplier in design.multipliers.values()}


def test_a_file_without_synthesis_in_the_users_folder_is_refused_and_leaves_nothing(
        monkeypatch, tmp_path):
    source = get("mul8u_trunc_c9").netlist
    files.save(Multiplier(name="fresh", family="own", source=replace(
        source, outputs=(*source.outputs[:14], source.outputs[15], source.outputs[14]))),
        tmp_path / "fresh.json")
    with pytest.raises(ToolError, match=r"^No synthesis result for 'fresh' .*; run: make ppa"):
        start(monkeypatch, "--multipliers", tmp_path / "fresh.json", "--output",
              tmp_path / "runs", "--pes", results_folder(), "--json")
    assert not (tmp_path / "runs").exists()


def test_trained_ranges_make_the_network_that_is_searched(monkeypatch, tmp_path):
    ranges = tmp_path / "ranges.json"
    ranges.write_text('{"stem": [0.125, 3]}')
    assert start(monkeypatch, "--ranges", ranges, "--multipliers", "mul8u_trunc_c9", "--rows", "4",
                 "--cols", "4", "--compensation", "none", "--budget", "10", "--compare", "none",
                 "--output", tmp_path / "runs", "--json") == 0
    stem = QuantNetwork.load(tmp_path / "runs" / "digits" / "network.onnx").layers[0]
    assert stem.requantizer.zero_point == 3
    run = RunResult.load(tmp_path / "runs" / "digits" / "run.json")
    assert run.configuration["ranges"] == "ranges.json"
    assert run.hashes["ranges"] == hashlib.sha256(ranges.read_bytes()).hexdigest()


def test_an_interrupted_run_keeps_its_trials_and_resumes_to_the_same(result, monkeypatch,
                                                                    tmp_path):
    kept = set()

    def interrupted(measure, known):
        remembered = once(measure, known)

        def asked(mappings):
            if len(kept) >= 9:
                raise KeyboardInterrupt
            kept.update(map(key, mappings))
            return remembered(mappings)
        return asked

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "once", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start(monkeypatch, *SMALL, "--output", tmp_path, "--json")
    assert [path.name for path in tmp_path.iterdir()] == ["digits.unfinished"]
    with pytest.raises(InputError, match=r"an interrupted run is here; continue it with --resume"):
        start(monkeypatch, *SMALL, "--output", tmp_path, "--json", "--name", "digits")
    measured = []
    monkeypatch.setattr(pipeline, "once", lambda measure, known: once(
        lambda some: measured.extend(some) or measure(some), known))
    monkeypatch.setattr(probes, "_measure", None)  # they were finished, and may not be again
    assert start(monkeypatch, *SMALL, "--output", tmp_path, "--json", "--resume") == 0
    again = RunResult.load(tmp_path / "digits" / "run.json")
    assert [m.history for m in again.methods] == [m.history for m in result.methods]
    total = len({json.dumps(c.mapping, sort_keys=True) for m in result.methods for c in m.history})
    assert len(measured) == total - len(kept)


def _npz(path, **changes):
    images, labels = load_digits_split("search")
    arrays = {"x": np.rint(images * 16).astype(np.uint8).transpose(0, 2, 3, 1), "y": labels}
    np.savez(path, **(arrays | changes))
    return path


TINY = ("--network", DEFAULT_MODEL, "--multipliers", "mul8u_trunc_c9", "--rows", "4", "--cols", "4",
        "--budget", "15", "--compare", "none", "--json")


@pytest.fixture
def unwritten(monkeypatch):
    """Runs that emit no hardware; the results that they found."""
    kept = []
    monkeypatch.setattr(pipeline, "write_outputs",
                        lambda _folder, result, *_files, **_options: kept.append(result))
    return kept


def test_earlier_runs_on_the_same_certify_images_are_counted(monkeypatch, tmp_path, capsys,
                                                             unwritten):
    """With another seed the splits overlap, with another margin they are the same."""
    data = ("--data", _npz(tmp_path / "d.npz"), "--limit", "200", "--output", tmp_path / "runs")
    for more in ((), ("--margin", "0.2"), ("--seed", "1", "--name", "c"),
                 ("--seed", "1", "--name", "c", "--force"), ("--dry-run",)):
        assert start(monkeypatch, *TINY, *data, *more) == 0
    found = [run.networks[0] for run in unwritten]
    n = unwritten[0].certificate.n
    assert [facts.earlier_runs for facts in found] == [0, 1, 2, 3]
    assert found[1].earlier_images == found[3].earlier_images == n
    assert n / 2 < found[2].earlier_images < n
    captured = capsys.readouterr()
    assert re.search(rf"notice: images: 4 earlier runs in this folder looked at {n} of the certify",
                     captured.err)
    assert '"budget": "3 earlier runs in this folder looked at' in captured.out


@pytest.mark.parametrize(("metric", "more", "parts"), [
    ("top1+top5", (), ("top1", "top5")), ("agreement", ("--margin", "0.02"), ("agreement",))])
def test_other_metrics_are_certified_part_by_part(monkeypatch, tmp_path, capsys, unwritten, metric,
                                                  more, parts):
    assert start(monkeypatch, *TINY, "--metric", metric, *more, "--output", tmp_path) == 0
    run, = unwritten
    assert run.metric == parts
    assert tuple(one.metric for one in run.certificates) == parts
    assert run.kept.energy < 1
    first, *others = run.certificates
    if parts == ("agreement",):
        assert first.wording == "at most 2.0 % answered otherwise (certified, 95 %)"
        assert (run.exact.right, first.exact_right) == ((300,), first.n)
        assert run.configuration["search_loss"] == 0.02
    else:
        assert others[0].exact_right > first.exact_right
    check_run(run)
    assert render(run, {one.name: get(one.name) for one in run.multipliers})
    told = json.loads(capsys.readouterr().out)["networks"]
    assert [one[f"certify_{part}"] for one, part in zip(told, parts, strict=True)] == [
        one.share for one in run.certificates]


def test_a_run_with_looks_fixes_them_first_and_goes_on_with_fresh_images(
        monkeypatch, tmp_path, capsys):
    output = tmp_path / "runs"
    judging = pipeline.certify

    def judged_later(*given, **options):
        claim = read_json(output / "digits.unfinished" / "looks" / "claim.json")
        assert claim["levels"] == pytest.approx([options["level"], 0.01])
        assert counts_of(begun(output / "digits.unfinished")[0]) == {}
        return judging(*given, **options)

    monkeypatch.setattr(pipeline, "certify", judged_later)
    assert start(monkeypatch, *TINY, "--looks", "2", "--margin", "0.002", "--output", output) == 0
    assert "2 looks spend 4 %, 1 % of the 5 %" in capsys.readouterr().err
    folder = output / "digits"
    result, looks, [first] = (RunResult.load(folder / "run.json"), load_looks(folder),
                              begun(folder))
    assert looks.energies == [one.design.energy for one in result.judged]
    assert counts_of(first) == {number: [Counts.of(one) for one in judged.certificates]
                                for number, judged in enumerate(result.judged)}
    assert not any(one.certified for one in result.judged)
    assert run_main(pool.main, monkeypatch, "continue", folder, "--data", "digits:train",
                    "--limit", "100") == 0
    assert f"of {result.certificate.n + 100} images" in capsys.readouterr().out


@pytest.mark.parametrize("noise", [0, 1e-6])
def test_copies_of_images_buy_no_certificate(monkeypatch, tmp_path, capsys, unwritten, noise):
    images, labels = (part[:40] for part in load_digits_split("certify"))
    copies = np.tile(images, (250, 1, 1, 1))
    copies += np.random.default_rng(0).uniform(-noise, noise, copies.shape).astype(np.float32)
    tiled = np.tile(labels, 250)
    tiled[-1] += 1
    np.savez(tmp_path / "d.npz", x=copies, y=tiled)
    assert start(monkeypatch, *TINY, "--calibrate", "digits:calibrate", "--search",
                 "digits:search", "--certify", tmp_path / "d.npz", "--output", tmp_path) == 0
    run, = unwritten
    assert run.certificate.n == 40
    assert run.networks[0].repeated == {"certify": 9960}
    assert run.networks[0].relabelled == 1
    text = "9,960 of certify are the same as an earlier image and were left out; 1 had another"
    captured = capsys.readouterr()
    assert f"notice: images: {text}" in captured.err
    assert f'"repeated": "{text}' in captured.out


def test_copies_are_no_images_of_another_split(monkeypatch, tmp_path):
    images, labels = load_digits_split("search")
    near = np.concatenate([images, load_digits_split("certify").images[:3]]) + np.float32(1e-6)
    np.savez(tmp_path / "d.npz", x=near, y=np.append(labels, [0, 1, 2]))
    with pytest.raises(InputError, match=r"^digits:certify: images must not be in another split, "
                                         r"but 3 of certify are in search$"):
        start(monkeypatch, *TINY, "--calibrate", "digits:calibrate", "--search",
              tmp_path / "d.npz", "--certify", "digits:certify", "--output", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_too_few_images_are_left_of_copies(monkeypatch, tmp_path):
    images, labels = (np.tile(part[:10], (10, *[1] * (part.ndim - 1)))
                      for part in load_digits_split("certify"))
    np.savez(tmp_path / "d.npz", x=images, y=labels)
    with pytest.raises(InputError, match=r"d\.npz: the certify split must have at least 16 images, "
                                         r"not 10 and 90 repeated ones$"):
        start(monkeypatch, *TINY, "--calibrate", "digits:calibrate", "--search",
              "digits:search", "--certify", tmp_path / "d.npz", "--output", tmp_path / "runs")


def test_images_too_many_to_keep_are_read_whenever_they_are_needed(monkeypatch, tmp_path):
    """Cut in three and limited: the same run, whether the splits are in memory or not."""
    data = _npz(tmp_path / "d.npz")
    found = {}
    for name, limit in (("kept", 2**30), ("unread", 0)):
        monkeypatch.setattr("sim.data.images.WHOLE_BYTES", limit)
        assert start(monkeypatch, "--network", DEFAULT_MODEL, "--data", data, "--limit", "200",
                     "--multipliers", "mul8u_trunc_c9", "--rows", "4", "--cols", "4", "--budget",
                     "10", "--compare", "none", "--output", tmp_path, "--name", name,
                     "--json") == 0
        found[name] = RunResult.load(tmp_path / name / "run.json")
    one, other = found.values()
    assert (one.hashes, one.exact, one.winner.history, one.certificates) == (
        other.hashes, other.exact, other.winner.history, other.certificates)
    assert sum(one.exact.images) == 50
    assert one.certificate.n == 200 - 16 - 50
    assert one.configuration["limit"] == 200


def test_labels_of_another_network_are_doubted_and_certify_nothing(monkeypatch, tmp_path, capsys):
    _images, labels = load_digits_split("search")
    data = _npz(tmp_path / "d.npz", y=(labels + 1) % 10)
    assert start(monkeypatch, "--network", DEFAULT_MODEL, "--data", data, "--limit", "200",
                 "--multipliers", "mul8u_trunc_c9", "--rows", "4", "--cols", "4", "--budget", "10",
                 "--compare", "none", "--output", tmp_path, "--name", "run", "--json",
                 "--calibrator", "mse") == 0
    captured = capsys.readouterr()
    assert re.search(r"warning: the exact network has 0 of 50 search images right, as guessing "
                     r"among 10 classes would: check labels", captured.err)
    assert '"doubt": "exact network has 0 of 50 search images right' in captured.out
    run = RunResult.load(tmp_path / "run" / "run.json")
    assert run.networks[0].calibrator == run.configuration["calibrator"] == "mse"
    assert json.loads(captured.out)["networks"][0]["float_search_top1"] == 0
    assert run.certificate.wording == "zero-loss (exact array, the same network)"
    doubt = "0 of 50 search images right, as guessing among 10 classes would"
    assert doubt in run.networks[0].doubt
    assert doubt in (tmp_path / "run" / "report.html").read_text()
    command.print_summary(Finished(result=run, folder=tmp_path / "run"))
    out = capsys.readouterr().out
    assert f"  doubt     exact network has {doubt}" in out
    assert ("  reference 8 bits, ranges mse: 0.00 % top-1, float 0.00 % (n = 50, search)\n") in out
    array = energy(run.baseline.energy_nj["array"])
    assert (f"            array      1.000 of the exact one (+0.0 %), {array} of {array} an "
            "inference, minimised\n") in out


@pytest.mark.parametrize(("arguments", "message"), [
    (["--method", "mlp"], r"^Unknown method 'mlp'; did you mean 'milp'\?$"),
    (["--compare", "tpee"], r"^Unknown method 'tpee'; did you mean 'tpe'\?$"),
    (["--multipliers", "mul8u_exat"], r"^Unknown multiplier 'mul8u_exat'; did you mean"),
    (["--budget", "0"], r"^Budget must be at least 1, not 0$"),
    (["--multipliers", "mul8u_trunc_c9", "--budget", "2"],
     r"^Budget must be at least \d+ for method milp, compensation and calibration included, not"),
    (["--compensation", "afine"], r"^Unknown compensation 'afine'; did you mean 'affine'\?$"),
    (["--objective", "chips"], r"^Unknown objective 'chips'; did you mean 'chip'\?$"),
    (["--chip", "7mn"], r"^Unknown chip preset '7mn'; did you mean '7nm'\?$"),
    (["--constraint", "nativ"], r"^Unknown constraint 'nativ'; did you mean 'native'\?$"),
    (["--metric", "top3"], r"^Unknown metric 'top3'; did you mean 'top5'"),
    (["--metric", "agreement"],
     r"^Metric agreement must have a margin, the share of images that may be answered otherwise, "
     r"not none; give --margin$"),
    (["--batch", "0"], r"^Batch must be at least 1, not 0$"),
    (["--rows", "0"], r"^Bank rows must be an integer from 1 to 256, not 0$"),
    (["--rows", "256"], r"^Partial sums of 'mul8u_\w+' reach \d+ over 256 rows, which must fit"),
    (["--area-limit", "0.3", "--multipliers", "mul8u_trunc_c9"],
     r"^Area limit must leave room for one array, not 0\.3"),
    (["--max-arrays", "0"], r"^Number of arrays must be at least 1, not 0$"),
    (["--margin", "2"], r"^Margin must be a fraction between 0 and 1, not 2$"),
    (["--search-loss", "-1"], r"^Search loss must be in \[0, 1\), not -1$"),
    (["--margin", "nan"], r"^Margin must be a fraction between 0 and 1, not nan$"),
    (["--search-loss", "nan"], r"^Search loss must be in \[0, 1\), not nan$"),
    (["--area-limit", "-1"], r"^Area limit must be a positive multiple of .*, not -1$"),
    (["--area-limit", "nan"], r"^Area limit must be a positive multiple of .*, not nan$"),
    (["--area-limit", "inf"], r"^Area limit must be a positive multiple of .*, not inf$"),
    (["--rows", "100000"], r"^Bank rows must be an integer from 1 to 256, not 100000$"),
    (["--cols", "-3"], r"^Bank cols must be an integer from 1 to 256, not -3$"),
    (["--batch", "1000000000"], r"^Batch must leave the rows of layer 'stem' below 16,777,216"),
    (["--batch", "10000000000"], r"^Batch must be at most 1000000000, not 10000000000$"),
    (["--max-arrays", "17"], r"^Number of arrays must be at most 16, not 17$"),
    (["--budget", str(10**30)], r"^Budget must be at most 1000000000, not 1000"),
    (["--seed", str(2**32)], r"^Seed must be at most 4294967295, not 4294967296$"),
    (["--multipliers", ""], r"^Multipliers must be named, or be 'default' or 'all', not ''$"),
    (["--storage", "nonsense"], r"^Storage must be the URL of a database, such as .*'nonsense'$"),
    (["--storage", "gopher://x/y"], r"^Storage must be the URL of a database, such as"),
    (["--name", "x" * 300], r"^Run name must have at most 200 bytes, not 300$"),
    (["--resume", "--force"], r"^--resume must not be combined with --force$"),
    (["--data", "digits:search", "--certify", "digits:certify"],
     r"^--data must not be combined with --calibrate, --search and --certify$"),
    (["--limit", "0"], r"digits\.onnx: a limit must come with data, whose first images it takes$"),
    (["--limit", "0", "--workload", "w.json"], r"^--workload must not be combined with --limit$"),
    (["--seed", "-1"], r"^Seed must not be negative, not -1$"),
    (["--name", "../x"], r"^Run name must be made of letters, digits, '_', '-' and '\.', not"),
    (["--resume"], r"must hold an interrupted run to resume"),
    (["--search", "digits:search"], r"^--calibrate must be given when --search is$"),
    (["--calibrate", "digits:calibrate", "--search", "digits:search", "--certify",
      "digits:search"], r"^digits:search: images must not be in another split"),
    (["--limit", "5"], r"digits\.onnx: a limit must come with data, whose first images it takes$"),
    (["--data", "digits:search", "--limit", "0"], r"^Limit must be at least 1, not 0$"),
    (["--ranges", "pyproject.toml"], r"^pyproject\.toml: not valid JSON"),
    (["--ranges", "r.json", "--workload", "w.json"],
     r"^--workload must not be combined with --ranges$"),
    (["--network", "README.md"], r"images must be given for a network of your own"),
])
@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["run", "dry-run"])
def test_bad_options_are_one_line_and_leave_nothing(monkeypatch, tmp_path, arguments, message,
                                                    more):
    monkeypatch.setattr(pipeline, "stages", None)  # refused before any work
    with pytest.raises(InputError, match=message):
        start(monkeypatch, "--output", tmp_path / "runs", "--json", *arguments, *more)
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(("change", "message"), [
    ({"y": np.arange(300) % 12}, r"d\.npz: labels must be 0 to 9, not 11$"),
    ({"x": np.zeros((300, 9, 9, 1), np.uint8) + np.arange(300, dtype=np.uint16)[
        :, None, None, None].astype(np.uint8)}, r"d\.npz: images must have shape \[1, 8, 8\]"),
    ({"y": np.full(300, 3)}, r"d\.npz: labels of the search split must be of 2 classes or more, "
                             r"not all 3$"),
    ({"y": np.zeros(299, int)}, r"d\.npz: y must have shape \[300\], not \[299\]$"),
])
def test_bad_images_are_one_line_and_leave_nothing(monkeypatch, tmp_path, change, message):
    data = _npz(tmp_path / "d.npz", **change)
    with pytest.raises(InputError, match=message):
        start(monkeypatch, "--output", tmp_path / "runs", "--data", data, "--json")
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_an_output_that_cannot_be_written_is_refused(monkeypatch, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match=r"runs: must be a folder$"):
        start(monkeypatch, "--output", tmp_path / "runs", "--json")


def test_a_dry_run_says_what_a_run_does_and_leaves_nothing(result, monkeypatch, tmp_path, capsys):
    assert start(monkeypatch, *SMALL, "--output", tmp_path / "runs", "--json", "--dry-run") == 0
    planned = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "runs").exists()
    assert planned["layers"] == len(result.layers)
    assert planned["multipliers"] == len(result.multipliers)
    (network,) = planned["networks"]
    assert network["margin"] == result.configuration["margin"]
    for method in result.methods:
        spent = planned["charges"][method.method] + len(method.history)
        assert method.evaluations == pytest.approx(spent)
        assert len(method.history) <= planned["evaluations"][method.method]
    assert planned["total_seconds"] == pytest.approx(sum(planned["seconds"].values()))
    assert start(monkeypatch, *SMALL, "--output", tmp_path / "runs", "--dry-run") == 0
    assert "nothing was searched" in capsys.readouterr().out


def test_help_states_defaults(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, "--help")
    assert stop.value.code == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for piece in ("(default: 16)", "(default: milp)", "(default: 4.0)", "(default: 100)"):
        assert piece in text


@pytest.mark.parametrize(("arguments", "chosen"), [
    ([], ("default",)), (["--objective", "chip"], ("default", "precision")),
    (["--objective", "chip", "--multipliers", "all"], ("all",))])
def test_lower_precision_is_offered_where_the_chip_is_minimised(arguments, chosen):
    assert command.options_of(command._parser().parse_args(arguments), "", "").multipliers == chosen
