"""Sampled operands: real ones, equally likely, in files that evolution reads."""

import json
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from hw.common.errors import InputError, run_command_line
from hw.multipliers import __main__ as multipliers
from hw.multipliers import files
from hw.multipliers.evolution.operands import load as load_stream
from models.data import load_digits_split
from sim import operands
from sim.network.quant_network import QuantNetwork
from sim.operands import ALL, Operands, file_names, mixture, sample_layers
from tests.command import run_main
from tests.sim.nets import NETS

PAGE = Path(__file__).parents[2] / "docs" / "multipliers.md"
SIGMAS = 5
run = partial(run_main, operands.main)


def build(tmp_path, name):
    path = tmp_path / f"{name}.onnx"
    onnx.save(NETS[name]().model(), path)
    images = np.random.default_rng(7).standard_normal((6, *NETS[name]().shape)).astype(np.float32)
    return QuantNetwork.load(path, images, threads=2), images


@pytest.fixture(params=NETS)
def net(request, tmp_path):
    return build(tmp_path, request.param)


def every_mac(network, images):
    """Layer -> all (act, next_act, weight) there are, int[macs * images, 3]."""
    found = {}
    acts = network.layer_operands(images)
    for layer, _rows in network.layer_rows(images):
        act = acts[layer.name][..., None]  # [groups, m, k, 1]
        following = np.concatenate([act[:, 1:], act[:, :1]], axis=1)
        weight = layer.weights[:, None]  # [groups, 1, k, n]
        if layer.image_weights:  # [groups, m, k, n]
            weight = np.repeat(layer.weights.swapaxes(0, 1), layer.positions, axis=1)
        triples = np.broadcast_arrays(act, following, weight)
        found[layer.name] = np.stack([part.ravel() for part in triples], axis=1)
        assert len(found[layer.name]) == layer.macs * len(images)
    return found


def triples(sample):
    return np.stack([sample.act, sample.next_act, sample.weight], axis=1)


def keys(values):
    """One integer per triple."""
    return (values.astype(np.int64) + 256) @ [1 << 20, 1 << 10, 1]


def figures(values):
    """What swapped, shifted or independent operands would change, one column each."""
    act, following, weight = values.astype(float).T
    return np.stack([act == 0, act == following, np.abs(act), np.abs(weight), act * weight,
                     act * following, following * weight], axis=1)


def test_only_operands_that_meet_are_drawn(net):
    network, images = net
    everything = every_mac(network, images)
    for sample in sample_layers(network, images, beats=3000):
        assert np.isin(keys(triples(sample)), keys(everything[sample.name])).all(), sample.name


def test_every_multiplication_is_equally_likely(net):
    network, images = net
    everything = every_mac(network, images)
    samples = sample_layers(network, images, beats=20000)
    assert [sample.name for sample in samples] == [layer.name for layer in network.layers]
    for sample in samples:
        exact, drawn = figures(everything[sample.name]), figures(triples(sample))
        error = exact.std(axis=0) / np.sqrt(len(drawn))
        np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - exact.mean(axis=0)),
                                     SIGMAS * error + 1e-9, err_msg=sample.name)


def test_batches_do_not_change_the_sample(net, monkeypatch):
    network, images = net
    together = sample_layers(network, images, beats=500)
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 2)
    for one, other in zip(together, sample_layers(network, images, beats=500), strict=True):
        np.testing.assert_array_equal(triples(one), triples(other))


def test_the_seed_alone_decides(tmp_path):
    network, images = build(tmp_path, "plain")
    first, again, other = (sample_layers(network, images, beats=500, seed=seed)
                           for seed in (3, 3, 4))
    assert [s.to_bytes() for s in first] == [s.to_bytes() for s in again]
    assert all(a.to_bytes() != b.to_bytes() for a, b in zip(first, other, strict=True))
    assert mixture(first, 3).to_bytes() == mixture(again, 3).to_bytes()
    assert mixture(first, 3).to_bytes() != mixture(first, 4).to_bytes()


