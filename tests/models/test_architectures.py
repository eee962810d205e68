"""Architectures: the published sizes, live activations, equal seeds, refused sizes."""

import subprocess
import sys

import numpy as np
import onnx
import pytest

from hw.common.errors import InputError
from models.architectures import ARCHITECTURES, build

# Millions of parameters and billions of multiplications by weights, as published, without the
# parameters of batch norm that folds. VGG's hundreds of megabytes take a minute.
# EfficientNet-lite0: B0 less its squeeze-and-excitation. ViT: 1.26 less the two products of
# activations, 2 x 12 x 197 x 197 x 192. vit-cifar, our own: as its layers add up by hand.
PUBLISHED = {
    "resnet8": (0.078, 0.0125), "resnet18": (11.7, 1.8), "resnet20": (0.27, 0.041),
    "resnet56": (0.85, 0.127), "vgg19-cifar": (20.0, 0.398),
    "resnet50": (25.6, 4.1), "mobilenetv1": (4.2, 0.569), "mobilenetv2": (3.5, 0.300),
    "squeezenet1.0": (1.25, 0.82), "densenet121": (8.0, 2.87), "efficientnet-lite0": (4.7, 0.385),
    "vit-cifar": (1.095, 0.0732), "efficientnet-b0": (5.3, 0.39), "vit-tiny": (5.7, 1.26 - 0.179)}
PUBLISHED_LARGE = {"vgg16": (138.4, 15.5), "vgg19": (143.7, 19.6)}


def sizes(model):
    """Parameters, and multiplications by constant weights, from the shapes alone."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    shapes = {entry.name: [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
              for entry in inferred}
    shapes["logits"] = [0, model.graph.output[0].type.tensor_type.shape.dim[1].dim_value]
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer
               if tensor.data_type == onnx.TensorProto.FLOAT}
    multiplications = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in weights:
            outputs = (np.prod(shapes[node.output[0]][2:], dtype=int) if node.op_type == "Conv"
                       else np.prod(shapes[node.output[0]][1:-1], dtype=int))
            multiplications += int(np.prod(weights[node.input[1]])) * int(outputs)
    return sum(int(np.prod(shape)) for shape in weights.values()), multiplications


@pytest.mark.parametrize("name", [
    *PUBLISHED, *(pytest.param(name, marks=pytest.mark.long) for name in PUBLISHED_LARGE)])
def test_sizes_are_those_published(name):
    parameters, multiplications = sizes(build(name))
    wanted_parameters, wanted_multiplications = (PUBLISHED | PUBLISHED_LARGE)[name]
    assert parameters == pytest.approx(wanted_parameters * 1e6, rel=0.03)
    assert multiplications == pytest.approx(wanted_multiplications * 1e9, rel=0.04)


def small(name, **changes):
    return build(name, **{"image": 32, "classes": 10, "width": 0.25, **changes})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_different_images_give_different_finite_logits(name):
    import onnxruntime

    model = small(name)
    onnx.checker.check_model(model, full_check=True)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    images = np.random.default_rng(0).standard_normal((3, *shape[1:])).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    [logits] = session.run(None, {"input": images})
    assert logits.shape == (3, 10)
    assert np.isfinite(logits).all()
    assert 0.02 < logits.std() < 5
    assert logits.std(axis=0).mean() > 0.01 * logits.std()


def test_seeds_decide_the_weights():
    first = small("resnet8").SerializeToString()
    assert first == small("resnet8").SerializeToString()
    assert first != small("resnet8", weights=1).SerializeToString()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_node_names_are_unique(name):
    names = [node.name for node in small(name).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("options", "message"), [
    ({"name": "resnet5"}, r"^Unknown architecture 'resnet5'; did you mean 'resnet5[06]'"),
    ({"image": 100}, r"^Image size must be a multiple of 32, not 100$"),
    ({"image": 0}, r"^Image size must be a multiple of 32, not 0$"),
    ({"classes": 0}, r"^Classes must be 1 to 100,000, not 0$"),
    ({"width": 0.0}, r"^Width must be positive and at most 8, not 0.0$"),
    ({"width": float("nan")}, r"^Width must be positive and at most 8, not nan$"),
    ({"weights": -1}, r"^Seed of the weights must not be negative, not -1$"),
])
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        build(**{"name": "resnet8", **options})


def test_command_line_writes_what_build_returns(tmp_path):
    target = tmp_path / "net.onnx"
    command = [sys.executable, "-m", "models.architectures", "resnet8", "--classes", "7",
               "--seed", "3", "-o", str(target)]
    done = subprocess.run(command, text=True, capture_output=True, check=True)
    assert done.stdout == f"resnet8: 23 operators, 0.3 MB, in {target}\n"
    assert target.read_bytes() == build("resnet8", classes=7, weights=3).SerializeToString()
