"""The commands that only this page needs, on made-up files."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hw.common.errors import InputError
from hw.machine.design import Design
from models import ZOO
from search.report.circuits import save_bank
from search.reproduce.all_steps import all_steps
from search.reproduce.designs import write_designs
from search.reproduce.float_accuracy import float_accuracy
from search.reproduce.networks import CIFAR10, IMAGENET, NETWORKS
from search.reproduce.prepare.splits import cut_cifar10, cut_imagenet, place
from search.reproduce.selection import select
from sim.data import Preprocessing, load_data
from tests.search.runs import made_up_bank, made_up_run

PLAIN = Preprocessing()


def encoded(image, kind, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return np.frombuffer(stream.getvalue(), np.uint8)


def packed(files):
    return {"offset": np.cumsum([0, *map(len, files)])}, np.concatenate(files)


def test_cifar10_is_cut_by_index(tmp_path):
    """Image i has the colour (i % 256, i // 256, 7) and the label i % 10; test images have 8."""
    sheets = []
    for sheet in range(2):
        index = np.arange(1024) + 1000 * sheet
        colours = np.stack([index % 256, index // 256, np.full(1024, 7)], -1).astype(np.uint8)
        tiles = colours.reshape(32, 32, 1, 1, 3).repeat(32, 2).repeat(32, 3)
        sheets.append(encoded(tiles.transpose(0, 2, 1, 3, 4).reshape(1024, 1024, 3), "webp",
                              lossless=True, method=0))
    offset, stream = packed(sheets)
    (tmp_path / "images").mkdir()
    np.savez(tmp_path / CIFAR10.sources[0], webp=stream, y=np.arange(2000) % 10, **offset)
    index = np.arange(1500)
    test = np.stack([index % 256, index // 256, np.full(1500, 8)], -1).astype(np.uint8)
    np.savez(tmp_path / CIFAR10.sources[1], y=index % 10,
             x=test[:, None, None].repeat(32, 1).repeat(32, 2))
    written = cut_cifar10(tmp_path, tmp_path / "out")
    assert written == [tmp_path / "out" / name for name in (
        CIFAR10.calibrate, CIFAR10.search, CIFAR10.certify)]
    for path, split, first, count in zip(written, (7, 8, 8), (0, 0, 1000), (128, 1000, 500),
                                         strict=True):
        data = load_data(str(path), PLAIN)
        assert data.images.shape == (count, 3, 32, 32)
        assert (data.images[:, 2] == split).all()
        found = data.images[:, 0, 5, 9] + 256 * data.images[:, 1, 5, 9]
        np.testing.assert_array_equal(found, np.arange(first, first + count))
        np.testing.assert_array_equal(data.labels, found % 10)


def test_imagenet_sample_is_cut_in_three(tmp_path):
    """The label of an image is its brightness."""
    count = 280
    brightness = np.arange(count) % 250
    files = [encoded(np.full((8, 8, 3), value, np.uint8), "jpeg", quality=95)
             for value in brightness]
    offset, stream = packed(files)
    (tmp_path / "images").mkdir()
    np.savez(tmp_path / IMAGENET.sources[0], jpeg=stream, y=brightness, **offset)
    parts = [load_data(str(path), PLAIN) for path in cut_imagenet(tmp_path, tmp_path)]
    assert [len(part.labels) for part in parts] == [64, 200, count - 264]
    for part in parts:
        assert np.abs(part.images[:, 0, 4, 4] - part.labels).max() <= 2
    np.testing.assert_array_equal(np.sort(np.concatenate([part.labels for part in parts])),
                                  np.sort(brightness))


def test_network_is_placed_with_its_preprocessing(tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "squeezenet1.0_227.onnx").write_bytes(b"network")
    model, sidecar = place(NETWORKS["squeezenet"], tmp_path, tmp_path / "out")
    assert model.read_bytes() == b"network"
    assert sidecar == model.with_suffix(".json")
    pixels = Preprocessing.from_sidecar(sidecar)
    assert pixels.size == (227, 227)
    assert pixels.mean == (123, 117, 104)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_preprocessing_of_every_network_is_valid(network):
    Preprocessing.from_settings(network.input)


def test_float_accuracy_is_that_of_training():
    known = json.loads((ZOO / "digits.json").read_text())["float_top1"]["search"]
    assert float_accuracy(ZOO / "digits.onnx", "digits:search") == (known["right"], known["n"])


def test_every_method_gets_its_design(tmp_path):
    run = made_up_run(layers=("stem", "body", "classifier"))
    run = replace(run, kept=run.winner.history[0], configuration={
        "rows": 8, "cols": 4, "pe_form": "4x1"})
    run.save(tmp_path / "run.json")
    save_bank(tmp_path, made_up_bank())
    written = write_designs(tmp_path, tmp_path / "designs")
    kept = {method.method: method.best for method in run.methods if method.best}
    kept[run.chosen] = run.kept
    assert [path.stem for path in written] == list(kept)
    for path in written:
        design, best = Design.load(path), kept[path.stem]
        assert (design.bank.rows, design.bank.cols, design.bank.form) == (8, 4, "4x1")
        assert {layer: design.multiplier_of(layer).digest for layer in best.mapping} == {
            layer: made_up_bank()[name].digest for layer, name in best.mapping.items()}


def test_selection_by_network_and_step(tmp_path):
    steps = all_steps(tmp_path)
    names = [step.name for step in select(steps, ["resnet20"], ["exact", "figure5"])]
    assert names == ["prepare/cifar10", "prepare/resnet20", "exact/resnet20", "figure5"]
    everything = select(steps, [], [])
    assert everything == steps
    with pytest.raises(InputError, match=r"^Unknown network 'resnet21'; did you mean 'resnet20'"):
        select(steps, ["resnet21"], [])
    with pytest.raises(InputError, match=r"^Unknown step 'exacts'; did you mean 'exact'"):
        select(steps, [], ["exacts"])