def test_activations_are_what_the_array_sees_not_what_is_stored():
    images = load_digits_split("search").images[:20]
    network = QuantNetwork.load(operands.DIGITS_MODEL, load_digits_split("calibrate").images)
    stem = sample_layers(network, images, beats=5000)[0]
    assert {array.dtype for array in (stem.act, stem.next_act, stem.weight)} == {np.dtype(np.int16)}
    assert (stem.act == 0).mean() > 0.4  # paper is white, and 0 whatever the zero point
    assert stem.weight.min() < 0 < stem.weight.max()


def constant(name, macs, value, beats=40000):
    row = np.full(beats, value, np.int16)
    return Operands(name=name, macs=macs, act=row, next_act=row + 1, weight=row + 2)


def test_all_holds_each_layer_by_its_macs_with_operands_kept_together():
    layers = [constant("a", 700, 10), constant("b", 200, 20), constant("c", 100, 30)]
    together = mixture(layers)
    assert (together.name, together.macs, together.act.size) == (ALL, 1000, 40000)
    np.testing.assert_array_equal(together.next_act, together.act + 1)
    np.testing.assert_array_equal(together.weight, together.act + 2)
    for layer, share in zip(layers, (0.7, 0.2, 0.1), strict=True):
        error = np.sqrt(share * (1 - share) / 40000)
        assert abs((together.act == layer.act[0]).mean() - share) < SIGMAS * error


def test_facts_are_those_of_the_sample():
    sample = Operands(name="x", macs=7, act=np.array([0, -4, 2, 0], np.int16),
                      next_act=np.array([0, 4, 2, 1], np.int16),
                      weight=np.array([-1, 1, 3, -3], np.int16))
    assert sample.facts() == {"layer": "x", "macs": 7, "zero_act_share": 0.5, "mean_abs_act": 1.5,
                              "mean_abs_weight": 2.0, "equal_act_share": 0.5}


@pytest.mark.parametrize(("layers", "names"), [
    (["stem", "block1.a"], ["stem.npz", "block1.a.npz"]),
    (["/layer1/conv1/Conv"], ["layer1_conv1_Conv.npz"]),
    (["../../etc", "C:\\x", "..", ""], ["etc.npz", "C_x.npz", "layer.npz", "layer_2.npz"]),
    (["a/b", "a b", "A_B", "a_b_2"], ["a_b.npz", "a_b_2.npz", "A_B_3.npz", "a_b_2_2.npz"]),
    (["all", "All"], ["all_2.npz", "All_3.npz"]),
    (["é" * 9, "x" * 500], ["layer.npz", "x" * 100 + ".npz"]),
])
def test_file_names_are_safe_and_unique(layers, names):
    assert file_names(layers) == names


def test_the_embedded_network_needs_no_arguments(monkeypatch, capsys, tmp_path):
    folder = tmp_path / "new" / "operands"
    assert run(monkeypatch, "-o", folder, "--beats", 2000, "--limit", 30) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "MACs", "act", "=", "0", "mean", "|act|", "mean",
                                "|weight|", "act", "=", "next", "file"]
    summary = json.loads((folder / "operands.json").read_text())
    rows = {row["layer"]: row for row in summary["operands"]}
    assert next(iter(rows)) == "stem"
    assert list(rows)[-1] == ALL
    assert rows[ALL]["macs"] == sum(row["macs"] for row in rows.values()) / 2 == 706176
    assert {path.name for path in folder.iterdir()} == {
        "operands.json", *(row["file"] for row in rows.values())}
    for line, row in zip(lines[1:-1], rows.values(), strict=True):
        with np.load(folder / row["file"]) as content:
            assert {key: (values.shape, values.dtype.name) for key, values in content.items()} \
                == dict.fromkeys(("act", "next_act", "weight"), ((2000,), "int16"))
            zero, equal = (100 * (content["act"] == other).mean()
                           for other in (0, content["next_act"]))
            stream = load_stream(folder / row["file"])
            np.testing.assert_array_equal(stream.next_act, np.abs(content["next_act"]))
        assert line.split() == [
            row["layer"], f"{row['macs']:,}", f"{zero:.1f}", "%", f"{stream.act.mean():.1f}",
            f"{stream.weight.mean():.1f}", f"{equal:.1f}", "%", row["file"]]


