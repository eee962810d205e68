"""BLIF: `.model`, `.inputs`, `.outputs`, `.names` and `.subckt` of models in the same file.

Berkeley Logic Interchange Format, University of California, 1992. Latches, library gates
(`.gate`) and `.search`, which opens another file, are refused. The first model is the circuit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property

from hw.multipliers.importing.circuit import MAX_NODES, Circuit, Node, Port
from hw.multipliers.importing.source import Source, shown
from hw.multipliers.importing.truth import MAX_INPUTS

MAX_DEPTH = 50
REFUSED = {".latch": "a latch", ".gate": "a library gate", ".mlatch": "a library latch",
           ".search": "another file", ".exdc": "external don't-cares",
           ".start_kiss": "a state machine"}
IGNORED = (".area", ".delay", ".wire_load_slope", ".wire", ".input_arrival", ".output_required",
           ".default_input_arrival", ".default_output_required", ".input_drive", ".output_load")


@dataclass
class _Names:
    """A `.names` block: the nets, output last, and the cubes of its cover."""

    line: int
    nets: list[str]
    cubes: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Instance:
    """A `.subckt`: model, and actual net by formal port."""

    line: int
    model: str
    nets: dict[str, str]


@dataclass
class _Model:
    """A `.model` block."""

    name: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    names: list[_Names] = field(default_factory=list)
    instances: list[_Instance] = field(default_factory=list)

    @cached_property
    def ports(self) -> frozenset[str]:
        """Names of inputs and outputs, once all are read."""
        return frozenset((*self.inputs, *self.outputs))


def read(source: Source) -> Circuit:
    """Return the circuit of the first model, the models below it inlined."""
    models = _models(source)
    top = next(iter(models.values()))
    for kind, nets in (("inputs", top.inputs), ("outputs", top.outputs)):
        if len(set(nets)) != len(nets):
            raise source.error(f".{kind} must name every port once")
    _check_size(source, models, top)
    nodes: dict[str, Node] = {}
    _inline(source, models, top, {}, "", nodes)
    driven = sorted(set(top.inputs) & nodes.keys())
    if driven:
        raise source.error(f"input {shown(driven[0])} must have no driver inside the model")
    return Circuit(inputs=tuple(Port(name=net, nets=(net,)) for net in top.inputs),
                   outputs=tuple(Port(name=net, nets=(net,)) for net in top.outputs), nodes=nodes)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, words), comments dropped and continued lines joined."""
    words: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("#", 1)[0].rstrip()
        start = start or number
        words += code.removesuffix("\\").split()
        if not code.endswith("\\"):
            if words:
                yield start, words
            words, start = [], 0
    if words:
        yield start, words


def _models(source: Source) -> dict[str, _Model]:
    """Return the models of the file by name, the first one first."""
    models: dict[str, _Model] = {}
    model: _Model | None = None
    cover: _Names | None = None
    cubes = 0
    for line, (word, *rest) in _lines(source.text):
        if not word.startswith("."):
            if cover is None:
                raise source.error(f"{shown(word)} must follow .names", line)
            cubes += 1
            if cubes > MAX_NODES:
                raise source.error(f"circuit must have at most {MAX_NODES} cubes", line)
            _add_cube(source, line, cover, [word, *rest])
            continue
        cover = None
        if word == ".model":
            model = _Model(rest[0] if rest else "top")
            if model.name in models:
                raise source.error(f"model {shown(model.name)} must be described once", line)
            models[model.name] = model
            continue
        if word in REFUSED:
            raise source.error(f"{word} must not be used ({REFUSED[word]})", line)
        if word in (".end", *IGNORED):
            continue
        if model is None:
            raise source.error(f"{shown(word)} must come after .model", line)
        match word:
            case ".inputs":
                model.inputs += rest
            case ".outputs":
                model.outputs += rest
            case ".names":
                if not 1 <= len(rest) <= MAX_INPUTS + 1:
                    raise source.error(f".names must have at most {MAX_INPUTS} inputs and one "
                                       f"output, not {len(rest)} nets", line)
                cover = _Names(line, rest)
                model.names.append(cover)
            case ".subckt":
                model.instances.append(_instance(source, line, rest))
            case _:
                raise source.error(f"{shown(word)} is not a construct of combinational BLIF", line)
    if not models:
        raise source.error("must have a .model")
    return models


