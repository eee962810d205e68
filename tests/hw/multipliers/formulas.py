"""What each family computes, from the papers' formulas, independent of any netlist.

Every function takes int64 operands that broadcast, and the width in bits where it matters, and
returns the product. Signed families take and return two's complement values. `at_width` says with
which parameters, from mild to severe, a family is tried at widths that the catalogue does not have.
"""

import math

import numpy as np


def at_width(parameters):
    """Note what a formula's builder is tried with: parameters(width) returns a list of dicts."""
    def noted(formula):
        formula.at_width = parameters
        return formula

    return noted


def of(family):
    """Return the formula of a family; AssertionError where it is missing."""
    found = globals().get(family)
    assert hasattr(found, "at_width"), (
        f"family {family} has no formula with @at_width in tests/hw/multipliers/formulas.py")
    return found


def bit(value, position):
    return (value >> position) & 1


def dots(act, weight, keep, width=8):
    """Sum of the partial products (i, j) that are kept."""
    total = np.zeros(np.broadcast_shapes(act.shape, weight.shape), np.int64)
    for i in range(width):
        for j in range(width):
            if keep(i, j):
                total = total + (bit(act, i) * bit(weight, j) << (i + j))
    return total


def leading_one(value, width):
    """The highest power of two in each value; 0 in 0."""
    one = np.zeros_like(value)
    for position in range(width):
        one = np.where(value >> position > 0, 1 << position, one)
    return one


def cuts(width):
    return [{"columns": columns} for columns in (0, 1, width - 1, width + 1, 2 * width - 2)]


@at_width(lambda _width: [{"structure": name} for name in ("array", "dadda", "wallace")])
def exact(act, weight, **_):
    return act * weight


@at_width(cuts)
def truncated(act, weight, *, columns, width=8):
    return act * weight - dots(act, weight, lambda i, j: i + j < columns, width)


@at_width(cuts)
def constant_correction(act, weight, *, columns, width=8):
    dropped = sum(min(c + 1, 2 * width - 1 - c) * 2**c for c in range(columns))
    constant = math.floor(dropped / 4 / 2**columns + 0.5) * 2**columns
    return truncated(act, weight, columns=columns, width=width) + constant


@at_width(cuts)
def variable_correction(act, weight, *, columns, width=8):
    moved = dots(act, weight, lambda i, j: i + j == columns - 1, width)
    return truncated(act, weight, columns=columns, width=width) + 2 * moved


@at_width(lambda width: [{"act_bits": 1, "weight_bits": width - 2}])
def operand_truncated(act, weight, *, act_bits, weight_bits, width=8):
    return (act >> act_bits << act_bits) * (weight >> weight_bits << weight_bits)


@at_width(lambda width: [{"horizontal": 1, "vertical": width - 1}])
def broken_array(act, weight, *, horizontal, vertical, width=8):
    return dots(act, weight, lambda i, j: j >= horizontal and i + j >= vertical, width)


@at_width(lambda width: [{"first": 1, "count": width - 2}])
def perforated(act, weight, *, first, count, width=8):
    skipped = ((1 << count) - 1) << first
    return act * (weight & ~skipped)


@at_width(lambda width: [{"limit": limit} for limit in (0, width, 2 * width)])
def recursive(act, weight, *, limit, width=8):
    product = act * weight
    for x in range(0, width, 2):
        for y in range(0, width, 2):
            if x + y < limit:
                both_three = ((act >> x) & 3 == 3) & ((weight >> y) & 3 == 3)
                product = product - (both_three.astype(np.int64) << (x + y + 1))
    return product


