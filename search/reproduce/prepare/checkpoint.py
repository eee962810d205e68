"""Published PyTorch checkpoints of the CIFAR-10 ResNets of He et al. as float ONNX networks.

Those of https://github.com/akamaster/pytorch_resnet_cifar10: `state_dict` with names behind
`module.`, batch normalisation behind every convolution, shortcuts of option A.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from models.architectures import build

if TYPE_CHECKING:
    import onnx

Weights = Mapping[str, npt.NDArray[np.float32]]
PREFIX = "module."  # of a network that was trained on several devices
EPSILON = 1e-5  # of torch's batch normalisation
HEAD, BUILT_HEAD = "linear", "fc"  # the last layer, in checkpoints and in `models.architectures`


def read_checkpoint(path: Path) -> Weights:
    """Return the float arrays of a checkpoint by name, of which nothing is executed.

    Raises InputError where the file is no such checkpoint.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        return {name.removeprefix(PREFIX): value.numpy() for name, value in state.items()
                if value.dtype == torch.float32}
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: must be a PyTorch checkpoint with a state_dict of tensors"
                         ) from None


def head_digest(weights: Weights) -> str:
    """Return the SHA-256 of weights and biases of the last layer, which folding leaves alone."""
    found = hashlib.sha256()
    for part in ("weight", "bias"):
        found.update(np.ascontiguousarray(weights[f"{HEAD}.{part}"], "<f4").tobytes())
    return found.hexdigest()


def folded(weights: Weights) -> Weights:
    """Return weights and biases of layers, each convolution with the normalisation behind it.

    y = gamma (w x - mean) / sqrt(variance + epsilon) + beta is w' x + b; computed in float64.
    Raises KeyError where a normalisation is missing.
    """
    found = {}
    for name, weight in weights.items():
        if weight.ndim == 4:
            layer = name.removesuffix(".weight")
            norm = layer.replace("conv", "bn")
            gamma, beta, mean, variance = (weights[f"{norm}.{part}"].astype(np.float64) for part in
                                           ("weight", "bias", "running_mean", "running_var"))
            scale = gamma / np.sqrt(variance + EPSILON)
            found[name] = (weight * scale[:, None, None, None]).astype(np.float32)
            found[f"{layer}.bias"] = (beta - mean * scale).astype(np.float32)
    return found | {f"{HEAD}.{part}": weights[f"{HEAD}.{part}"] for part in ("weight", "bias")}


def to_onnx(architecture: str, weights: Weights) -> onnx.ModelProto:
    """Return a float network of `models.architectures` with the weights of a checkpoint.

    Raises InputError where they are those of another architecture.
    """
    from onnx import numpy_helper

    model = build(architecture)
    for node in model.graph.node:
        if node.name == BUILT_HEAD:
            node.name = HEAD
        for names in (node.input, node.output):
            names[:] = [_renamed(name) for name in names]
    try:
        constants = dict(folded(weights))
    except KeyError as error:
        raise InputError(f"Checkpoint must have {error.args[0]}") from None
    for tensor in model.graph.initializer:
        tensor.name = _renamed(tensor.name)
        if tensor.name.endswith((".weight", ".bias")):
            value = constants.pop(tensor.name, None)
            if value is None or value.shape != tuple(tensor.dims):
                raise InputError(f"Checkpoint must have {tensor.name} of shape "
                                 f"{tuple(tensor.dims)}, as {architecture} has")
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    if constants:
        raise InputError(f"Checkpoint must have no {min(constants)}, as {architecture} has none")
    return model


def _renamed(name: str) -> str:
    """Return the name of a tensor, the last layer called as in the checkpoint."""
    layer, dot, part = name.partition(".")
    return f"{HEAD}{dot}{part}" if layer == BUILT_HEAD else name
