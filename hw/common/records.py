"""Frozen dataclasses from JSON, by their annotations.

    Count = Annotated[int, Limits(0)]

    @dataclass(frozen=True, kw_only=True)
    class Layer:
        name: str
        macs: Count

    read_record(path, Layer)   # InputError: net.json: macs must be an integer from 0, not -1

Known are str, bool, int, float, None, Any, Literal, unions, Annotated with `Limits`, list and
Sequence (become lists), tuples of any or of fixed length, Mapping and dict with keys of text, and
dataclasses, whose fields must all be there unless they have a default, and no others, and classes
with `to_dict` and `from_dict`. What a class itself refuses, by InputError or ValueError, is told
with its place.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json

T = TypeVar("T")

LARGEST = 1e30  # figures beyond are none, and overflow in arithmetic


@dataclass(frozen=True)
class Limits:
    """Of a number: both ends belong to it. Of a list or text: of its length."""

    low: float = -LARGEST
    high: float = LARGEST

    def __str__(self) -> str:
        high = f" to {self.high:g}" if self.high < LARGEST else ""
        return f" from {self.low:g}{high}" if self.low > -LARGEST else ""


Count = Annotated[int, Limits(0, 2**53)]
Size = Annotated[int, Limits(1, 2**53)]
Amount = Annotated[float, Limits(0)]
Positive = Annotated[float, Limits(1 / LARGEST)]
Share = Annotated[float, Limits(0, 1)]
Text = Annotated[str, Limits(1, 4096)]


def read_record(path: Path, kind: type[T], file_format: str | None = None) -> T:
    """Return the record of a JSON file.

    file_format : what `format` in it must be, if there is such a key; no field of `kind`.

    Raises InputError naming the file and the place in it.
    """
    return read_as(path, lambda content: record(kind, content if file_format is None else
                                                without_format(content, file_format)))


def read_as(path: Path, parse: Callable[[Any], T]) -> T:
    """Return what `parse` makes of a JSON file; its InputError is told with the file's name."""
    content = read_json(path)
    try:
        return parse(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def without_format(content: Any, file_format: str) -> dict[str, Any]:
    """Return a JSON object without its key `format`, which must be `file_format`."""
    if not isinstance(content, dict) or content.get("format") != file_format:
        raise InputError(f'must be a JSON object with "format": "{file_format}"')
    return {key: value for key, value in content.items() if key != "format"}


def record(kind: type[T], content: Any, place: str = "") -> T:
    """Return a value of type `kind` from JSON; place : of `content`, as in `layers[2].name`.

    Raises InputError with the place, what is expected there, and what was found.
    """
    value: T = _value(kind, content, place)
    return value


def encoded(value: Any) -> Any:
    """Return a value as JSON, from which `record` returns an equal one."""
    if hasattr(value, "from_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {item.name: encoded(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, (list, tuple)):
        return [encoded(one) for one in value]
    if isinstance(value, Mapping):
        return {key: encoded(one) for key, one in value.items()}
    return value


def shown(value: Any) -> str:
    """Return a JSON value in a few words."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    text = {None: "null", True: "true", False: "false"}.get(value) \
        if value is None or isinstance(value, bool) else repr(value)
    assert text is not None
    return text if len(text) <= 60 else f"{text[:57]}..."


def _value(kind: Any, content: Any, place: str, limits: Limits | None = None) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return content
    if origin is Annotated:
        return _value(arguments[0], content, place, arguments[1])
    if origin in (Union, types.UnionType):
        return _one_of(arguments, content, place)
    if origin is Literal:
        if not any(type(content) is type(one) and content == one for one in arguments):
            known = ", ".join(map(str, arguments))
            raise _unfit(place, known if len(arguments) == 1 else f"one of {known}", content)
        return content
    if kind in _SCALARS:
        return _scalar(kind, content, place, limits)
    if origin in (list, Sequence, tuple):
        return _sequence(origin, arguments, content, place, limits)
    if origin in (dict, Mapping):
        if not isinstance(content, dict):
            raise _unfit(place, "an object", content)
        return {key: _value(arguments[1], value, f"{place}[{shown(key)}]")
                for key, value in content.items()}
    if hasattr(kind, "from_dict"):
        return _made(kind.from_dict, content, place)
    assert is_dataclass(kind), kind
    return _dataclass(kind, content, place)


def _made(make: Callable[[Any], T], content: Any, place: str) -> T:
    """Return what `make` makes of a value; its ValueError is told with the place."""
    try:
        return make(content)
    except ValueError as error:  # InputError is one
        raise InputError(f"{place}: {error}" if place else str(error)) from None


_SCALARS = {str: "a text", bool: "true or false", int: "an integer", float: "a number",
            types.NoneType: "null"}


def _scalar(kind: type, content: Any, place: str, limits: Limits | None) -> Any:
    found = type(content)
    if found is not kind and not (kind is float and found is int):
        raise _unfit(place, f"{_SCALARS[kind]}{limits if limits and kind is not str else ''}",
                     content)
    if kind is float:
        content = float(content)
    if kind is str:
        if limits is not None and not limits.low <= len(content) <= limits.high:
            raise _unfit(place, f"a text of {limits.low:g} to {limits.high:g} characters", content)
    elif kind in (int, float):
        limits = limits or Limits()
        if not limits.low <= content <= limits.high:
            raise _unfit(place, f"{_SCALARS[kind]}{limits}" if limits != Limits()
                         else f"{_SCALARS[kind]} of at most {LARGEST:g}", content)
    return content


def _sequence(origin: Any, arguments: tuple[Any, ...], content: Any, place: str,
              limits: Limits | None) -> Any:
    if not isinstance(content, list):
        raise _unfit(place, "a list", content)
    fixed = origin is tuple and arguments[-1] is not ...
    if fixed and len(content) != len(arguments):
        raise _unfit(place, f"a list of {len(arguments)}", content)
    if limits is not None and not limits.low <= len(content) <= limits.high:
        raise _unfit(place, f"a list of {limits.low:g} to {limits.high:g}"
                     if limits.high < LARGEST else f"a list of {limits.low:g} or more", content)
    if not fixed and arguments[0] in (int, float) and {*map(type, content)} == {arguments[0]} \
            and min(content) >= -LARGEST and max(content) <= LARGEST:  # tables of many numbers
        return tuple(content) if origin is tuple else list(content)
    kinds = arguments if fixed else [arguments[0]] * len(content)
    values = [_value(kind, value, f"{place}[{index}]")
              for index, (kind, value) in enumerate(zip(kinds, content, strict=True))]
    return tuple(values) if origin is tuple else values


def _one_of(kinds: tuple[Any, ...], content: Any, place: str) -> Any:
    """Return the value of the first kind that takes it; the last says what is wrong."""
    if content is None and types.NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not types.NoneType]
    for kind in others[:-1]:
        try:
            return _value(kind, content, place)
        except InputError:
            continue
    return _value(others[-1], content, place)


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return the type of each field of a dataclass, and whether it may be left out."""
    hints = get_type_hints(kind, include_extras=True)
    return {item.name: (hints[item.name], item.default is not MISSING
                        or item.default_factory is not MISSING)
            for item in fields(kind) if item.init}


def _dataclass(kind: Any, content: Any, place: str) -> Any:
    if not isinstance(content, dict):
        raise _unfit(place, "an object", content)
    known, where = _fields(kind), f"{place}: " if place else ""
    for key in content:
        if key not in known:
            raise InputError(f"{where}{unknown_name('key', key, known)}")
    for key, (_hint, optional) in known.items():
        if key not in content and not optional:
            raise InputError(f"{where}must have a value for {key!r}")
    values = {key: _value(known[key][0], value, f"{place}.{key}" if place else key)
              for key, value in content.items()}
    return _made(lambda fitting: kind(**fitting), values, place)


def _unfit(place: str, expected: str, value: Any) -> InputError:
    return InputError(f"{place or 'Content'} must be {expected}, not {shown(value)}")
