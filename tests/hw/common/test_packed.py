"""Packed bytes: what is read is what was packed, and nothing else is taken for it."""

import base64
import zlib

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.common.packed import PackedBytes


@pytest.mark.parametrize("shape", [(0,), (1, 1), (3, 5, 7)])
def test_what_was_packed_is_unpacked(shape):
    values = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    packed = PackedBytes.read(PackedBytes.of(values).text, "codes")
    found = packed.unpack(shape, "codes")
    assert found.dtype == np.uint8
    assert found.flags.writeable
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(PackedBytes.of(values.T).unpack(shape[::-1], "codes"), values.T)


@pytest.mark.parametrize("text", [None, 3, [1], "?", "abc", "ä"])
def test_what_is_no_text_of_bytes_is_refused(text):
    with pytest.raises(InputError, match=r"^codes must be deflated bytes in base64, not "):
        PackedBytes.read(text, "codes")


@pytest.mark.parametrize(("deflated", "message"), [
    (zlib.compress(bytes(5)), r"6 bytes, not 5$"), (zlib.compress(bytes(7)), r"6 bytes, not 7 or"),
    (zlib.compress(bytes(2**24)), r"6 bytes, not 7 or more$"),
    (zlib.compress(bytes(6))[:-1], r"6 bytes, not 6$"), (b"xyz", r"deflated bytes \(")])
def test_other_bytes_than_the_shape_asks_for_are_refused(deflated, message):
    packed = PackedBytes.read(base64.b64encode(deflated).decode(), "codes")
    with pytest.raises(InputError, match=r"^codes must be " + message):
        packed.unpack((2, 3), "codes")
