"""Training of architectures: the module is the network, checkpoints, the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hw.common.errors import InputError, ToolError
from models.architectures import ARCHITECTURES, build
from models.data import Labelled
from models.train import main
from models.training.augmentation import moved_and_mirrored
from models.training.codes import with_int8_weights
from models.training.graph_module import graph_module, trained
from models.training.loop import Training
from models.training.recipes import BFLOAT16, FLOAT32, RECIPES, Recipe
from sim.data import Preprocessing, load_data
from sim.network.quant_network import QuantNetwork
from tests.command import run_main

torch = pytest.importorskip("torch", reason="training needs torch")
convolution = pytest.importorskip("models.training.convolution")
Convolution = convolution.Convolution

QUICK = Recipe(architecture="resnet8", epochs=3, batch=15, peak_rate=0.1)


def stripes(count, seed=0):
    """Noise with stripes: the class is their direction."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    place = np.arange(32) * (2 * np.pi / 8)
    patterns = np.stack([np.broadcast_to(np.sin(part), (32, 32)) for part in (
        place[None, :], place[:, None], (place[:, None] + place[None, :]) / 2)])
    images = 2 * patterns[labels][:, None] + random.normal(size=(count, 3, 32, 32))
    return Labelled(images.astype(np.float32), labels.astype(np.int64))


