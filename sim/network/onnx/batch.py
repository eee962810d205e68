"""The batch axis of a network: freed where its file fixes it.

Exporters write the batch of their example, 1 by default, into the input's shape and the constants
of Reshape and Resize. Those are written anew with the first axis open. Whether that is the same
network is not argued but tried: images in one batch must give what they give in the file's batches.
Where they do not, the network runs in batches of the file's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from hw.common.errors import InputError
from sim.network.onnx.graph import copy_constants, network_input, set_input_shape
from sim.network.onnx.runtime import first_run, new_session

Images = npt.NDArray[np.float32]
TRIED = 3  # images: more than one, and seldom the length of another axis
# Adding up in another order may flip a code: what that may change of the spread between images.
TOLERANCE = 0.1
RELATIVE = 1e-4  # of the largest output, where images hardly differ


class Batched(NamedTuple):
    """A network whose input says how many images it takes at a time, if not any number.

    outputs : shape of the output of one image.
    """

    model: onnx.ModelProto
    outputs: tuple[int, ...]


def free_batch(model: onnx.ModelProto, images: Images | None, path: Path) -> Batched:
    """Return the network with a free batch axis where it can have one.

    images : float32[n, ...] to try it on; noise without them.

    Raises InputError naming the file when the network does not run on such images, or does not
    give one row of numbers for each.
    """
    _name, (declared, *shape) = network_input(model)
    size = declared or 1
    trial = _trial(images, -(-TRIED // size) * size, shape)
    free = _with_batch(model, None)
    own = free if declared is None else model
    session, wanted, squeezed = _rows(own, trial, size, path)
    if images is not None and (np.isnan(wanted) | np.isposinf(wanted)).any():
        raise InputError(f"{path}: network output must be finite, but is not on the first images")
    for candidate in _candidates(model, free, size, squeezed=squeezed):
        found = _tried(candidate, trial[:TRIED], session if candidate is own else None)
        # Where the file leaves the axis open, what it makes of a batch is right by definition.
        if found is not None and len(found) == TRIED and (
                candidate is own or _agree(found, wanted[:TRIED])):
            return Batched(candidate, wanted.shape[1:])
    if squeezed:
        raise _no_rows(model, wanted.shape[1:], size, path)
    return Batched(_with_batch(model, size), wanted.shape[1:])


def _candidates(model: onnx.ModelProto, free: onnx.ModelProto, size: int, *, squeezed: bool
                ) -> Iterator[onnx.ModelProto]:
    """Yield networks that may take any batch; the second is made only when it is asked for."""
    yield free
    yield _opened(model, size, squeezed=squeezed)


def _with_batch(model: onnx.ModelProto, size: int | None) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    set_input_shape(result, (size, *network_input(model)[1][1:]))
    return result


def _trial(images: Images | None, count: int, shape: list[int | None]) -> Images:
    """Return so many images, no two of them alike."""
    if images is None:
        sizes = [1 if size is None else size for size in shape]
        return np.random.default_rng(0).standard_normal((count, *sizes)).astype(np.float32)
    rounds = -(-count // len(images))
    return np.concatenate([images[:count] * np.float32(0.5**turn)
                           for turn in range(rounds)])[:count]


def _rows(model: onnx.ModelProto, trial: Images, size: int, path: Path
          ) -> tuple[Any, npt.NDArray[Any], bool]:
    """Return the output for images in batches of the file's size, one row each, or InputError.

    Before it the session that made it, behind it whether the file has squeezed a batch of 1 away,
    so that a row is all that it gives.
    """
    output = model.graph.output[0].name
    try:
        session = new_session(model)
        parts = [_run(session, output, trial[first:first + size])
                 for first in range(0, len(trial), size)]
    except InputError as error:
        raise InputError(f"{path}: network does not run on images of {list(trial.shape[1:])} "
                         f"({error})") from None
    squeezed = size == 1 and parts[0].ndim == 1 and len(parts[0]) > 1
    if squeezed:
        parts = [part[None] for part in parts]
    for part in parts:
        if not part.ndim or len(part) != size or part.dtype.kind not in "fiu":
            raise _no_rows(model, part.shape, size, path)
    return session, np.concatenate(parts), squeezed


def _no_rows(model: onnx.ModelProto, shape: tuple[int, ...], size: int, path: Path) -> InputError:
    return InputError(f"{path}: output {model.graph.output[0].name!r} must have one row of numbers "
                      f"an image, not shape {list(shape)} for a batch of {size}")


def _tried(model: onnx.ModelProto, trial: Images, session: Any | None
           ) -> npt.NDArray[Any] | None:
    """Return the output for images in one batch, None where the network does not take them.

    session : of the network, where there is one already.
    """
    try:
        return _run(session or new_session(model), model.graph.output[0].name, trial)
    except InputError:
        return None


def _run(session: Any, output: str, images: Images) -> npt.NDArray[Any]:
    [found] = first_run(session, [output], {session.get_inputs()[0].name: images})
    return found


def _agree(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> bool:
    if found.shape != wanted.shape:
        return False
    infinite = ~np.isfinite(wanted)  # log of an underflow
    if not np.array_equal(infinite, ~np.isfinite(found)):
        return False
    found, wanted = np.where(infinite, 0, found), np.where(infinite, 0, wanted)
    spread = np.abs(wanted - np.roll(wanted, 1, axis=0)).max(initial=0)
    allowed = max(TOLERANCE * spread, RELATIVE * np.abs(wanted).max(initial=0))
    return bool(np.abs(found - wanted).max(initial=0) <= allowed)


def _opened(model: onnx.ModelProto, size: int, *, squeezed: bool) -> onnx.ModelProto:
    """Return the network with the first axis open in what Reshape and Resize are told.

    All other axes are written out, as they are for a batch of `size`. squeezed : the first axis, of
    1, is kept where Squeeze or Reshape drop it.
    """
    fixed = _with_batch(model, size)
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes = {entry.name: [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
              for entry in (*inferred.value_info, *inferred.output)}
    constants = copy_constants(model)
    result = _with_batch(model, None)
    graph, nodes = result.graph, list[onnx.NodeProto]()
    for node in graph.node:
        shape = shapes.get(node.output[0], []) if node.output else []
        if node.op_type == "Reshape" and node.input[0] not in constants \
                and node.input[1] in constants and shape and all(shape):
            dropped = squeezed and shapes.get(node.input[0], [0])[0] == 1 != shape[0]
            node.input[1] = f"{node.output[0]}/shape"
            graph.initializer.append(numpy_helper.from_array(
                np.array([-1, *shape[not dropped:]], np.int64), node.input[1]))
            for entry in [entry for entry in node.attribute if entry.name == "allowzero"]:
                node.attribute.remove(entry)
        elif node.op_type == "Squeeze" and squeezed and len(node.input) == 1:
            axes = [axis for axis, length in enumerate(shapes.get(node.input[0], []))
                    if axis and length == 1]
            node.input.append(f"{node.output[0]}/axes")
            graph.initializer.append(numpy_helper.from_array(
                np.array(axes, np.int64), node.input[1]))
        elif node.op_type == "Resize" and len(node.input) > 3 and node.input[3] in constants:
            nodes += _sizes(node, constants[node.input[3]], result)
        nodes.append(node)
    made = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(made)
    return result


def _sizes(node: onnx.NodeProto, sizes: npt.NDArray[Any], model: onnx.ModelProto
           ) -> list[onnx.NodeProto]:
    """Return what makes the sizes of a Resize from the batch that it is given."""
    label = f"{node.output[0]}/sizes"
    for part, values in (("first", [0]), ("one", [1]), ("rest", sizes[1:])):
        model.graph.initializer.append(numpy_helper.from_array(
            np.array(values, np.int64), f"{label}/{part}"))
    node.input[3] = label
    return [helper.make_node("Shape", [node.input[0]], [f"{label}/of"], name=f"{label}/Shape"),
            helper.make_node("Slice", [f"{label}/of", f"{label}/first", f"{label}/one"],
                             [f"{label}/batch"], name=f"{label}/Slice"),
            helper.make_node("Concat", [f"{label}/batch", f"{label}/rest"], [label],
                             name=f"{label}/Concat", axis=0)]
