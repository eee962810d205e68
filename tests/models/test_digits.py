"""The embedded network: its shape, its accuracy, and that training makes such a file."""

import json

import numpy as np
import onnx
import pytest

from models import ZOO
from models.data import load_digits_split
from models.digits import CONVOLUTIONS, RESIDUALS, to_onnx
from models.train import float_right, main
from models.training.digits import fold, train


def test_embedded_network_has_the_documented_layers():
    model = onnx.load(ZOO / "digits.onnx")
    onnx.checker.check_model(model, full_check=True)
    mapped = [node.name for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    assert mapped == [*CONVOLUTIONS, "classifier"]
    adds = [node.name for node in model.graph.node if node.op_type == "Add"]
    assert adds == [f"{name}.add" for name in RESIDUALS]


@pytest.mark.parametrize("split", ["train", "search"])
def test_embedded_network_reaches_the_accuracy_its_file_states(split):
    stated = json.loads((ZOO / "digits.json").read_text())["float_top1"][split]
    data = load_digits_split(split)
    right, n = float_right((ZOO / "digits.onnx").read_bytes(), data), len(data.labels)
    assert n == stated["n"]
    assert abs(right - stated["right"]) <= 1  # another CPU may round one image over the edge
    assert right / n >= 0.97


def test_export_equals_the_trained_module():
    torch = pytest.importorskip("torch", reason="training needs torch")
    import onnxruntime

    module = train(seed=3, epochs=2, quiet=True)
    images = np.random.default_rng(0).random((16, 1, 8, 8)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    session = onnxruntime.InferenceSession(to_onnx(fold(module)).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"input": images})[0], expected, rtol=1e-3,
                               atol=1e-4)


def test_training_twice_writes_the_same_bytes(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="training needs torch")
    for name in ("a.onnx", "b.onnx"):
        monkeypatch.setattr("sys.argv", ["train", "--epochs", "2", "-o", str(tmp_path / name)])
        assert main() == 0
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert "float top-1 on digits:search" in capsys.readouterr().out
