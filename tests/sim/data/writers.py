"""Image files in the forms that users have them in."""

import gzip
import io
import struct
import zlib

import numpy as np
from PIL import Image

SEED = 20


def pixels(*shape):
    """Seeded uint8 noise: nothing is alike, so nothing can be exchanged unseen."""
    return np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)


def encoded(image, kind="PNG"):
    """Bytes of uint8[h, w, 1 or 3] (or of a Pillow image) as a file; PNG is lossless."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def write_idx(path, array):
    content = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) \
        + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def nchw(images):
    """What no preprocessing makes of uint8[n, h, w, c]."""
    return images.transpose(0, 3, 1, 2).astype(np.float32)


def huge_png(width, height):
    """A PNG of a few bytes that claims to be huge."""
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(
            ">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(
        bytes(1000))) + chunk(b"IEND", b"")
