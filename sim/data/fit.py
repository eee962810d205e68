"""Whether images have the shape that a network takes, and settings that make them fit."""

from __future__ import annotations

from collections.abc import Sequence

from hw.common.errors import InputError

Shape = Sequence[int | None]  # of one image; None is a size that the network leaves free
COLOURS = {1: "grey", 3: "rgb"}


def check_fits(shape: tuple[int, ...], takes: Shape, *, name: str, layout: str | None) -> None:
    """Refuse images of another shape than the network takes, with the remedy.

    Parameters
    ----------
    shape : tuple of int
        Of one image as it would enter the network.
    takes : sequence of int or None
        Of one image that the network takes.
    name : str
        Of the source, for the message.
    layout : str or None
        `nchw` or `nhwc`, what the shape of a picture is in; None for arrays taken as they are.
    """
    if _fits(shape, takes):
        return
    remedy = _array_remedy(shape, takes) if layout is None else \
        _picture_remedy(shape, takes, layout)
    raise InputError(f"{name}: images must have shape {_shown(takes)}, which the network takes, "
                     f"not {_shown(shape)}; {remedy}")


def _fits(shape: Shape, takes: Shape) -> bool:
    return len(shape) == len(takes) and all(
        None in (size, wanted) or size == wanted for size, wanted in zip(shape, takes, strict=True))


def _array_remedy(shape: tuple[int, ...], takes: Shape) -> str:
    if len(shape) == len(takes) == 3:
        for order, moved in (((0, 3, 1, 2), (shape[2], *shape[:2])),
                             ((0, 2, 3, 1), (*shape[1:], shape[0]))):
            if _fits(moved, takes):
                return f"store x.transpose{order}"
    remedy = f"store x as float32 [n, {_shown(takes)[1:]}"
    return f"{remedy}, or pictures as uint8 [n, h, w, c], which are resized" \
        if len(takes) == 3 else remedy


def _picture_remedy(shape: tuple[int, ...], takes: Shape, layout: str) -> str:
    if len(takes) != 3:
        return f"store x as float32 [n, {_shown(takes)[1:]} in an .npz file"
    settings = []
    # Channels are few: where they can only be at the other end, the layout is at fault.
    first, last = takes[0] in COLOURS, takes[2] in COLOURS
    if first not in (last, layout == "nchw"):
        layout = "nchw" if first else "nhwc"
        settings.append(f"--layout {layout}")
        shape = (shape[2], *shape[:2]) if first else (*shape[1:], shape[0])
    channels, wanted = (shape[0], takes[0]) if layout == "nchw" else (shape[2], takes[2])
    sides, target = (shape[1:], takes[1:]) if layout == "nchw" else (shape[:2], takes[:2])
    if wanted not in (channels, None):
        if wanted not in COLOURS:
            return f"pictures have 1 or 3 channels: store x as float32 [n, {_shown(takes)[1:]}"
        settings.append(f"--channels {COLOURS[wanted]}")
    if not _fits(sides, target):
        height, width = (want or side for want, side in zip(target, sides, strict=True))
        settings.append(f"--size {height} {width}")
    return f"{' '.join(settings)} (or so in MODEL.json, docs/data.md) makes them fit"


def _shown(shape: Shape) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in shape)}]"