def logits_of(model, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    return session.run(None, {"input": images})[0]


@pytest.mark.parametrize("name", [*sorted({recipe.architecture for recipe in RECIPES.values()}),
                                  "mobilenetv2", "squeezenet1.0", "resnet18"])
def test_module_and_folded_network_agree(name):
    model = build(name, image=32, classes=10, width=0.25)
    module = graph_module(model)
    images = stripes(6).images
    for _ in range(3):  # running means and variances that differ from 0 and 1
        module(torch.from_numpy(images))
    module.eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    folded = trained(model, module)
    np.testing.assert_allclose(logits_of(folded, images), expected, rtol=1e-3, atol=1e-3)
    assert [node.op_type for node in folded.graph.node] == [
        node.op_type for node in model.graph.node]
    assert np.abs(expected - logits_of(model, images)).max() > 1e-2  # it was not trivial


def test_unknown_operators_are_refused():
    with pytest.raises(InputError, match=r": training knows no \w+; it knows Conv, Gemm, Add"):
        graph_module(build("efficientnet-b0", image=32, width=0.25))


def test_training_learns(tmp_path):
    model = build("resnet8", classes=3)
    training = Training(model, replace(QUICK, epochs=10), stripes(90))
    training.run(tmp_path / "net.checkpoint", quiet=True)
    fresh = stripes(60, seed=1)
    right = (logits_of(training.network(), fresh.images).argmax(1) == fresh.labels).mean()
    assert right > 0.8
    assert (logits_of(model, fresh.images).argmax(1) == fresh.labels).mean() < 0.7


@pytest.mark.parametrize("recipe", [QUICK, replace(
    RECIPES["vit"], epochs=3, batch=15)], ids=["resnet8", "vit"])
def test_a_stopped_training_ends_like_one_that_was_not(recipe, tmp_path):
    def training():
        model = build(recipe.architecture, classes=3, width=0.5)
        return Training(model, recipe, stripes(60), seed=4)

    whole = training()
    whole.run(tmp_path / "whole.checkpoint", quiet=True)

    def stop(epoch):
        if epoch == 2:
            raise KeyboardInterrupt

    stopped = training()
    with pytest.raises(KeyboardInterrupt):
        stopped.run(tmp_path / "net.checkpoint", quiet=True, after_epoch=stop)
    again = training()
    epochs = []
    again.run(tmp_path / "net.checkpoint", quiet=True, after_epoch=epochs.append)
    assert epochs == [3]
    assert again.network() == whole.network()


def test_attention_learns(tmp_path):
    """Weights, biases, norms and positions all change, and no number of a formula does."""
    recipe = replace(RECIPES["vit"], epochs=6, batch=15, peak_rate=3e-3)
    model = build("vit-cifar", classes=3, width=0.5)
    training = Training(model, recipe, stripes(90))
    training.run(tmp_path / "net.checkpoint", quiet=True)
    found = training.network()
    fresh = stripes(60, seed=1)
    assert (logits_of(found, fresh.images).argmax(1) == fresh.labels).mean() > 0.8
    before, after = ({tensor.name: numpy_helper.to_array(tensor)
                      for tensor in one.graph.initializer} for one in (model, found))
    same = {name for name, values in before.items() if np.array_equal(values, after[name])}
    assert same == {name for name, values in before.items()
                    if values.size == 1 or values.dtype != np.float32}


def test_another_number_of_epochs_moves_the_end(tmp_path):
    """The rate falls from where it was to 0, also when that run is stopped again."""
    def training(epochs):
        return Training(build("resnet8", classes=3), replace(QUICK, epochs=epochs), stripes(60))

    def stop_after(last):
        def stop(epoch):
            if epoch == last:
                raise KeyboardInterrupt
        return stop

    path = tmp_path / "net.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        training(6).run(path, quiet=True, after_epoch=stop_after(1))
    (tmp_path / "copy").write_bytes(path.read_bytes())
    whole = training(3)
    rates = []
    whole.run(tmp_path / "copy", quiet=True, after_epoch=lambda _epoch: rates.append(
        whole._optimiser.param_groups[0]["lr"]))
    assert whole.replanned == 1
    assert rates == pytest.approx([rates[0], 0], abs=1e-9)
    with pytest.raises(KeyboardInterrupt):
        training(3).run(path, quiet=True, after_epoch=stop_after(2))
    again = training(3)
    again.run(path, quiet=True)
    assert (again.replanned, again.network()) == (1, whole.network())
    with pytest.raises(InputError, match=r"must be of at most 2 epochs, not 3"):
        training(2).run(path, quiet=True)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "net.checkpoint"
    Training(build("resnet8", classes=3), QUICK, stripes(20)).run(path, quiet=True)
    with pytest.raises(InputError, match=rf"^{path}: checkpoint must be of this training, but "
                                         r"differs in seed, images; remove it"):
        Training(build("resnet8", classes=3), QUICK, stripes(40), seed=1).run(path, quiet=True)
    path.write_bytes(b"torn")
    with pytest.raises(InputError, match=rf"^{path}: no checkpoint of a training"):
        Training(build("resnet8", classes=3), QUICK, stripes(20)).run(path, quiet=True)


def test_augmentation_moves_and_mirrors():
    images = torch.from_numpy(stripes(64).images)
    generator = torch.Generator().manual_seed(0)
    moved = moved_and_mirrored(images, 4, generator)
    padded = torch.nn.functional.pad(images, [4] * 4)
    seen = set()
    for image, wide in zip(moved, padded, strict=True):
        cuts = {(row, column): wide[:, row:row + 32, column:column + 32]
                for row in range(9) for column in range(9)}
        places = [(place, mirrored) for place, cut in cuts.items() for mirrored in (False, True)
                  if torch.equal(image, cut.flip(2) if mirrored else cut)]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 40


# --- precision and storage --------------------------------------------------------------


@pytest.mark.parametrize(("kernel", "side"), [(3, 4), (1, 4), (5, 3)])
def test_matrix_products_are_the_convolution(kernel, side, monkeypatch):
    """Forward and both gradients of small integers, which bfloat16 holds exactly."""
    layer = Convolution(6, 4, kernel, 1, kernel // 2, bias=False)
    layer.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(1)

    def small(*shape):
        return torch.randint(-2, 3, shape, generator=generator).float()

    with torch.no_grad():
        layer.weight.copy_(small(4, 6, kernel, kernel))
    images, gradient = small(5, 6, side, side).requires_grad_(), small(5, 4, side, side)

    def results(precise):
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            found = layer(images)
        gradients = torch.autograd.grad(found, (images, layer.weight), gradient.to(found.dtype))
        return found, *gradients

    expected = results(precise=True)
    called, windows = [], convolution._windows
    monkeypatch.setattr(convolution, "_windows",
                        lambda *given: called.append(0) or windows(*given))
    for found, wanted in zip(results(precise=False), expected, strict=True):
        assert found.shape == wanted.shape
        torch.testing.assert_close(found.float(), wanted, rtol=2**-8, atol=0)
    assert len(called) == 2


@pytest.mark.parametrize("changed", [{"stride": 2}, {"groups": 2}, {"padding": 0},
                                     {"kernel_size": 2}])
def test_other_convolutions_are_torchs_own(changed, monkeypatch):
    monkeypatch.setattr(convolution, "_windows", None)
    layer = Convolution(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1,
                           "bias": False, **changed})
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.zeros(1, 4, 4, 4)).dtype == torch.bfloat16
        assert Convolution(4, 4, 3, padding=1, bias=False)(torch.zeros(1, 4, 5, 4)).ndim == 4


def test_training_learns_in_bfloat16(tmp_path):
    training = Training(build("resnet8", classes=3), replace(QUICK, epochs=8), stripes(90),
                        precision=BFLOAT16)
    training.run(tmp_path / "net.checkpoint", quiet=True)
    fresh = stripes(60, seed=1)
    right = (logits_of(training.network(), fresh.images).argmax(1) == fresh.labels).mean()
    assert right > 0.7
    with pytest.raises(InputError, match="differs in precision"):
        Training(build("resnet8", classes=3), replace(QUICK, epochs=8), stripes(90),
                 precision=FLOAT32).run(tmp_path / "net.checkpoint", quiet=True)