COMPRESSED = {
    "saturate": lambda a, b, c, d: np.minimum(a + b + c + d, 3),
    "wrap": lambda a, b, c, d: np.array([0, 1, 2, 3, 2])[a + b + c + d],
    # (sum, carry) spelled as value: pairs count two only within a pair.
    "pairs": lambda a, b, c, d: ((a != b) | (c != d)) + 2 * ((a + b == 2) | (c + d == 2)),
    "pairs3": lambda a, b, c, d: a + b + c + d - ((a != b) & (c != d)) - (a & b & c & d),
    "merge": lambda a, b, c, d: np.maximum(a, b) + np.maximum(c, d),
    "or4": lambda a, b, c, d: np.maximum(np.maximum(a, b), np.maximum(c, d)),
    # Right but for none, a full pair beside an empty one, and all four.
    "momeni": lambda a, b, c, d: a + b + c + d + np.where(
        (a == b) & (c == d), np.where(a + c == 0, 1, -1), 0),
}


@at_width(lambda width: [{"design": name, "limit": width} for name in COMPRESSED])
def compressor42(act, weight, *, design, limit, width=8):
    """Replay the reduction on bit values: column by column, four at a time, oldest first."""
    columns = [[] for _ in range(2 * width + 1)]
    for i in range(width):
        for j in range(width):
            columns[i + j].append(bit(act, i) * bit(weight, j))
    while any(len(column) > 2 for column in columns[:limit]):
        produced = [[] for _ in range(2 * width + 2)]
        for index in range(limit):
            column = columns[index]
            cut = 4 * (len(column) // 4)
            groups = [column[start:start + 4] for start in range(0, cut, 4)]
            if len(column) - cut == 3:
                groups.append(column[cut:])
                cut += 3
            sums = []
            for group in groups:
                value = sum(group) if len(group) == 3 else COMPRESSED[design](*group)
                sums.append(value & 1)
                if not (design == "or4" and len(group) == 4):
                    produced[index + 1].append(value >> 1)
            columns[index] = sums + column[cut:] + produced[index]
        columns[limit] += produced[limit]
    return sum(sum(column) << index for index, column in enumerate(columns) if column)


@at_width(lambda width: [{"limit": width, "dropped": 2}])
def lower_or(act, weight, *, limit, dropped, width=8):
    total = dots(act, weight, lambda i, j: i + j >= limit, width)
    for column in range(dropped, limit):
        total = total + ((dots(act, weight, lambda i, j, c=column: i + j == c, width) > 0)
                         .astype(np.int64) << column)
    return total


@at_width(lambda width: [{"low": low} for low in (1, width // 2)])
def etm(act, weight, *, low, width=8):
    either = (act | weight) & ((1 << low) - 1)
    guess = np.where(either > 0, 2 * leading_one(either, low) << low, 1) - 1
    high = (act >> low) * (weight >> low) << 2 * low
    return np.where((act | weight) >> low > 0, high + guess, act * weight)


@at_width(lambda width: [{"bits": bits} for bits in (2, width - 1)])
def drum(act, weight, *, bits, width=8):
    def leading(value):
        cut = np.maximum(2 * leading_one(value, width) >> bits, 1)
        return np.where(cut > 1, (value // cut | 1) * cut, value)

    return leading(act) * leading(weight)


@at_width(lambda _width: [{}])
def roba(act, weight, *, width=8):
    def nearest(value):
        one = leading_one(value, width)
        return np.where((value > 3) & (2 * value >= 3 * one), 2 * one, one)

    return act * weight - (act - nearest(act)) * (weight - nearest(weight))


@at_width(lambda width: [{"corrections": 0}, {"corrections": 1, "dropped": width - 1},
                         {"corrections": 2}])
def iterative_log(act, weight, *, corrections, dropped=0, width=8):
    product = np.zeros_like(act * weight)
    for _ in range(corrections + 1):
        act_one, weight_one = leading_one(act, width), leading_one(weight, width)
        for term in (act * weight_one, (weight - weight_one) * act_one):
            product = product + (term >> dropped << dropped)
        act, weight = act - act_one, weight - weight_one
    return product


def logarithm(value, fraction_bits, width):
    """Mitchell's logarithm in fixed point, cut to its fraction bits; of 1 where zero."""
    value = np.maximum(value, 1)
    one = leading_one(value, width)
    whole = np.round(np.log2(one)).astype(np.int64)
    return (whole << fraction_bits) + ((value - one << fraction_bits) // one)


def antilogarithm(total, fraction_bits):
    whole, fraction = total >> fraction_bits, total & ((1 << fraction_bits) - 1)
    return ((1 << fraction_bits) + fraction) << whole >> fraction_bits


@at_width(lambda width: [{"fraction_bits": bits} for bits in (1, width - 1)])
def mitchell(act, weight, *, fraction_bits, width=8):
    total = logarithm(act, fraction_bits, width) + logarithm(weight, fraction_bits, width)
    return np.where((act == 0) | (weight == 0), 0, antilogarithm(total, fraction_bits))


@at_width(lambda _width: [{}])
def minimally_biased(act, weight, *, width=8):
    point = 24  # exact: operands have fewer bits
    x, y = (logarithm(value, point, width) for value in (act, weight))
    plain = antilogarithm(x + y, point)
    carried = (x & ((1 << point) - 1)) + (y & ((1 << point) - 1)) >> point
    whole = (x >> point) + (y >> point)
    # 5/64 of 2**whole either way: a carry doubles the scale and halves the constant.
    mantissa = np.where(carried == 1, 2 * ((x + y) & ((1 << point) - 1)) + (2 << point),
                        ((x + y) & ((1 << point) - 1)) + (1 << point))
    corrected = (mantissa + (5 << point - 6)) << whole >> point
    product = np.where(corrected >= 1 << 2 * width, plain, corrected)
    return np.where((act == 0) | (weight == 0), 0, product)


@at_width(lambda width: [{"adder": adder, "low": low} for adder in ("set_one", "lower_or")
                         for low in (1, width - 1)])
def approximate_log(act, weight, *, adder, low, width=8):
    x, y = (logarithm(value, width - 1, width) for value in (act, weight))
    below = (1 << low) - 1 if adder == "set_one" else (x | y) & ((1 << low) - 1)
    carry = bit(x, low - 1) & bit(y, low - 1)
    total = ((x >> low) + (y >> low) + carry << low) + below
    return np.where((act == 0) | (weight == 0), 0, antilogarithm(total, width - 1))


@at_width(lambda width: [{}, {"horizontal": 1, "vertical": width - 1}, {"horizontal": width - 1}])
def baugh_wooley(act, weight, *, horizontal=0, vertical=0, width=8):
    total = 0
    for i in range(width):
        for j in range(width):
            if j >= horizontal and i + j >= vertical:
                sign = -1 if (i == width - 1) != (j == width - 1) else 1
                total = total + sign * (bit(act, i) * bit(weight, j) << (i + j))
    return total


def booth_rows(act, weight, width):
    """Per digit: its place, its row d a - [d < 0], [d < 0], d and the high bit."""
    for index in range((width + 1) // 2):  # beyond the width, >> repeats the sign
        high, middle = bit(weight, 2 * index + 1), bit(weight, 2 * index)
        low = bit(weight, 2 * index - 1) if index else np.zeros_like(weight)
        digit = middle + low - 2 * high
        negative = (digit < 0).astype(np.int64)
        yield 2 * index, digit * act - negative, negative, digit, high


@at_width(lambda width: [{"encoder": name, "columns": columns} for columns in (1, width)
                         for name in ("abe1", "abe2", "single")])
def approximate_booth(act, weight, *, encoder, columns, width=8):
    total = 0
    for place, row, negative, digit, high in booth_rows(act, weight, width):
        below = max(columns - place, 0)
        once = np.where(high == 1, ~act, act)
        guess = {"abe1": np.where(np.abs(digit) == 1, once, 0), "abe2": once,
                 "single": np.where(digit != 0, once, 0)}[encoder]
        mixed = (row >> below << below) + (guess & ((1 << below) - 1))
        total = total + (mixed + negative << place)
    return total


@at_width(lambda width: [{"vertical": columns} for columns in (1, width)])
def broken_booth(act, weight, *, vertical, width=8):
    total = 0
    for place, row, negative, _, _ in booth_rows(act, weight, width):
        below = max(vertical - place, 0)
        total = total + ((row >> below << below) + (negative if below == 0 else 0) << place)
    return total
