"""Records from JSON: every fault has its place."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from hw.common.errors import InputError
from hw.common.records import Amount, Count, Limits, Text, encoded, read_record, record


@dataclass(frozen=True, kw_only=True)
class Point:
    x: float
    y: Amount = 0.0

    def __post_init__(self):
        if self.x == self.y:
            raise ValueError("x must not be y")


@dataclass(frozen=True)
class Interval:
    """Has a form of its own in JSON."""

    low: int
    high: int

    def to_dict(self):
        return [self.low, self.high]

    @classmethod
    def from_dict(cls, content):
        if not isinstance(content, list) or len(content) != 2:
            raise ValueError("must have two ends")
        return cls(*content)


@dataclass(frozen=True, kw_only=True)
class Thing:
    name: Text
    kind: Literal["round", "flat"]
    count: Count
    real: bool
    points: Sequence[Point]
    pair: tuple[int, str]
    many: tuple[int, ...]
    few: Annotated[tuple[float, ...], Limits(1)]
    by_name: Mapping[str, Point]
    either: int | str | None
    maybe: Point | None
    within: Interval | None = None
    free: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)


THING = Thing(name="a", kind="flat", count=2, real=True,
              points=[Point(x=1.5), Point(x=-2.0, y=1.0)], pair=(1, "b"),
              many=(), few=(1.0,), by_name={"p q": Point(x=3.0)}, either="c",
              maybe=None, within=Interval(1, 2), extra={"any": [None]})


def test_round_trip():
    assert record(Thing, json.loads(json.dumps(encoded(THING)))) == THING


def test_integers_are_numbers_and_defaults_may_be_left_out():
    found = record(Point, {"x": 1})
    assert found == Point(x=1.0, y=0.0)
    assert type(found.x) is float


@pytest.mark.parametrize(("change", "message"), [
    ({"name": 1}, "name must be a text, not 1"),
    ({"name": ""}, "name must be a text of 1 to 4096 characters, not ''"),
    ({"kind": "square"}, "kind must be one of round, flat, not 'square'"),
    ({"kind": []}, "kind must be one of round, flat, not an empty list"),
    ({"count": -1}, "count must be an integer from 0 to 9.0072e+15, not -1"),
    ({"count": 1.0}, "count must be an integer from 0 to 9.0072e+15, not 1.0"),
    ({"count": True}, "count must be an integer from 0 to 9.0072e+15, not true"),
    ({"real": 1}, "real must be true or false, not 1"),
    ({"points": {}}, "points must be a list, not an empty object"),
    ({"points": [{"x": 1}, 7]}, "points[1] must be an object, not 7"),
    ({"points": [{"x": "1"}]}, "points[0].x must be a number, not '1'"),
    ({"points": [{"x": 1e300}]}, "points[0].x must be a number of at most 1e+30, not 1e+300"),
    ({"points": [{"x": 1, "y": -1}]}, "points[0].y must be a number from 0, not -1.0"),
    ({"points": [{"x": 1, "y": 1}]}, "points[0]: x must not be y"),
    ({"points": [{"y": 1}]}, "points[0]: must have a value for 'x'"),
    ({"points": [{"x": 1, "z": 1}]}, "points[0]: Unknown key 'z'; known: x, y"),
    ({"pair": [1]}, "pair must be a list of 2, not a list of 1"),
    ({"pair": ["b", 1]}, "pair[0] must be an integer, not 'b'"),
    ({"many": [1, None]}, "many[1] must be an integer, not null"),
    ({"few": []}, "few must be a list of 1 or more, not an empty list"),
    ({"by_name": {"p q": None}}, "by_name['p q'] must be an object, not null"),
    ({"by_name": []}, "by_name must be an object, not an empty list"),
    ({"either": 1.5}, "either must be a text, not 1.5"),
    ({"maybe": {}}, "maybe: must have a value for 'x'"),
    ({"within": [1]}, "within: must have two ends"),
    ({"extra": 0}, "extra must be an object, not 0"),
    ({"nmae": 0}, "Unknown key 'nmae'; did you mean 'name'?")])
def test_faults_are_named_by_their_place(tmp_path, change, message):
    path = tmp_path / "thing.json"
    path.write_text(json.dumps({"format": "thing/1", **encoded(THING), **change}))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        read_record(path, Thing, "thing/1")


@pytest.mark.parametrize("content", [[], None, 1, {}, {"format": "thing/2"}, {"format": ["x"]}])
def test_another_format_is_refused(tmp_path, content):
    path = tmp_path / "thing.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match='must be a JSON object with "format": "thing/1"'):
        read_record(path, Thing, "thing/1")