@pytest.mark.parametrize("name", ["resnet8", "vit-cifar"])
def test_int8_weights_are_the_codes_that_quantising_gives(name, tmp_path):
    model = build(name, classes=3)
    stored = with_int8_weights(model)
    onnx.save(stored, tmp_path / "stored.onnx")
    onnx.save(model, tmp_path / "float.onnx")
    small, large = ((tmp_path / f"{name}.onnx").stat().st_size for name in ("stored", "float"))
    assert small < 0.3 * large
    images = stripes(12).images
    close = np.abs(logits_of(stored, images) - logits_of(model, images)).max()
    assert 0 < close < 0.05 * np.abs(logits_of(model, images)).max()
    codes = {tensor.name: numpy_helper.to_array(tensor) for tensor in stored.graph.initializer
             if tensor.name.endswith(".codes")}
    assert all(values.dtype == np.int8 for values in codes.values())
    network = QuantNetwork.load(tmp_path / "stored.onnx", images)
    names = {node.name: node.input[1] for node in model.graph.node
             if len(node.input) > 1 and f"{node.input[1]}.codes" in codes}
    assert {layer.name for layer in network.layers if not layer.image_weights} == {*names}
    for layer in network.layers:
        if layer.image_weights:
            continue
        values = codes[f"{names[layer.name]}.codes"]
        flat = values if layer.weights[0].shape == values.shape \
            else values.reshape(len(values), -1).T
        np.testing.assert_array_equal(layer.weights[0], flat)


# --- command line -----------------------------------------------------------------------


run = partial(run_main, main)


@pytest.fixture
def archive(tmp_path):
    images, labels = stripes(60)
    pixels = np.clip(128 + 40 * images.transpose(0, 2, 3, 1), 0, 255).astype(np.uint8)
    path = tmp_path / "stripes.npz"
    np.savez(path, x=pixels, y=labels)
    return path


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains(name, archive, tmp_path, monkeypatch, capsys):
    target = tmp_path / "net.onnx"
    small = ["--limit", 12, "--batch", 6] if name != "resnet8" else ["--rate", 0.1]
    assert run(monkeypatch, name, "--data", archive, "--test", archive, "--epochs", 1, *small,
               "-o", target) == 0
    assert "float top-1 on" in capsys.readouterr().out
    stated = json.loads(target.with_suffix(".json").read_text())
    assert stated["recipe"]["architecture"] in ARCHITECTURES
    assert stated["float_top1"]["stripes.npz"]["n"] == 60
    # The network and its preprocessing are used by everything else as they are.
    pixels = Preprocessing.from_settings(stated["input"])
    data = load_data(str(archive), pixels)
    right = int((logits_of(onnx.load(target), data.images).argmax(1) == data.labels).sum())
    assert right == stated["float_top1"]["stripes.npz"]["right"]


def test_held_out_images_and_int8_weights(archive, tmp_path, monkeypatch):
    target = tmp_path / "net.onnx"
    given = ["--data", archive, "--epochs", 1, "--batch", 15, "--rate", 0.1, "--hold-out", 16,
             "--weights", "int8", "--precision", "float32", "-o", target]
    assert run(monkeypatch, "resnet8", *given) == 0
    stated = json.loads(target.with_suffix(".json").read_text())
    assert (stated["trained_on"], stated["held_out"]) == ("44 images of stripes.npz", 16)
    assert (stated["precision"], stated["weights"]) == ("float32", "int8")
    data = load_data(str(archive), Preprocessing.from_settings(stated["input"]))
    training = Training(build("resnet8", classes=3), Recipe(**stated["recipe"]),
                        Labelled(data.images[16:], data.labels[16:]), precision="float32")
    training.run(tmp_path / "again.checkpoint", quiet=True)
    assert onnx.load(target) == with_int8_weights(training.network())
    with pytest.raises(InputError, match="hold-out must leave images to train on, but 60 of 60"):
        run(monkeypatch, "resnet8", *given, "--hold-out", 60)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    (["resnet8", "--hold-out", "-1"], InputError, r"^Hold-out must be at least 0, not -1$"),
    (["resnet9"], InputError, r"^Unknown network 'resnet9'; did you mean 'resnet"),
    (["resnet8"], InputError, r"^Training resnet8 needs --data and --output$"),
    (["resnet8", "--epochs", "0"], InputError, r"^Epochs must be at least 1, not 0$"),
    (["resnet8", "--rate", "-1"], InputError, r"^Rate must be positive, not -1$"),
])
def test_bad_arguments(arguments, error, message, monkeypatch):
    with pytest.raises(error, match=message):
        run(monkeypatch, *arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_told(monkeypatch):
    with pytest.raises(ToolError, match=r"^Device cuda needs a GPU"):
        run(monkeypatch, "resnet8", "--device", "cuda")


@pytest.mark.parametrize(("images", "labels", "message"), [
    ((4, 32, 64, 3), [0, 1, 0, 1], r"must be square, not 32x64$"),
    ((4, 32, 32, 3), [0, 0, 0, 0], r"must be of at least 2 classes, not 1$"),
])
def test_useless_images_are_refused(images, labels, message, tmp_path, monkeypatch):
    path = tmp_path / "odd.npz"
    np.savez(path, x=np.zeros(images, np.uint8), y=np.array(labels))
    with pytest.raises(InputError, match=rf"^{path}: training images {message}"):
        run(monkeypatch, "resnet8", "--data", path, "-o", tmp_path / "net.onnx")
