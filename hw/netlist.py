"""A multiplier as a netlist: the one object that RTL, truth table and cost are read from.

A netlist is a frozen list of two-input gates over two operands, `act` and `weight`.
Nets are numbered: 0 and 1 are the constants, then the bits of `act` (least significant
first), then the bits of `weight`, then one net per gate in topological order.

Evaluation is bit-parallel: one bit per operand pair, eight pairs per byte, so all
65,536 pairs of an 8x8 multiplier cost one NumPy operation of 8 KiB per gate.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

CONST0, CONST1 = 0, 1
FIRST_INPUT = 2

Bits = npt.NDArray[np.uint8]


class Op(IntEnum):
    """The function of a gate; the numbers are part of the digest and of stored files."""

    NOT = 0
    AND = 1
    OR = 2
    XOR = 3
    NAND = 4
    NOR = 5
    XNOR = 6
    ANDNOT = 7  # a & ~b
    ORNOT = 8  # a | ~b


COMMUTATIVE = frozenset({Op.AND, Op.OR, Op.XOR, Op.NAND, Op.NOR, Op.XNOR})
_OPS = tuple(Op)
_NOT, _AND, _OR, _XOR, _NAND, _NOR, _XNOR, _ANDNOT, _ORNOT = range(len(_OPS))
_COMMUTATIVE_CODES = frozenset(map(int, COMMUTATIVE))


class Gate(NamedTuple):
    """One gate: `op` applied to nets `a` and `b`; NOT ignores `b`, which equals `a`."""

    op: Op
    a: int
    b: int


def apply_op(op: Op, a: Bits, b: Bits) -> Bits:
    """Return `op` of two packed bit vectors, uint8 of equal shape."""
    match op:
        case Op.NOT:
            return ~a
        case Op.AND:
            return a & b
        case Op.OR:
            return a | b
        case Op.XOR:
            return a ^ b
        case Op.NAND:
            return ~(a & b)
        case Op.NOR:
            return ~(a | b)
        case Op.XNOR:
            return ~(a ^ b)
        case Op.ANDNOT:
            return a & ~b
        case Op.ORNOT:
            return a | ~b


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """A combinational multiplier, `product = f(act, weight)`.

    Parameters
    ----------
    act_width, weight_width : int
        Operand widths in bits, 1 to 16.
    gates : tuple of Gate
        In topological order: gate i drives net `FIRST_INPUT + act_width + weight_width + i`
        and reads lower-numbered nets only.
    outputs : tuple of int
        Net of each product bit, least significant first.
    signed : bool
        Operands and product are two's complement. Otherwise all are unsigned.

    Raises
    ------
    ValueError
        When a gate reads a net that is not driven before it.
    """

    act_width: int
    weight_width: int
    gates: tuple[Gate, ...]
    outputs: tuple[int, ...]
    signed: bool = False

    def __post_init__(self) -> None:
        for label, width in (("act_width", self.act_width), ("weight_width", self.weight_width)):
            if not 1 <= width <= 16:
                raise ValueError(f"{label} must be 1 to 16, not {width}")
        for net, (_, a, b) in enumerate(self.gates, start=self.first_gate_net):
            if not (0 <= a < net and 0 <= b < net):
                raise ValueError(f"Gate {net - self.first_gate_net} must read nets below {net}, "
                                 f"not {a}, {b}")
        if not 1 <= len(self.outputs) <= 32:
            raise ValueError(f"Netlist must have 1 to 32 outputs, not {len(self.outputs)}")
        for net in self.outputs:
            if not 0 <= net < self.net_count:
                raise ValueError(f"Output net must be below {self.net_count}, not {net}")

    @property
    def first_gate_net(self) -> int:
        """Number of the net that gate 0 drives."""
        return FIRST_INPUT + self.act_width + self.weight_width

    @property
    def net_count(self) -> int:
        """Number of nets: constants, operand bits and one per gate."""
        return self.first_gate_net + len(self.gates)

    @property
    def act_nets(self) -> range:
        """Nets of the activation operand, least significant bit first."""
        return range(FIRST_INPUT, FIRST_INPUT + self.act_width)

    @property
    def weight_nets(self) -> range:
        """Nets of the weight operand, least significant bit first."""
        return range(FIRST_INPUT + self.act_width, self.first_gate_net)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the structure, 64 hexadecimal digits: the key of every stored result."""
        words = [self.act_width, self.weight_width, int(self.signed), len(self.gates)]
        for gate in self.gates:
            words += gate
        words += self.outputs
        return hashlib.sha256(np.array(words, "<u4").tobytes()).hexdigest()

    @cached_property
    def depth(self) -> int:
        """Longest path from an operand bit to an output, in gates."""
        level = [0] * self.net_count
        for index, gate in enumerate(self.gates):
            level[self.first_gate_net + index] = 1 + max(level[gate.a], level[gate.b])
        return max((level[net] for net in self.outputs), default=0)

    @cached_property
    def zero_bits(self) -> int:
        """Number of low bits of the product that are always 0; all but one at most."""
        seen = int(np.bitwise_or.reduce(self.table(), axis=None)) | 1 << len(self.outputs) - 1
        return (seen & -seen).bit_length() - 1

    @cached_property
    def act_bits(self) -> tuple[int, ...]:
        """Bits of the activation that the product depends on, ascending."""
        return _bits_that_matter(self.table(), self.act_width)

    @cached_property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of the weight that the product depends on, ascending."""
        return _bits_that_matter(self.table().T, self.weight_width)

    @property
    def cut_bits(self) -> tuple[int, int]:
        """Number of low bits of activation and weight that the product does not depend on."""
        return (min(self.act_bits, default=self.act_width),
                min(self.weight_bits, default=self.weight_width))

    def gate_counts(self) -> Counter[str]:
        """Return the number of gates per operation name."""
        return Counter(gate.op.name for gate in self.gates)

    # --- evaluation ---------------------------------------------------------------

    def evaluate_nets(self, act_bits: Bits, weight_bits: Bits) -> Bits:
        """Return the value of every net for packed lanes.

        act_bits, weight_bits : uint8[width, n_bytes], bit i of the operand in row i, eight
        lanes per byte. Returns uint8[net_count, n_bytes].
        """
        nets = np.empty((self.net_count, act_bits.shape[1]), np.uint8)
        nets[CONST0], nets[CONST1] = 0, 0xFF
        nets[self.act_nets.start:self.act_nets.stop] = act_bits
        nets[self.weight_nets.start:self.weight_nets.stop] = weight_bits
        for net, gate in enumerate(self.gates, start=self.first_gate_net):
            nets[net] = apply_op(gate.op, nets[gate.a], nets[gate.b])
        return nets

    def evaluate(self, act: npt.ArrayLike, weight: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the product of each operand pair.

        act, weight : integers, broadcastable; unsigned operands in [0, 2**width), signed
        ones in two's complement range. Returns int64 of the broadcast shape.
        """
        acts, weights = np.broadcast_arrays(np.asarray(act), np.asarray(weight))
        lanes = acts.size
        nets = self.evaluate_nets(pack_bits(acts.reshape(-1), self.act_width),
                                  pack_bits(weights.reshape(-1), self.weight_width))
        product = self._products(nets, lanes)
        return product.reshape(acts.shape)

    def table(self) -> npt.NDArray[np.int32]:
        """Return the whole truth table, int32[2**act_width, 2**weight_width].

        Indexed `[act, weight]` by operand *pattern*: for a signed netlist row 255 of an
        8-bit table is act = -1. The widths together may not exceed 20 bits.
        """
        if self.act_width + self.weight_width > 20:
            raise ValueError("Truth table must have at most 20 operand bits, "
                             f"not {self.act_width + self.weight_width}")
        nets = self.all_nets()
        shape = (1 << self.act_width, 1 << self.weight_width)
        return self._products(nets, shape[0] * shape[1]).astype(np.int32).reshape(shape)

    def all_nets(self) -> Bits:
        """Return the value of every net for all operand pairs, weight fastest.

        uint8[net_count, 2**(act_width + weight_width) / 8], eight pairs per byte.
        """
        return self.evaluate_nets(*_all_pairs(self.act_width, self.weight_width))

    def _products(self, nets: Bits, lanes: int) -> npt.NDArray[np.int64]:
        """Return the value of the outputs in each of the first `lanes` lanes."""
        product = np.zeros(lanes, np.uint32)
        for position, net in enumerate(self.outputs):
            bit = np.unpackbits(nets[net], count=lanes, bitorder="little").astype(np.uint32)
            bit <<= np.uint32(position)
            product |= bit
        values = product.astype(np.int64)
        if self.signed:
            values -= (values >> (len(self.outputs) - 1)) << len(self.outputs)
        return values

    # --- derived netlists ---------------------------------------------------------

    def pruned(self) -> Netlist:
        """Return the same function without the gates that no output depends on."""
        gates, outputs = _live(self.gates, self.outputs, self.first_gate_net)
        return replace(self, gates=tuple(gates), outputs=tuple(outputs))

    def swapped(self) -> Netlist:
        """Return the netlist with the operands exchanged: `g(act, weight) = f(weight, act)`."""
        move = {CONST0: CONST0, CONST1: CONST1}
        for bit, net in enumerate(self.act_nets):
            move[net] = FIRST_INPUT + self.weight_width + bit
        for bit, net in enumerate(self.weight_nets):
            move[net] = FIRST_INPUT + bit
        gates = tuple(Gate(op, move.get(a, a), move.get(b, b)) for op, a, b in self.gates)
        return replace(self, act_width=self.weight_width, weight_width=self.act_width, gates=gates,
                       outputs=tuple(move.get(net, net) for net in self.outputs))

    def with_gate(self, index: int, gate: Gate) -> Netlist:
        """Return a copy in which gate `index` is `gate` (fault injection, evolution)."""
        return replace(self, gates=(*self.gates[:index], gate, *self.gates[index + 1:]))

    def mutants(self) -> Iterator[tuple[str, Netlist]]:
        """Yield every single fault as (description, netlist).

        The faults: output of a gate stuck at 0 or 1, and the gate replaced by each of AND,
        OR and XOR that it is not.
        """
        for index, gate in enumerate(self.gates):
            for value in (CONST0, CONST1):
                yield (f"gate {index} ({gate.op.name}) stuck at {value}",
                       self.with_gate(index, Gate(Op.AND, value, value)))
            for op in (Op.AND, Op.OR, Op.XOR):
                if gate.op not in (op, Op.NOT):
                    yield (f"gate {index} ({gate.op.name}) becomes {op.name}",
                           self.with_gate(index, Gate(op, gate.a, gate.b)))

    # --- exchange -----------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` restores an equal netlist."""
        return {"act_width": self.act_width, "weight_width": self.weight_width,
                "signed": self.signed, "outputs": list(self.outputs),
                "gates": [[gate.op.name, gate.a, gate.b] for gate in self.gates]}

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Netlist:
        """Restore a netlist; raises ValueError when the description is malformed.

        Numbers must be whole ones: 2.0 and "2" are refused, not rounded or parsed.
        """
        def whole(value: Any) -> int:
            if type(value) is not int:  # not a bool either
                raise TypeError(f"numbers must be whole, not {value!r:.40}")
            return value

        try:
            gates = tuple(Gate(Op[op], whole(a), whole(b)) for op, a, b in description["gates"])
            outputs = tuple(whole(net) for net in description["outputs"])
            widths = whole(description["act_width"]), whole(description["weight_width"])
            signed = description["signed"]
            if not isinstance(signed, bool):
                raise TypeError(f"signed must be true or false, not {signed!r}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"Netlist description is malformed: {error!r:.200}") from None
        return cls(act_width=widths[0], weight_width=widths[1], signed=signed, gates=gates,
                   outputs=outputs)


def _bits_that_matter(table: npt.NDArray[np.int32], width: int) -> tuple[int, ...]:
    """Return the bits of the row number that the rows of a table depend on."""
    rows = np.arange(len(table))
    return tuple(bit for bit in range(width) if (table != table[rows ^ (1 << bit)]).any())


def _live(gates: Sequence[Gate], outputs: Sequence[int],
          first: int) -> tuple[list[Gate], list[int]]:
    """Return the gates that some output depends on and the outputs, renumbered.

    `first` is the net of gate 0.
    """
    count = first + len(gates)
    live = bytearray(count)
    for net in outputs:
        live[net] = 1
    for net in range(count - 1, first - 1, -1):
        if live[net]:
            _, a, b = gates[net - first]
            live[a] = live[b] = 1
    number = list(range(first)) + [0] * len(gates)
    kept: list[Gate] = []
    for net in range(first, count):
        if live[net]:
            number[net] = first + len(kept)
            op, a, b = gates[net - first]
            kept.append(Gate(op, number[a], number[b]))
    return kept, [number[net] for net in outputs]


@lru_cache(maxsize=4)
def _all_pairs(act_width: int, weight_width: int) -> tuple[Bits, Bits]:
    """Return the packed planes of all operand pairs, weight fastest."""
    act, weight = np.divmod(np.arange(1 << (act_width + weight_width)), 1 << weight_width)
    return pack_bits(act, act_width), pack_bits(weight, weight_width)


def pack_bits(values: npt.NDArray[Any], width: int) -> Bits:
    """Return `values` as packed bit planes: integers [n] -> uint8[width, ceil(n / 8)]."""
    integers = values.astype(np.int64)
    planes = np.empty((width, (integers.size + 7) // 8), np.uint8)
    for bit in range(width):
        planes[bit] = np.packbits((integers >> bit) & 1, bitorder="little")
    return planes


class NetlistBuilder:
    """Builds a netlist gate by gate, folding constants and sharing equal gates.

    Nets are plain integers; `act[i]` and `weight[j]` are the operand bits, `CONST0` and
    `CONST1` the constants.
    """

    def __init__(self, *, act_width: int = 8, weight_width: int = 8) -> None:
        self.act_width, self.weight_width = act_width, weight_width
        self.act = list(range(FIRST_INPUT, FIRST_INPUT + act_width))
        first = FIRST_INPUT + act_width
        self.weight = list(range(first, first + weight_width))
        self._first_gate_net = first + weight_width
        self._gates: list[Gate] = []
        self._known: dict[tuple[int, int, int], int] = {}

    @property
    def gate_count(self) -> int:
        """Number of gates built so far, dead ones included."""
        return len(self._gates)

    def _gate(self, code: int, a: int, b: int) -> int:
        """Return the net of a gate; `code` is the number of an Op, which hashes far faster."""
        if a > b and code in _COMMUTATIVE_CODES:
            a, b = b, a
        key = (code, a, b)
        net = self._known.get(key)
        if net is None:
            net = self._known[key] = self._first_gate_net + len(self._gates)
            self._gates.append(Gate(_OPS[code], a, b))
        return net

    def not_(self, a: int) -> int:
        """Return the net of `~a`."""
        if a <= CONST1:
            return 1 - a
        source = self._driver(a)
        if source is not None and source.op == Op.NOT:
            return source.a
        return self._gate(_NOT, a, a)

    def _driver(self, net: int) -> Gate | None:
        index = net - self._first_gate_net
        return self._gates[index] if index >= 0 else None

    # Gates of two different nets are the rule; what a constant or equal inputs leave comes after.

    def and_(self, a: int, b: int) -> int:
        """Return the net of `a & b`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_AND, a, b)
        if CONST0 in (a, b):
            return CONST0
        return max(a, b)

    def or_(self, a: int, b: int) -> int:
        """Return the net of `a | b`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_OR, a, b)
        if CONST1 in (a, b):
            return CONST1
        return max(a, b)

    def xor(self, a: int, b: int) -> int:
        """Return the net of `a ^ b`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_XOR, a, b)
        if a == b:
            return CONST0
        return max(a, b) if CONST0 in (a, b) else self.not_(max(a, b))

    def nand(self, a: int, b: int) -> int:
        """Return the net of `~(a & b)`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_NAND, a, b)
        return self.not_(self.and_(a, b))

    def nor(self, a: int, b: int) -> int:
        """Return the net of `~(a | b)`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_NOR, a, b)
        return self.not_(self.or_(a, b))

    def xnor(self, a: int, b: int) -> int:
        """Return the net of `~(a ^ b)`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_XNOR, a, b)
        return self.not_(self.xor(a, b))

    def andnot(self, a: int, b: int) -> int:
        """Return the net of `a & ~b`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_ANDNOT, a, b)
        return self.and_(a, self.not_(b)) if a != b else CONST0

    def ornot(self, a: int, b: int) -> int:
        """Return the net of `a | ~b`."""
        if a > CONST1 and b > CONST1 and a != b:
            return self._gate(_ORNOT, a, b)
        return self.or_(a, self.not_(b)) if a != b else CONST1

    def gate(self, op: Op, a: int, b: int) -> int:
        """Return the net of `op` applied to `a` and `b`; NOT ignores `b`."""
        if op == Op.NOT:
            return self.not_(a)
        build = {Op.AND: self.and_, Op.OR: self.or_, Op.XOR: self.xor, Op.NAND: self.nand,
                 Op.NOR: self.nor, Op.XNOR: self.xnor, Op.ANDNOT: self.andnot,
                 Op.ORNOT: self.ornot}
        return build[op](a, b)

    def mux(self, select: int, low: int, high: int) -> int:
        """Return the net of `high if select else low`."""
        if low == high:
            return low
        return self.or_(self.and_(select, high), self.andnot(low, select))

    def majority(self, a: int, b: int, c: int) -> int:
        """Return the net that is 1 when at least two of three are."""
        return self.or_(self.and_(a, b), self.and_(c, self.or_(a, b)))

    def any_of(self, nets: Sequence[int]) -> int:
        """Return the net that is 1 when some net is; CONST0 for none."""
        total = CONST0
        for net in nets:
            total = self.or_(total, net)
        return total

    def half_adder(self, a: int, b: int) -> tuple[int, int]:
        """Return (sum, carry) of two bits."""
        return self.xor(a, b), self.and_(a, b)

    def full_adder(self, a: int, b: int, c: int) -> tuple[int, int]:
        """Return (sum, carry) of three bits; a constant 0 leaves a half adder."""
        partial = self.xor(a, b)
        return self.xor(partial, c), self.or_(self.and_(a, b), self.and_(partial, c))

    def ripple_add(self, a: Sequence[int], b: Sequence[int], carry: int = CONST0) -> list[int]:
        """Return the bits of `a + b + carry`, one longer than the longer operand."""
        total = []
        for position in range(max(len(a), len(b))):
            bit_a = a[position] if position < len(a) else CONST0
            bit_b = b[position] if position < len(b) else CONST0
            bit, carry = self.full_adder(bit_a, bit_b, carry)
            total.append(bit)
        return [*total, carry]

    def build(self, outputs: Sequence[int], *, signed: bool = False) -> Netlist:
        """Return the netlist of `outputs` (least significant first), dead gates removed."""
        gates, live_outputs = _live(self._gates, outputs, self._first_gate_net)
        return Netlist(act_width=self.act_width, weight_width=self.weight_width,
                       gates=tuple(gates), outputs=tuple(live_outputs), signed=signed)
