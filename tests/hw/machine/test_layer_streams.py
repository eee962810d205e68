"""The file of layers and operands: a round trip, and what is refused."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from hw.common import memory
from hw.common.errors import InputError
from hw.common.packed import PackedBytes
from hw.machine.layer_streams import Codes, LayerStream, load_layer_streams, save_layer_streams
from tests.mutations import check_reader


def layer(**changes):
    random = np.random.default_rng(1)
    values = {"name": "conv", "positions": 49, "act_zero_point": 3, "act_signed": False,
              "requantizer": Codes(2, 0, 255),
              "acts": random.integers(-3, 253, (2, 30, 9)).astype(np.int16),
              "weights": random.integers(-127, 128, (2, 9, 4)).astype(np.int16)}
    return LayerStream(**values | changes)


def test_file_holds_what_was_saved(tmp_path):
    layers = [layer(fed_by=""), layer(name="fc", fed_by="conv", requantizer=None, act_signed=True,
                                      positions=1)]
    save_layer_streams(tmp_path / "a.npz", layers)
    found = load_layer_streams(tmp_path / "a.npz")
    for one, other in zip(layers, found, strict=True):
        assert (one.acts == other.acts).all()
        assert (one.weights == other.weights).all()
        assert replace(one, acts=None, weights=None).__dict__ == replace(
            other, acts=None, weights=None).__dict__
    assert (found[0].groups, found[0].k, found[0].n) == (2, 9, 4)
    assert found[0].weight_range == (found[0].weights.min(), found[0].weights.max())


def test_equal_layers_give_equal_bytes(tmp_path):
    for name in "ab":
        save_layer_streams(tmp_path / name, [layer()])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(("signed", "zero_point", "stored", "loaded"), [
    (True, 0, [-3, 5], [-4, 4]), (False, 128, [-3, 5], [-4, 4])])
def test_weight_codes_are_the_bytes_that_are_loaded(signed, zero_point, stored, loaded):
    own = layer(weights=np.array(stored, np.int16).reshape(1, 2, 1), weight_signed=signed,
                weight_zero_point=zero_point, acts=np.zeros((1, 4, 2), np.int16))
    codes = (own.weights + zero_point - 1).astype(np.uint8)
    found = own.with_weight_codes(PackedBytes.of(codes))
    assert found.weights.dtype == np.int16
    assert found.weights.ravel().tolist() == loaded
    assert own.with_weight_codes(None) is own


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(("content", "problem"), [
    (b"no zip", r"must be a file of layers and operands \("),
    (npz(other=np.zeros(3)), r"must be a file of layers and operands \("),
    (npz(layers=np.array(json.dumps({"format": "x", "layers": []}))),
     r'must be a file of layers and operands \(must be a JSON object with "format": "auto'),
    (npz(layers=np.array(json.dumps({"format": "autoapprox-layer-streams/3", "layers": []}))),
     "must hold at least one layer"),
], ids=["text", "other", "format", "empty"])
def test_other_files_are_refused(tmp_path, content, problem):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {problem}"):
        load_layer_streams(path)


def test_shapes_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    save_layer_streams(path, [layer(acts=np.zeros((2, 30, 8), np.int16))])
    with pytest.raises(InputError, match=r"acts \[2, 30, 8\] and weights \[2, 9, 4\] of layer "
                       "'conv' do not fit"):
        load_layer_streams(path)


@pytest.mark.parametrize("index", range(4))
def test_damaged_descriptions_are_refused_by_name(tmp_path, index):
    save_layer_streams(tmp_path / "whole.npz", [layer()])
    with np.load(tmp_path / "whole.npz") as whole:
        arrays = dict(whole)
    path = tmp_path / "x.npz"

    def read(described):
        path.write_bytes(npz(**arrays | {"layers": np.array(described.read_text())}))
        try:
            load_layer_streams(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), str(described))) from error

    check_reader(read, json.loads(str(arrays["layers"])), tmp_path / "x.json", most=60, seed=index)


def test_more_than_memory_holds_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_chosen", 2**20)
    stream = io.BytesIO()
    np.savez_compressed(stream, acts_0=np.zeros(2**20, np.int16))
    (tmp_path / "bomb.npz").write_bytes(stream.getvalue())
    with pytest.raises(InputError, match=r"operands must fit in 1 MiB of memory .*, not take 2 M"):
        load_layer_streams(tmp_path / "bomb.npz")
