"""Small pictures of a multiplier's error, for the gallery of a report.

Drawn without matplotlib: a bank of 36 takes a tenth of a second and a tenth of the bytes.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

LEVELS = 24  # of colour, on either side of white
BINS = 20  # of the histogram, on either side of "right"
BAR, PITCH, HEIGHT = 4, 5, 44  # of the histogram's bars, SVG units
TOO_SMALL, RIGHT, TOO_LARGE = "#2166ac", "#1c2733", "#b2182b"
PAIRS = 65536

Errors = npt.NDArray[np.int64]


def rank(errors: Errors, count: int) -> npt.NDArray[np.int64]:
    """Return the level of each error, -count to count; 0 means exactly none.

    Levels are even in size from nothing to the worst case, and rounded away from zero, so
    that the smallest error shows.
    """
    worst = int(np.abs(errors).max()) or 1
    return np.asarray(np.sign(errors) * -(-np.abs(errors) * count // worst))


def heat_map(errors: Errors) -> str:
    """Return the error int64[act, weight] as the address of an embedded PNG.

    Activation upwards, weight to the right; red is too large, blue too small, white right.
    Full colour is the worst case.
    """
    pixels = (rank(errors, LEVELS)[::-1] + LEVELS).astype(np.uint8)
    rows = np.pad(pixels, ((0, 0), (1, 0)))  # each row starts with its filter: none
    height, width = pixels.shape
    png = b"\x89PNG\r\n\x1a\n" + b"".join((
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", _palette()), _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
        _chunk(b"IEND", b"")))
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content)))


def _palette() -> bytes:
    """Return 2 * LEVELS + 1 colours of three bytes, white in the middle."""
    strength = np.linspace(0.12, 1, LEVELS)[:, None]  # the weakest must still differ from white
    ends = [np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) for colour in (TOO_SMALL, TOO_LARGE)]
    blue, red = (255 + strength * (end.astype(float) - 255) for end in ends)
    colours = np.rint(np.vstack([blue[::-1], np.full((1, 3), 255), red]))
    return bytes(colours.astype(np.uint8).ravel())


def histogram_counts(errors: Errors) -> npt.NDArray[np.int64]:
    """Return int64[2 * BINS + 1]: pairs per level of error; exactly right is the middle one."""
    return np.bincount((rank(errors, BINS) + BINS).ravel(), minlength=2 * BINS + 1)


def histogram_svg(errors: Errors, label: str) -> str:
    """Return the histogram of the error as SVG text; heights are logarithmic.

    label : what it shows, for readers who do not see it; free of markup.
    """
    heights = HEIGHT * np.log1p(histogram_counts(errors)) / np.log1p(PAIRS)
    bars = [f"M{index * PITCH} {HEIGHT}v{-height:.1f}h{BAR}v{height:.1f}z" if height else ""
            for index, height in enumerate(heights)]
    parts = ((TOO_SMALL, bars[:BINS]), (RIGHT, bars[BINS:BINS + 1]), (TOO_LARGE, bars[BINS + 1:]))
    paths = "".join(f'<path fill="{colour}" d="{"".join(some)}"/>' for colour, some in parts)
    width = PITCH * len(bars) - (PITCH - BAR)
    return (f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {HEIGHT + 1}" '
            f'preserveAspectRatio="none">{paths}'
            f'<path stroke="#5c6b7a" d="M0 {HEIGHT + 0.5}h{width}"/></svg>')