def test_a_users_network_and_images_without_labels(monkeypatch, capsys, tmp_path):
    network, images = build(tmp_path, "depthwise")
    np.savez(tmp_path / "x.npz", x=images)
    assert run(monkeypatch, tmp_path / "depthwise.onnx", "--data", tmp_path / "x.npz", "--seed",
               5, "--beats", 100, "-o", tmp_path / "o", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads((tmp_path / "o" / "operands.json").read_text())
    assert captured.err == ""
    for sample in sample_layers(network, images, beats=100, seed=5):
        assert (tmp_path / "o" / f"{sample.name}.npz").read_bytes() == sample.to_bytes()


X = np.zeros((4, 1, 8, 8), np.float32)


@pytest.mark.parametrize(("arguments", "message"), [
    (["--beats", 0, "-o", "o"], "--beats must be at least 1, not 0"),
    (["--seed", -1, "-o", "o"], "--seed must not be negative, not -1"),
    (["--limit", 0, "-o", "o"], "--limit must be at least 1, not 0"),
    (["-o", "x.npz"], "x.npz: output must be a folder, not a file"),
    (["mine.onnx", "-o", "o"],
     "mine.onnx: images must be given for a network of your own: --data FILE.npz"),
    (["--data", "digits:serch", "-o", "o"],
     "Unknown digits split 'serch'; did you mean 'search'?"),
    (["--data", "y.npz", "-o", "o"], "y.npz: images must be an .npz file with array x"),
    (["--data", "none.npz", "-o", "o"], "none.npz: No such file or directory"),
    (["--data", "x.npz", "--calibrate", "y.npz", "-o", "o"],
     "y.npz: images must be an .npz file with array x"),
    (["--data", "x.npz", "-o", "x.npz/o"], "x.npz"),
])
def test_bad_input_is_one_line_and_nothing_is_written(monkeypatch, capsys, tmp_path, arguments,
                                                      message):
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", x=X)
    np.savez("y.npz", y=X)
    monkeypatch.setattr("sys.argv", ["python -m sim.operands", "--json", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        run_command_line(operands.main)
    captured = capsys.readouterr()
    assert (stopped.value.code, captured.out) == (2, "")
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz", "y.npz"]


def test_no_beats_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"^Beats must be at least 1, not 0$"):
        sample_layers(*build(tmp_path, "plain"), beats=0)


def documented_commands():
    """Return the commands of the section in docs/multipliers.md as lists of words."""
    section = PAGE.read_text().partition("## Operands of a layer\n")[2].split("\n## ")[0]
    block = section.split("```")[1].replace("\\\n", " ")
    return [shlex.split(line) for line in block.strip().splitlines()]


def test_evolution_weighs_errors_by_a_layers_operands_as_documented(monkeypatch, capsys, tmp_path):
    sampling, evolving = documented_commands()
    monkeypatch.chdir(tmp_path)
    assert sampling[:3] == ["python", "-m", "sim.operands"]
    run(monkeypatch, *sampling[3:])
    assert evolving[:3] == ["python", "-m", "hw.multipliers"]
    monkeypatch.setattr("sys.argv", [*evolving[2:], "--mutants", "2000", "--no-map", "--jobs", "1"])
    multipliers.main()
    sample = evolving[evolving.index("--errors") + 1]
    found = files.load(tmp_path / f"{evolving[evolving.index('--name') + 1]}.json")
    assert (found.parameters["errors"], found.parameters["energy"]) == (sample, sample)
    error = np.abs(found.table - np.multiply.outer(np.arange(256), np.arange(256)))
    with np.load(sample) as content:
        share = {key: np.bincount(np.abs(content[key]), minlength=256) / content[key].size
                 for key in ("act", "weight")}
    weighted = 100 * (share["act"] @ error @ share["weight"]) / 65535
    assert 0 < weighted <= found.parameters["limit_mae"] == 0.02
    assert 100 * error.mean() / 65535 > 2 * weighted  # rare operands may err more
    assert f"({sample} operands)" in capsys.readouterr().out
