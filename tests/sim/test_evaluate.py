"""`python -m sim.evaluate`: output, and one line for each kind of bad input."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from hw.common.errors import InputError
from hw.multipliers import files, get
from models.data import load_digits_split
from sim import evaluate
from sim.data import Images, Preprocessing, load_data
from tests.command import run_main
from tests.outside_data import outside

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models" / "zoo" / "digits.onnx"
run = partial(run_main, evaluate.main)


def figures(monkeypatch, capsys, *arguments):
    assert run(monkeypatch, DIGITS, "--data", "digits:search", "--limit", 80, "--json",
               "--calibrate", "digits:calibrate", *arguments) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def pixels(tmp_path):
    """The digits as a user would bring them: uint8 NHWC."""
    images, labels = load_digits_split("search")
    path = tmp_path / "digits.npz"
    np.savez(path, x=np.rint(images * 16).astype(np.uint8).transpose(0, 2, 3, 1), y=labels)
    return path


def test_a_multiplier_its_file_a_mapping_and_a_table_agree(monkeypatch, capsys, tmp_path):
    name = "mul8u_optrunc_a4w2"
    named = figures(monkeypatch, capsys, "--multiplier", name)
    np.save(tmp_path / "t.npy", get(name).table)
    tabled = figures(monkeypatch, capsys, "--table", tmp_path / "t.npy")
    (tmp_path / "m.json").write_text(json.dumps(dict.fromkeys(named["layers"], name)))
    mapped = figures(monkeypatch, capsys, "--mapping", tmp_path / "m.json")
    files.save(replace(get(name), name="mine"), tmp_path / "mine.json")
    filed = figures(monkeypatch, capsys, "--multiplier", tmp_path / "mine.json")
    assert named["top1"] == tabled["top1"] == mapped["top1"] == filed["top1"]
    assert figures(monkeypatch, capsys)["top1"] > named["top1"]
    assert named["n"] == 80
    assert named["top5"] >= named["top1"]


@pytest.mark.parametrize("name", ["mul8u_optrunc_a4w2", "mul8u_trunc_c6"])
def test_torch_gives_the_same_answer_and_says_how(monkeypatch, capsys, name):
    pytest.importorskip("torch")
    kernels = figures(monkeypatch, capsys, "--multiplier", name)
    torch = figures(monkeypatch, capsys, "--multiplier", name, "--device", "torch-cpu")
    assert torch["products"][0].startswith("cpu: ")
    assert "float32 products per table product" in torch["products"][0]
    same = ("top1", "top5", "n", "layers", "approximate", "unmapped")
    assert [torch[key] for key in same] == [kernels[key] for key in same]
    assert kernels["products"] == []


@pytest.mark.parametrize("weighting", ["uniform", "measured"])
def test_low_rank_stands_beside_the_bit_exact_run(monkeypatch, capsys, weighting):
    chosen = ("--multiplier", "mul8u_evo_mae7200", "--limit", 20)
    exact = figures(monkeypatch, capsys, *chosen)
    found = figures(monkeypatch, capsys, *chosen, "--mode", "lowrank", "--rank", 1,
                    "--weighting", weighting)
    assert found["top1"] == exact["top1"]
    emulation = found["lowrank"]
    assert (emulation["rank"], emulation["weighting"]) == (1, weighting)
    assert list(emulation["layers"]) == found["layers"]
    assert all(change["alone"] > 0 for change in emulation["layers"].values())


def test_low_rank_is_reported_beside_the_bit_exact_run(monkeypatch, capsys):
    assert run(monkeypatch, DIGITS, "--data", "digits:search", "--limit", 20, "--multiplier",
               "mul8u_trunc_c3", "--mode", "lowrank", "--rank", 3) == 0
    text = capsys.readouterr().out
    assert "bit-exact   rank 3, uniform weights" in text
    assert "images    20, 0.00 % predicted differently" in text
    assert "output codes that the emulation changes" in text


def test_a_network_that_guesses_is_doubted_and_the_presets_are_named(monkeypatch, capsys, pixels):
    """Pixels of 0 to 16 where the network takes 0 to 1, and labels of other images."""
    images, labels = load_digits_split("search")
    np.savez(pixels, x=images, y=(labels + 1) % 10)
    assert run(monkeypatch, DIGITS, "--data", pixels, "--json") == 0
    captured = capsys.readouterr()
    reason = "has 0 of 300 images right, as guessing among 10 classes would"
    assert json.loads(captured.out)["doubt"] == reason
    assert f"warning: the network {reason}: check labels and preprocessing" in captured.err
    assert "--preset NAME" in captured.err
    assert "imagenet-statistics" in captured.err


def test_multipliers_that_leave_nothing_are_doubted_themselves(monkeypatch, capsys, pixels,
                                                               tmp_path):
    np.save(tmp_path / "zero.npy", np.zeros((256, 256), np.int32))
    assert run(monkeypatch, DIGITS, "--data", pixels, "--table", tmp_path / "zero.npy") == 0
    assert "approximate multipliers may be too coarse, or check labels" in capsys.readouterr().err


def test_what_is_known_is_not_doubted(monkeypatch, capsys):
    found = figures(monkeypatch, capsys)
    assert found["doubt"] == ""


NAMED = ("--multiplier", "mul8u_trunc_c6")


@pytest.mark.parametrize(("arguments", "message"), [
    (("--rank", 3), "^--rank must come with --mode lowrank$"),
    (("--weighting", "measured"), "^--weighting must come with --mode lowrank$"),
    (("--mode", "lowrank", *NAMED), "^Mode lowrank must come with --rank$"),
    (("--mode", "lowrank", "--rank", 0, *NAMED), "^Rank must be 1 to 256, not 0$"),
    (("--mode", "lowrank", "--rank", 3), "^Mode lowrank must come with --multiplier, --mapping"),
    (("--mode", "lowrank", "--rank", 3, "--device", "torch-cpu", *NAMED),
     "^Mode lowrank must run on device cpu, not 'torch-cpu'$"),
    (("--limit", 0), "^--limit must be at least 1, not 0$"),
    (("--calibrate-limit", -2), "^--calibrate-limit must be at least 1, not -2$"),
    (("--multiplier", "mul8u_exat"), "^Unknown multiplier 'mul8u_exat'; did you mean"),
    (("--device", "gpu"), "^Device must be cpu, torch-cpu, cuda or cuda:N, not 'gpu'$"),
])
def test_options_that_do_not_belong_together_are_refused(monkeypatch, arguments, message):
    monkeypatch.setattr(evaluate, "load_network", None)  # before any work
    with pytest.raises(InputError, match=message):
        run(monkeypatch, DIGITS, "--data", "digits:search", *arguments)


def test_pixel_files_use_the_preprocessing_beside_the_network(monkeypatch, capsys, pixels):
    assert run(monkeypatch, DIGITS, "--data", pixels) == 0
    text = capsys.readouterr().out
    assert "top-1     99.00 %  (297/300)" in text
    assert "8 mapped (exact), 0 outside the arrays" in text


@pytest.mark.parametrize("more", [(), ("--mode", "lowrank", "--rank", "1")])
def test_images_that_are_too_many_to_keep_are_read_batch_by_batch(monkeypatch, capsys, more):
    arguments = ("--multiplier", "mul8u_trunc_c9", *more)
    kept = figures(monkeypatch, capsys, *arguments)
    lengths, read = [], Images.read
    monkeypatch.setattr("sim.data.images.WHOLE_BYTES", 0)
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 25)
    monkeypatch.setattr("sim.network.onnx.float_run.BATCH", 25)
    monkeypatch.setattr(Images, "read", lambda self, *arguments, **options: lengths.append(
        len(self)) or read(self, *arguments, **options))
    unread = figures(monkeypatch, capsys, *arguments)
    for found in (kept, unread):
        found.pop("images_per_s", None)
    assert unread == kept
    calibrate, *batches = lengths
    assert calibrate == len(load_digits_split("calibrate").labels)
    assert sum(batches) == 2 * 80  # quantised and in float
    assert max(batches) <= 25


def test_preprocessing_is_scale_then_mean_then_std():
    pixels = np.full((1, 2, 2, 3), 100, np.uint8)
    values = Preprocessing(scale=0.1, mean=(1, 2, 3), std=(1, 2, 4)).apply(pixels)
    assert values.shape == (1, 3, 2, 2)
    np.testing.assert_allclose(values[0, :, 0, 0], [9, 4, 7 / 4])


def test_vectors_of_features_are_taken(monkeypatch, capsys):
    case = outside("..", "cases", "vector_input")
    assert run(monkeypatch, case / "net.onnx", "--data", case / "data.npz") == 0
    assert "(24/256)" in capsys.readouterr().out  # as ONNX Runtime


@pytest.mark.parametrize(("shape", "remedy"), [
    ((8, 9, 1), "--size 8 8"), ((8, 8, 3), "--channels grey"),
    ((9, 8, 3), "--channels grey --size 8 8")])
def test_images_that_the_network_does_not_take_are_refused_before_quantising(
        monkeypatch, tmp_path, shape, remedy):
    np.savez(tmp_path / "d.npz", x=np.zeros((4, *shape), np.uint8), y=Y)
    monkeypatch.setattr("sim.network.quant_network.quantise", None)
    for given in (["--data", tmp_path / "d.npz"],
                  ["--data", "digits:search", "--calibrate", tmp_path / "d.npz"]):
        with pytest.raises(InputError, match=r"d\.npz: images must have shape \[1, 8, 8\], which "
                                             rf"the network takes, not \[.*\]; {remedy} \("):
            run(monkeypatch, DIGITS, *given)


X = np.zeros((4, 8, 8, 1), np.uint8)
Y = np.arange(4)


@pytest.mark.parametrize(("arrays", "message"), [
    ({"x": X}, r"data must be an \.npz file with arrays x and y(; .*)?$"),
    ({"x": X[0], "y": Y}, r"x must have shape \[n, h, w, c\] where it is uint8, not \[8, 8, 1\]; "),
    ({"x": X, "y": Y[:3]}, r"y must have shape \[4\], not \[3\]$"),
    ({"x": X, "y": Y.astype(float)}, r"y must hold integers, not float64$"),
    ({"x": X, "y": Y - 1}, r"labels must not be negative, but -1 is$"),
    ({"x": X.astype(int), "y": Y}, r"x must be uint8 for pictures .* float32, not int64; store "),
    ({"x": np.full((4, 1, 8, 8), np.nan, np.float32), "y": Y}, r"x must be finite and .* nan$"),
    ({"x": np.array([{}]), "y": Y}, r"data must be an \.npz file with arrays x and y(; .*)?$"),
])
def test_data_files_that_do_not_fit_are_refused_by_name(tmp_path, arrays, message):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError, match=rf"d\.npz: {message}"):
        load_data(str(tmp_path / "d.npz"), Preprocessing())


def _onnx_bytes(change):
    model = onnx.load(DIGITS)
    change(model)
    return model.SerializeToString()


def _external(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


@pytest.mark.parametrize(("content", "message"), [
    (b"", r"must have 1 to \d+ bytes, not 0$"),
    (b"nonsense", r"not an ONNX file"),
    (_onnx_bytes(_external),
     r"tensor '\w+\.\w+' must be kept in a file in the network's own folder, not '/etc/passwd'$"),
    (_onnx_bytes(lambda m: m.graph.initializer[1].dims.append(7)), r"must fill its dimensions"),
    (_onnx_bytes(lambda m: m.graph.output.append(m.graph.output[0])), r"m\.onnx: "),
    (_onnx_bytes(lambda m: setattr(m.graph.node[0], "op_type", "Konv")), r"invalid ONNX"),
], ids=["empty", "nonsense", "external", "dims", "outputs", "operator"])
def test_networks_that_are_none_are_refused_by_name(monkeypatch, tmp_path, content, message):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"m\.onnx: .*{message}|{message}") as refusal:
        run(monkeypatch, path, "--data", "digits:search")
    assert "m.onnx" in str(refusal.value)


def _quantised_digits(change):
    from sim.network.quant_network import QuantNetwork

    model = QuantNetwork.load(DIGITS, load_digits_split("calibrate").images).model
    change({tensor.name: tensor for tensor in model.graph.initializer})
    return model


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_scales_that_are_none_are_refused(monkeypatch, tmp_path, scale):
    def change(tensors):
        tensors["stem_scale"].CopyFrom(
            onnx.numpy_helper.from_array(np.array(scale, np.float32), "stem_scale"))

    onnx.save(_quantised_digits(change), tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"m\.onnx: .*must have finite, positive scales of "):
        run(monkeypatch, tmp_path / "m.onnx", "--data", "digits:search")


@pytest.mark.parametrize(("text", "message"), [
    ("[]", r"m\.json: Content must be an object, not an empty list$"),
    ('{"stem": 3}', r"m\.json: \['stem'\] must be a text, not 3$"),
    ('{"stern": "mul8u_exact"}', r"m\.json: Unknown layer 'stern'; did you mean 'stem'\?$"),
    ('{"stem": "mul8u_exat"}', r"m\.json: Unknown multiplier 'mul8u_exat'; did you mean"),
    ('{"stem": "mul8s_exact"}', r"m\.json: Layer 'stem' must have activations from -128 to 127"),
])
def test_mappings_that_do_not_fit_are_refused_by_name(monkeypatch, tmp_path, text, message):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(InputError, match=message):
        run(monkeypatch, DIGITS, "--data", "digits:search", "--mapping", tmp_path / "m.json")


@pytest.mark.parametrize("named", ["mul8s_exact", "s.json"])
def test_layers_of_uint8_activations_do_not_run_on_signed_multipliers(monkeypatch, tmp_path, named):
    monkeypatch.chdir(tmp_path)
    files.save(get("mul8s_exact"), Path("s.json"))
    with pytest.raises(InputError, match=r"^Layer 'stem' must have activations from -128 to 127 to "
                       r"run on a signed multiplier, not from 0 to 255$"):
        run(monkeypatch, DIGITS, "--data", "digits:search", "--multiplier", named)


def test_labels_beyond_the_classes_are_refused(monkeypatch, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y + 7)
    with pytest.raises(InputError, match=r"d\.npz: labels must be 0 to 9, not 10$"):
        run(monkeypatch, DIGITS, "--data", tmp_path / "d.npz")


@pytest.mark.parametrize(("arguments", "line"), [
    (["missing.onnx", "--data", "digits:search"], "error: missing.onnx: No such file or directory"),
    ([str(DIGITS), "--data", "digits:search", "--multiplier", "mul8u_exat"],
     "error: Unknown multiplier 'mul8u_exat'; did you mean 'mul8u_exact'?"),
])
def test_a_shell_sees_one_line_and_status_two(arguments, line):
    done = subprocess.run([sys.executable, "-m", "sim.evaluate", *arguments], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [line]
    assert done.stdout == ""
