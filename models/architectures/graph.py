"""Building an ONNX network operator by operator, with seeded random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8
# Centred filters see only the variance of what a ReLU lets through: (1 - 1/pi) / 2 of the variance
# before it. He et al. (ICCV 2015) have sqrt(2), for filters that are not centred.
RELU_GAIN = 1.71
LINEAR_GAIN = 1.0


class Network:
    """A network under construction; every method adds operators and returns the tensor made.

    Weights are normal, centred per output channel and scaled by gain / sqrt(fan in): the variance
    of the activations survives any depth, and different images stay different.

    Parameters
    ----------
    seed : int
        Of all weights.
    image : int
        Height and width of the RGB input `input`, float32[batch, 3, image, image].
    width : float
        Multiplies every number of channels, as in MobileNets.
    """

    def __init__(self, *, seed: int, image: int, width: float = 1.0) -> None:
        self.image, self.width = image, width
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, npt.NDArray[Any]] = {}
        self._channels: dict[str, int] = {"input": 3}

    def scaled(self, channels: int) -> int:
        """Return `channels` times the width, at least 1."""
        return max(1, round(channels * self.width))

    def channels(self, tensor: str) -> int:
        """Return the channels of a tensor made here."""
        return self._channels[tensor]

    def op(self, op_type: str, inputs: Sequence[str], name: str, *, outputs: int = 1,
           channels: int | None = None, **attributes: Any) -> str:
        """Add any operator; its tensors are `name`, or `name.0`, `name.1` ... of several.

        channels : of the output; those of the first input unless given.
        """
        from onnx import helper

        made = [name] if outputs == 1 else [f"{name}.{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(op_type, list(inputs), made, name=name, **attributes))
        count = self._channels.get(inputs[0], 0) if channels is None else channels
        self._channels.update(dict.fromkeys(made, count))
        return made[0]

    def constant(self, name: str, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant."""
        self._constants[name] = np.asarray(values, dtype)
        return name

    def weights(self, name: str, shape: tuple[int, ...], gain: float = LINEAR_GAIN) -> str:
        """Add random weights whose first dimension is the output's."""
        fan_in = int(np.prod(shape[1:]))
        values = self._normal(shape, gain / fan_in ** 0.5)
        if fan_in > 1:
            values -= values.mean(axis=tuple(range(1, len(shape))), keepdims=True)
        return self.constant(name, values)

    def noise(self, name: str, shape: tuple[int, ...]) -> str:
        """Add small random values: a bias, an embedding."""
        return self.constant(name, self._normal(shape, 0.1))

    def conv(self, tensor: str, name: str, channels: int, kernel: int, *, stride: int = 1,
             pad: int | None = None, depthwise: bool = False, gain: float = RELU_GAIN) -> str:
        """Add a convolution with bias; pad : on all sides, kernel // 2 unless given.

        depthwise : one filter per channel.
        """
        groups = self.channels(tensor) if depthwise else 1
        fan_in = self.channels(tensor) // groups
        inputs = [tensor, self.weights(f"{name}.weight", (channels, fan_in, kernel, kernel), gain),
                  self.noise(f"{name}.bias", (channels,))]
        return self.op("Conv", inputs, name, channels=channels, kernel_shape=[kernel] * 2,
                       strides=[stride] * 2, pads=[kernel // 2 if pad is None else pad] * 4,
                       group=groups)

    def linear(self, tensor: str, name: str, features: int, *, fan_in: int | None = None,
               gain: float = LINEAR_GAIN) -> str:
        """Add a Gemm with bias, [batch, fan_in] to [batch, features]."""
        size = self.channels(tensor) if fan_in is None else fan_in
        weight = self.weights(f"{name}.weight", (features, size), gain)
        return self.op("Gemm", [tensor, weight, self.noise(f"{name}.bias", (features,))], name,
                       channels=features, transB=1)

    def matmul(self, tensor: str, name: str, features: int, *, gain: float = LINEAR_GAIN) -> str:
        """Add a MatMul and the Add of its bias, [..., channels] to [..., features]."""
        weight = self.weights(f"{name}.weight", (features, self.channels(tensor)), gain)
        self._constants[weight] = np.ascontiguousarray(self._constants[weight].T)
        product = self.op("MatMul", [tensor, weight], name, channels=features)
        return self.op("Add", [product, self.noise(f"{name}.bias", (features,))], f"{name}.add")

    def relu(self, tensor: str) -> str:
        """Add a ReLU."""
        return self.op("Relu", [tensor], f"{tensor}.relu")

    def relu6(self, tensor: str) -> str:
        """Add a Clip to [0, 6]."""
        return self.op("Clip", [tensor, self.constant("zero", 0), self.constant("six", 6)],
                       f"{tensor}.relu6")

    def swish(self, tensor: str) -> str:
        """Add x * sigmoid(x)."""
        gate = self.op("Sigmoid", [tensor], f"{tensor}.sigmoid")
        return self.op("Mul", [tensor, gate], f"{tensor}.swish")

    def add(self, left: str, right: str, name: str) -> str:
        """Add a residual addition."""
        return self.op("Add", [left, right], name)

    def batch_norm(self, tensor: str, name: str) -> str:
        """Add a BatchNormalization that changes scales and means a little."""
        size = self.channels(tensor)
        scale, variance = (self.constant(f"{name}.{key}", self._random.uniform(0.8, 1.2, size))
                           for key in ("scale", "var"))
        bias, mean = (self.noise(f"{name}.{key}", (size,)) for key in ("bias", "mean"))
        return self.op("BatchNormalization", [tensor, scale, bias, mean, variance], name)

    def max_pool(self, tensor: str, name: str, kernel: int, stride: int, *, pad: int = 0,
                 ceil: bool = False) -> str:
        """Add a MaxPool; ceil : a last window may hang over the edge."""
        return self.op("MaxPool", [tensor], name, kernel_shape=[kernel] * 2,
                       strides=[stride] * 2, pads=[pad] * 4, ceil_mode=int(ceil))

    def average_pool(self, tensor: str, name: str, kernel: int, stride: int) -> str:
        """Add an AveragePool."""
        return self.op("AveragePool", [tensor], name, kernel_shape=[kernel] * 2,
                       strides=[stride] * 2)

    def pooled(self, tensor: str, name: str = "pool") -> str:
        """Add a global average pool, [batch, channels]."""
        return self.op("Flatten", [self.op("GlobalAveragePool", [tensor], name)],
                       f"{name}.flatten")

    def model(self, tensor: str, classes: int, name: str) -> onnx.ModelProto:
        """Return the network with `tensor`, [batch, classes], as its output `logits`."""
        from onnx import TensorProto, helper, numpy_helper

        nodes = [*self._nodes, helper.make_node("Identity", [tensor], ["logits"], name="output")]
        graph = helper.make_graph(
            nodes, name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT,
                                           ["batch", 3, self.image, self.image])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
            [numpy_helper.from_array(value, key) for key, value in self._constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  producer_name="autoapprox models.architectures")
        model.ir_version = IR_VERSION
        return model

    def _normal(self, shape: int | tuple[int, ...], scale: float) -> npt.NDArray[np.float32]:
        return self._random.standard_normal(shape, np.float32) * np.float32(scale)
