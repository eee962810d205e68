"""Pickles are read, never run: values come out equal, everything else is refused."""

import os
import pickle
import struct
import time
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.data.formats import unpickle
from tests.sim.data.writers import pixels

VALUES = {
    "numbers": [0, 1, -1, 255, 256, 65536, -(1 << 31), 1 << 40, 0.5, -1e300, True, False, None],
    "text": ["", "a", "é", "x" * 300, "\n'\\"], "bytes": [b"", b"a\xff", b"y" * 300],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "nested": {"a": [{"b": ([],)}]},
    b"key": 1, 7: 2, "many": list(range(3000)),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_out_equal(protocol):
    shared = [1, 2]
    value = {**VALUES, "shared": [shared, shared]} if protocol > 2 else {
        **{key: item for key, item in VALUES.items() if key not in ("bytes", b"key")},
        "shared": [shared, shared]}
    got = unpickle.load(pickle.dumps(value, protocol), "p")
    assert got == value
    assert got["shared"][0] is got["shared"][1]


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", "<i4", "<i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_integer_arrays_come_out_equal(protocol, dtype, order):
    array = np.asarray(pixels(5, 7).astype(dtype), order=order)
    got = unpickle.load(pickle.dumps({"data": array, b"b": b"\xff\0"}, protocol), "p")
    np.testing.assert_array_equal(got["data"], array)
    assert got["data"].dtype == array.dtype
    assert got[b"b"] == b"\xff\0"
    np.testing.assert_array_equal(unpickle.load(pickle.dumps(array, protocol), "p"), array)


# As Python 2 and NumPy 1 wrote it: str without encoding, and numpy.core.
PYTHON2 = (b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\x09eU\x04dataq\x04"
           b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87R"
           b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN"
           b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06\x00\x01\x02\xfd\xfe\xfftbu.")


def test_pickles_of_python_2_are_read():
    assert pickle.loads(PYTHON2, encoding="latin-1")["labels"] == [6, 9]  # the bytes above are one
    got = unpickle.load(PYTHON2, "p")
    assert got["labels"] == [6, 9]
    np.testing.assert_array_equal(got["data"], [[0, 1, 2], [253, 254, 255]])


class _Run:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


class _Own:
    pass


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [
    _Run(os.system, "echo broken into > marker"), _Run(eval, "1 + 1"), _Run(getattr, "", "join"),
    _Run(bytearray, 1 << 40), _Run(np.load, "x.npy"), _Own(), OrderedDict(a=1), {1, 2}, os.getcwd,
    np.float64(1.0), 1j], ids=lambda value: type(value).__name__)
def test_whatever_would_be_called_is_refused(tmp_path, monkeypatch, protocol, value):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^p: pickle must hold lists, numbers and arrays only, "
                                         r"not \S"):
        unpickle.load(pickle.dumps([value], protocol), "p")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("array", [
    np.array([{}]), np.zeros(2), np.zeros(2, ">i4"), np.zeros(2, "U3"), np.zeros(2, "u1,u1"),
    np.zeros(2, bool)], ids=lambda array: str(array.dtype))
def test_arrays_of_anything_but_integers_are_refused(array):
    with pytest.raises(InputError, match=r"^p: (pickle must hold|not a valid pickle)"):
        unpickle.load(pickle.dumps(array, 3), "p")


@pytest.mark.parametrize("change", [
    (b"K\x02K\x03\x86", b"K\x02K\x04\x86"), (b"K\x02K\x03\x86", b"K\x02J\xff\xff\xff\x7f\x86"),
    (b"K\x02K\x03\x86", b"J\xfe\xff\xff\xffJ\xfd\xff\xff\xff\x86"), (b"u1", b"O8"),
    (b"ndarray", b"memmap"), (b"K\x02K\x03\x86", b"U\x01aU\x01b\x86")])
def test_shapes_that_the_bytes_do_not_have_are_refused(change):
    assert change[0] in PYTHON2
    with pytest.raises(InputError, match=r"^p: pickle must hold lists, numbers and arrays only"):
        unpickle.load(PYTHON2.replace(*change), "p")


def test_every_truncation_is_refused_in_one_line():
    for end in range(len(PYTHON2)):
        with pytest.raises(InputError, match=r"^p: (not a valid pickle \(|pickle must hold)"):
            unpickle.load(PYTHON2[:end], "p")


def refusal(content):
    """The message of the refusal, empty where the content is read."""
    try:
        unpickle.load(content, "p")
    except InputError as error:
        return str(error)
    return ""


def test_every_changed_byte_is_refused_or_read():
    for position in range(len(PYTHON2)):
        for value in (0, 0x28, 0x52, 0x62, 0x71, 0x80, 0xFF):
            changed = bytearray(PYTHON2)
            changed[position] = value
            assert "\n" not in refusal(bytes(changed))


BOMBS = {
    "memo": b"\x80\x02K\x01r\xff\xff\xff\xff.",  # an index that a table of memos would grow to
    "bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.",
    "negative": b"\x80\x02T\xff\xff\xff\xff.",
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"K\x01.",
    "long": b"\x80\x02\x8b" + struct.pack("<i", (1 << 31) - 1) + b"\x01.",
    "array": PYTHON2.replace(b"K\x02K\x03\x86", b"\x8a\x06" + b"\xff" * 5 + b"\x7fK\x01\x86"),
    "laughs": b"\x80\x02]" + b"".join(
        b"q%c](%se" % (level, b"h%c" % level * 100) for level in range(9)) + b".",
    "digits": b"I" + b"9" * 100_000 + b"\n.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_neither_time_nor_memory(name):
    tracemalloc.start()
    started = time.monotonic()
    message = refusal(BOMBS[name])
    assert len(message) < 200
    assert "\n" not in message
    assert time.monotonic() - started < 5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
