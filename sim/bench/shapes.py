"""The layers that are timed: shapes of ResNet-50, a quick choice of them, or a user's file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hw.common.errors import InputError, unknown_name
from hw.common.memory import require_memory
from hw.common.records import read_record
from sim.network.windows import Window

MIN_ROWS = 4096  # of the matrix product: images are batched until there are that many
MAX_IMAGES = 256  # in a batch, as in `sim.network.quant_network`
IMAGE_ZERO_POINT = 114  # of normalised pixels, which reach from -2.1 to 2.6
MAX_SIZE = 65_536  # of any side; what is timed must also fit in memory
QUICK = ("conv1", "conv2.3x3", "conv4.3x3", "conv4.1x1_expand", "conv5.1x1_reduce")


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """A convolution, or a matrix product as a 1x1 convolution of 1x1 images.

    Parameters
    ----------
    name : str
    channels, height, width : int
        Of the input.
    out_channels : int
    kernel, stride, pad : int
        Equal in both directions; pad on all four sides.
    count : int
        How often the network has a layer of this shape.
    linear : bool
        A fully connected layer: it has no windows.
    zero_point : int
        Of the activations, uint8: 0 behind a ReLU.
    """

    name: str
    channels: int
    height: int
    width: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    count: int = 1
    linear: bool = False
    zero_point: int = 0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            low = 0 if entry.name in ("pad", "zero_point") else 1
            if entry.type == "int" and (type(value) is not int or value < low):
                raise InputError(f"Shape {entry.name} must be an integer of at least {low}, "
                                 f"not {value!r}")
            if entry.type == "int" and value > MAX_SIZE:
                raise InputError(f"Shape {entry.name} must be at most {MAX_SIZE:,}, not {value:,}")
        if self.zero_point > 255:
            raise InputError(f"Shape zero_point must be at most 255, not {self.zero_point}")
        if type(self.name) is not str or not self.name:
            raise InputError(f"Shape name must be text, not {self.name!r}")
        if type(self.linear) is not bool:
            raise InputError(f"Shape linear must be true or false, not {self.linear!r}")
        if self.kernel > min(self.height, self.width) + 2 * self.pad:
            raise InputError(f"Shape kernel must fit in the padded image, not {self.kernel} in "
                             f"{self.height}x{self.width} with pad {self.pad}")
        if self.linear and (self.height, self.width, self.kernel, self.stride,
                            self.pad) != (1, 1, 1, 1, 0):
            raise InputError(f"Shape {self.name!r} must be 1x1 throughout because it is linear")

    @cached_property
    def window(self) -> Window:
        """Geometry for im2col."""
        return Window(kernel=(self.kernel, self.kernel), stride=(self.stride, self.stride),
                      pads=(self.pad,) * 4)

    @property
    def out_height(self) -> int:
        """Rows of the output image."""
        return (self.height + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Columns of the output image."""
        return (self.width + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def positions(self) -> int:
        """Output positions of an image: rows of the matrix product."""
        return self.out_height * self.out_width

    @property
    def k(self) -> int:
        """Length of the inner product."""
        return self.channels * self.kernel**2

    @property
    def n(self) -> int:
        """Columns of the matrix product."""
        return self.out_channels

    @property
    def macs(self) -> int:
        """Multiplications per image in one layer of this shape."""
        return self.positions * self.k * self.n

    @property
    def images(self) -> int:
        """Images timed together."""
        return min(MAX_IMAGES, -(-MIN_ROWS // self.positions))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which a shape file holds a list of."""
        return asdict(self)


def resnet50() -> tuple[LayerShape, ...]:
    """Return the 53 convolutions and the classifier of ResNet-50 at 224x224, by shape.

    He et al., CVPR 2016, table 1, with the stride in the 3x3 convolution of a block, as all
    common weights have it.
    """
    shapes = [LayerShape(name="conv1", channels=3, height=224, width=224, out_channels=64,
                         kernel=7, stride=2, pad=3,
                         zero_point=IMAGE_ZERO_POINT)]
    size, channels = 56, 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=2):
        stride = 1 if stage == 2 else 2
        out, wide = size // stride, 4 * width

        def shape(part: str, into: int, across: int, out_of: int, *, kernel: int = 1,
                  step: int = 1, count: int = 1, stage: int = stage) -> LayerShape:
            return LayerShape(name=f"conv{stage}.{part}", channels=into, height=across,
                              width=across, out_channels=out_of, kernel=kernel, stride=step,
                              pad=kernel // 2, count=count)

        shapes += [shape("1x1_first", channels, size, width),
                   shape("3x3_first", width, size, width, kernel=3, step=stride),
                   shape("shortcut", channels, size, wide, step=stride),
                   shape("1x1_expand", width, out, wide, count=blocks),
                   shape("1x1_reduce", wide, out, width, count=blocks - 1),
                   shape("3x3", width, out, width, kernel=3, count=blocks - 1)]
        size, channels = out, wide
    return (*merged(shapes), LayerShape(name="fc", channels=2048, height=1, width=1,
                                        out_channels=1000, linear=True))


def merged(shapes: list[LayerShape]) -> list[LayerShape]:
    """Join equal shapes, keeping the last name, in the order of first appearance."""
    found: dict[LayerShape, LayerShape] = {}
    for shape in shapes:
        key = replace(shape, name="any", count=1)
        before = found[key].count if key in found else 0
        found[key] = replace(shape, count=before + shape.count)
    return list(found.values())


def quick() -> tuple[LayerShape, ...]:
    """Return five shapes of ResNet-50, one of each character."""
    return tuple(shape for shape in resnet50() if shape.name in QUICK)


PRESETS: dict[str, Callable[[], tuple[LayerShape, ...]]] = {"resnet50": resnet50, "quick": quick}


def load_shapes(name_or_file: str) -> tuple[LayerShape, ...]:
    """Return the shapes of a preset, or of a JSON file: a list of objects as `to_dict` gives.

    Raises InputError naming the file and the entry.
    """
    if name_or_file in PRESETS:
        return PRESETS[name_or_file]()
    if not name_or_file.endswith(".json"):
        raise unknown_name("shapes", name_or_file, PRESETS)
    path = Path(name_or_file)
    shapes = read_record(path, list[LayerShape])
    if not shapes:
        raise InputError(f"{path}: shapes must be a list of objects, not empty")
    for shape in shapes:
        numbers = max(shape.images * shape.positions * shape.k, shape.k * shape.n,
                      shape.images * shape.channels * shape.height * shape.width)
        require_memory(8 * numbers, f"{path}: shape {shape.name!r}")
    if len({shape.name for shape in shapes}) != len(shapes):
        raise InputError(f"{path}: shapes must have different names")
    return tuple(shapes)
