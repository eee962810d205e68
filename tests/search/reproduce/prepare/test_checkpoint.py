"""A made-up checkpoint of the published form becomes the network that torch computes."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

from hw.common.errors import InputError
from search.reproduce.networks import NETWORKS
from search.reproduce.prepare.checkpoint import head_digest, read_checkpoint, to_onnx
from search.reproduce.prepare.downloads import DOWNLOADS
from tests.outside_data import outside


class Block(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride, self.missing = stride, channels - before

    def forward(self, x):
        half = self.missing // 2
        shortcut = functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, half, half))
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(inner + shortcut)


class ResNet20(nn.Module):
    """He et al., CVPR 2016, section 4.2, shortcuts of option A."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def made_up():
    """Return a network whose normalisations have seen images."""
    torch.manual_seed(0)
    network = ResNet20()
    network.train()
    for _ in range(3):
        network(torch.randn(8, 3, 32, 32) * 2 + 1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


def saved(network, path):
    torch.save({"state_dict": {f"module.{name}": value
                               for name, value in network.state_dict().items()},
                "best_prec1": 91.7}, path)
    return path


def test_the_onnx_network_computes_what_torch_does(tmp_path):
    network = made_up()
    weights = read_checkpoint(saved(network, tmp_path / "resnet20-12fca82f.th"))
    model = to_onnx("resnet20", weights)
    onnx.checker.check_model(model)
    images = np.random.default_rng(1).normal(size=(6, 3, 32, 32)).astype(np.float32)
    [logits] = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input": images})
    with torch.no_grad():
        expected = network(torch.tensor(images)).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert expected.std(0).min() > 1e-3


@pytest.mark.parametrize("name", ["resnet20", "resnet56"])
def test_layers_are_called_as_in_the_network_that_results_are_of(name, tmp_path):
    """And the last layer, which folding leaves alone, has the digest that is demanded."""
    known = onnx.load(outside("nets", NETWORKS[name].file))
    constants = {one.name: numpy_helper.to_array(one) for one in known.graph.initializer}
    [demanded] = [one.digest for one in DOWNLOADS if one.file.startswith(f"{name}-")]
    assert head_digest(constants) == demanded
    if name == "resnet20":
        model = to_onnx(name, read_checkpoint(saved(made_up(), tmp_path / "one.th")))
        names, own = ([(one.name, one.op_type) for one in graph.node
                       if one.op_type in ("Conv", "Gemm")] for graph in (known.graph, model.graph))
        assert names == own


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    weights = dict(read_checkpoint(saved(made_up(), tmp_path / "one.th")))
    with pytest.raises(InputError, match=r"must have layer1\.3\.conv1\.weight of shape"):
        to_onnx("resnet56", weights)
    more = weights | {"layer1.3.conv1.weight": weights["layer1.2.conv1.weight"]}
    with pytest.raises(InputError, match=r"must have layer1\.3\.bn1\.weight"):
        to_onnx("resnet20", more)
    more |= {f"layer1.3.bn1.{part}": weights[f"layer1.2.bn1.{part}"]
             for part in ("weight", "bias", "running_mean", "running_var")}
    with pytest.raises(InputError, match=r"must have no layer1\.3\.conv1"):
        to_onnx("resnet20", more)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\3\4"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "net.th").write_bytes(content)
    with pytest.raises(InputError, match=r"net\.th: must be a PyTorch checkpoint"):
        read_checkpoint(tmp_path / "net.th")
