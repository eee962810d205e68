"""The values in a pickle, read without running it.

Python's own reader calls what the file names. This one only builds dictionaries, lists, tuples,
numbers, text, bytes and integer arrays of NumPy: whatever else a file asks for is refused, and
no name in it is looked up.
"""

from __future__ import annotations

import math
import pickletools
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError

# Names that pickles of arrays use (NumPy 1, NumPy 2, bytes in protocol 2) -> what they mean here.
_RECONSTRUCT, _NDARRAY, _DTYPE, _ENCODE = "reconstruct", "ndarray", "dtype", "encode"
_KNOWN = {
    "numpy.core.multiarray _reconstruct": _RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _RECONSTRUCT,
    "numpy ndarray": _NDARRAY,
    "numpy dtype": _DTYPE,
    "_codecs encode": _ENCODE,
}
_DTYPES = ("u1", "i1", "i2", "i4", "i8")
_PUSH = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "FLOAT", "BINFLOAT"})
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, type] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
# The published files have 300,000; a million of them may take seconds.
MAX_INSTRUCTIONS = 500_000
MAX_DIMENSIONS = 32

_T = TypeVar("_T")


class _Name(NamedTuple):
    meaning: str


class _Dtype:
    def __init__(self, code: str) -> None:
        self.code = code

    def restore(self, state: Any, _texts: _Texts) -> None:
        if state[1] not in ("|", "<"):
            raise _RefusedError("numbers of another byte order")


class _Array:
    values: npt.NDArray[Any] | None = None

    def restore(self, state: Any, texts: _Texts) -> None:
        _version, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _Dtype) or not isinstance(raw, str | bytes):
            raise _RefusedError("an array of objects")
        content = texts.encode(raw) if isinstance(raw, str) else raw
        if len(shape) > MAX_DIMENSIONS \
                or not all(isinstance(side, int) and 0 <= side <= len(content) for side in shape) \
                or math.prod(shape) * np.dtype(dtype.code).itemsize != len(content):
            raise _RefusedError(f"an array of a shape that its {len(content)} bytes do not have")
        self.values = np.frombuffer(content, f"<{dtype.code}").reshape(
            shape, order="F" if fortran else "C")


class _Texts:
    """Turns text into the bytes that it stands for, every text of a pickle once.

    A pickle may name the same text any number of times: the copies would fill the memory.
    """

    def __init__(self, size: int) -> None:
        self.left = size

    def encode(self, text: str) -> bytes:
        self.left -= len(text)
        if self.left < 0:
            raise _RefusedError("copies of a text")
        return text.encode("latin-1")


class _RefusedError(Exception):
    """The pickle asks for something that data need not have."""


def load(content: bytes, name: str) -> Any:
    """Return the value of a pickle of any protocol.

    Arrays come as NumPy arrays of integers; text that Python 2 wrote as str comes as Latin-1 str.

    Raises
    ------
    InputError
        The pickle is damaged, or holds anything but plain values; the message names the file.
    """
    try:
        return _finished(_run(content))
    except _RefusedError as error:
        raise InputError(f"{name}: pickle must hold lists, numbers and arrays only, not {error}"
                         ) from None
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError,
            MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: not a valid pickle ({reason[:80]})") from None


def _finished(value: Any) -> Any:
    """Return the value with its outermost arrays as arrays."""
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, dict):
        return {key: item.values if isinstance(item, _Array) else item
                for key, item in value.items()}
    return value


def _run(content: bytes) -> Any:
    """Return the value that the instructions of a pickle leave on the stack."""
    stack: list[Any] = []
    below: list[list[Any]] = []  # stacks that a MARK set aside
    memo: dict[Any, Any] = {}
    texts = _Texts(len(content))
    for done, (opcode, argument, _position) in enumerate(pickletools.genops(content)):
        if done >= MAX_INSTRUCTIONS:
            raise _RefusedError(f"more than {MAX_INSTRUCTIONS} instructions")
        operation = opcode.name
        if operation in _PUSH:
            stack.append(argument)
        elif operation in _CONSTANTS:
            stack.append(_CONSTANTS[operation])
        elif operation in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif operation == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif operation in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif operation == "MARK":
            below.append(stack)
            stack = []
        elif operation in _EMPTY:
            stack.append(_EMPTY[operation]())
        elif operation in ("LIST", "TUPLE", "DICT"):
            items, stack = stack, below.pop()
            stack.append(_pairs(items) if operation == "DICT"
                         else list(items) if operation == "LIST" else tuple(items))
        elif operation in _TUPLES:
            count = _TUPLES[operation]
            stack[-count:] = [tuple(_last(stack, count))]
        elif operation == "APPEND":
            item = stack.pop()
            _of(stack[-1], list).append(item)
        elif operation == "APPENDS":
            items, stack = stack, below.pop()
            _of(stack[-1], list).extend(items)
        elif operation == "SETITEM":
            items = _last(stack, 2)
            del stack[-2:]
            _of(stack[-1], dict).update(_pairs(items))
        elif operation == "SETITEMS":
            items, stack = stack, below.pop()
            _of(stack[-1], dict).update(_pairs(items))
        elif operation == "GLOBAL":
            stack.append(_named(str(argument)))
        elif operation == "STACK_GLOBAL":
            name, module = stack.pop(), stack.pop()
            stack.append(_named(f"{_of(module, str)} {_of(name, str)}"))
        elif operation == "REDUCE":
            arguments, callee = stack.pop(), stack.pop()
            stack.append(_built(callee, arguments, texts))
        elif operation == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], _Dtype | _Array):
                raise _RefusedError("state of its own")
            stack[-1].restore(state, texts)
        elif operation == "STOP":
            return stack.pop()
        elif operation not in ("PROTO", "FRAME"):
            raise _RefusedError(operation)
    raise ValueError("no end")


def _named(name: str) -> _Name:
    if name not in _KNOWN:
        raise _RefusedError(f"{name.replace(' ', '.'):.60}")
    return _Name(_KNOWN[name])


def _pairs(items: list[Any]) -> dict[str | bytes | int, Any]:
    """Return keys and values in turn as a dictionary.

    Other keys are refused: hashing nested tuples may take exponential time.
    """
    if not all(isinstance(key, str | bytes | int) for key in items[::2]):
        raise _RefusedError("keys that are neither text nor numbers")
    return dict(zip(items[::2], items[1::2], strict=True))


def _built(callee: Any, arguments: Any, texts: _Texts) -> Any:
    """Return the value of a call; the callee is a name, never a function."""
    meaning = callee.meaning if isinstance(callee, _Name) else None
    if meaning == _RECONSTRUCT and arguments[0] == _Name(_NDARRAY):
        return _Array()
    if meaning == _DTYPE and arguments[0] in _DTYPES:
        return _Dtype(arguments[0])
    if meaning == _ENCODE and arguments[1] in ("latin1", "latin-1"):
        return texts.encode(_of(arguments[0], str))
    raise _RefusedError(f"a call of {meaning}" if meaning else "a call")


def _last(stack: list[Any], count: int) -> list[Any]:
    if len(stack) < count:
        raise IndexError("stack is empty")
    return stack[-count:]


def _of(value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value