def _add_cube(source: Source, line: int, cover: _Names, words: list[str]) -> None:
    """Add one line of a cover, `1-0 1`, to `cover`."""
    width = len(cover.nets) - 1
    pattern, value = (words[0], words[1]) if len(words) == 2 else ("", words[0])
    if len(words) > 2 or len(pattern) != width or set(pattern) - set("01-") \
            or value not in ("0", "1"):
        raise source.error(f"cover line must be {width} of 0, 1, - and then 0 or 1, "
                           f"not {shown(' '.join(words))}", line)
    if cover.cubes and cover.cubes[0][1] != value:
        raise source.error("cover must be of ones or of zeros, not both", line)
    cover.cubes.append((pattern, value))


def _instance(source: Source, line: int, words: list[str]) -> _Instance:
    if not words:
        raise source.error(".subckt must name a model", line)
    nets: dict[str, str] = {}
    for word in words[1:]:
        formal, equals, actual = word.partition("=")
        if not (formal and equals and actual) or formal in nets:
            raise source.error(f".subckt port must be formal=actual, once, not {shown(word)}", line)
        nets[formal] = actual
    return _Instance(line, words[0], nets)


def _check_size(source: Source, models: dict[str, _Model], top: _Model) -> None:
    """Raise InputError when the models below `top`, inlined, are too many, too deep or absent."""
    sizes: dict[str, int] = {}  # nodes and instances of a model with all that is below it

    def visit(model: _Model, depth: int) -> int:
        size = len(model.names)
        for instance in model.instances:
            below = models.get(instance.model)
            if below is None:
                raise source.error(f"model {shown(instance.model)} must be in this file",
                                   instance.line)
            if depth == MAX_DEPTH:
                raise source.error(f"models must be at most {MAX_DEPTH} deep", instance.line)
            for formal in instance.nets:
                if formal not in below.ports:
                    raise source.error(f"model {shown(below.name)} has no port {shown(formal)}",
                                       instance.line)
            size += 1 + (sizes[below.name] if below.name in sizes else visit(below, depth + 1))
        sizes[model.name] = size
        return size

    if visit(top, 0) > MAX_NODES:
        raise source.error(f"circuit must have at most {MAX_NODES} nodes and instances, "
                           f"not {sizes[top.name]}")


def _inline(source: Source, models: dict[str, _Model], model: _Model, ports: dict[str, str],
            prefix: str, nodes: dict[str, Node]) -> None:
    """Add the nodes of `model` to `nodes`, its ports connected as `ports` says."""
    def net(name: str) -> str:
        return ports.get(name, prefix + name)

    def add(line: int, name: str, node: Node) -> None:
        if net(name) in nodes:
            raise source.error(f"net {shown(name)} must have one driver", line)
        nodes[net(name)] = node

    for cover in model.names:
        *inputs, output = cover.nets
        add(cover.line, output, Node(table=_table(cover), inputs=tuple(map(net, inputs))))
    for number, instance in enumerate(model.instances):
        _inline(source, models, models[instance.model],
                {formal: net(actual) for formal, actual in instance.nets.items()},
                f"{prefix}{number}/", nodes)


def _table(cover: _Names) -> int:
    """Return the truth table of a cover, input 0 the least significant bit of a pattern."""
    width = len(cover.nets) - 1
    ones = (1 << (1 << width)) - 1
    table = 0
    for pattern, _value in cover.cubes:
        cube = ones
        for position, digit in enumerate(pattern):
            if digit != "-":
                cube &= _patterns(width, position, digit == "1")
        table |= cube
    return ones ^ table if cover.cubes and cover.cubes[0][1] == "0" else table


@cache
def _patterns(width: int, position: int, value: bool) -> int:
    """Return the patterns of `width` inputs in which the one at `position` has a value, a table."""
    ones = (1 << (1 << width)) - 1
    block = 1 << position  # runs of patterns in which this input is 0, then 1
    high = ones // ((1 << 2 * block) - 1) * (((1 << block) - 1) << block)
    return high if value else ones ^ high
