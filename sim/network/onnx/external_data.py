"""Weights that an ONNX file keeps in files beside it.

`torch.onnx.export` writes them so by default. A file from anywhere may name any path: only plain
files in the model's own folder are read, links followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto

from hw.common.errors import InputError
from hw.common.memory import require_memory
from sim.network.onnx.container import COPIES, MAX_BYTES
from sim.network.onnx.graph import all_nodes
from sim.network.onnx.side import subgraphs


def read_external(model: onnx.ModelProto, path: Path) -> None:
    """Put weights of other files into the model, which was read from `path`.

    Raises InputError naming model and tensor when a file is missing, outside the model's folder,
    too short, or of another size than the tensor.
    """
    outside = [tensor for tensor in _tensors(model)
               if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data]
    sizes = [_size(tensor, path) for tensor in outside]
    if sum(sizes) > MAX_BYTES:
        raise InputError(f"{path}: weights must have at most {MAX_BYTES} bytes, not {sum(sizes)}")
    require_memory(COPIES * sum(sizes), f"{path}: weights in other files")
    for tensor, size in zip(outside, sizes, strict=True):
        tensor.raw_data = _read(tensor, size, path)
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor that may hold its data elsewhere, those of subgraphs and functions too."""
    yield from model.graph.initializer
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        for node in all_nodes(nodes):
            for graph in subgraphs(node):
                yield from graph.initializer
            for entry in node.attribute:
                if entry.HasField("t"):
                    yield entry.t
                yield from entry.tensors


def _size(tensor: TensorProto, path: Path) -> int:
    """Return the bytes that a tensor's dimensions ask for."""
    subject = f"{path}: tensor {tensor.name!r}"
    try:
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except KeyError:
        raise InputError(f"{subject} must be of a known type, not {tensor.data_type}") from None
    packed = tensor.data_type in (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1)
    count = 1
    for size in tensor.dims:
        if size < 0:
            raise InputError(f"{subject} must have dimensions, not {list(tensor.dims)}")
        count *= size
    return -(-count // 2) if packed else count * item


def _read(tensor: TensorProto, size: int, path: Path) -> bytes:
    subject = f"{path}: tensor {tensor.name!r}"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.resolve().parent
    try:
        file = (folder / location).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise InputError(f"{subject} is kept in {location!r}, which must be beside the network; "
                         "copy both files together") from None
    if (not location or Path(location).is_absolute() or not file.is_relative_to(folder)
            or not file.is_file()):
        raise InputError(f"{subject} must be kept in a file in the network's own folder, "
                         f"not {location!r}")
    places = []
    for key, default in (("offset", 0), ("length", size)):
        text = entries.get(key, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise InputError(f"{subject} must have an {key} of bytes, not {text!r}")
        places.append(int(text))
    offset, length = places
    if length != size:
        raise InputError(f"{subject} must fill its dimensions {list(tensor.dims)} with {size} "
                         f"bytes, not {length}")
    with file.open("rb") as stream:
        stream.seek(offset)
        content: bytes = stream.read(size)
    if len(content) != size:
        raise InputError(f"{subject} must be in {location!r} up to byte {offset + size}, but that "
                         f"file has {file.stat().st_size}")
    return content
