"""What each family computes, from the papers' formulas, independent of any netlist.

Every function takes int64 operands that broadcast, and returns the product.
"""

import numpy as np


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


def exact(act, weight, **_):
    return act * weight


def truncated(act, weight, *, columns):
    return act * weight - dots(act, weight, lambda i, j: i + j < columns)


def variable_correction(act, weight, *, columns):
    moved = dots(act, weight, lambda i, j: i + j == columns - 1)
    return truncated(act, weight, columns=columns) + 2 * moved


def operand_truncated(act, weight, *, act_bits, weight_bits):
    return (act >> act_bits << act_bits) * (weight >> weight_bits << weight_bits)


def broken_array(act, weight, *, horizontal, vertical):
    return dots(act, weight, lambda i, j: j >= horizontal and i + j >= vertical)


def perforated(act, weight, *, first, count):
    skipped = ((1 << count) - 1) << first
    return act * (weight & ~skipped)


def recursive(act, weight, *, limit):
    product = act * weight
    for x in range(0, 8, 2):
        for y in range(0, 8, 2):
            if x + y < limit:
                both_three = ((act >> x) & 3 == 3) & ((weight >> y) & 3 == 3)
                product = product - (both_three.astype(np.int64) << (x + y + 1))
    return product


COMPRESSED = {
    "saturate": lambda a, b, c, d: np.minimum(a + b + c + d, 3),
    # (sum, carry) spelled as value: pairs count two only within a pair.
    "pairs": lambda a, b, c, d: ((a != b) | (c != d)) + 2 * ((a + b == 2) | (c + d == 2)),
    "merge": lambda a, b, c, d: np.maximum(a, b) + np.maximum(c, d),
    "or4": lambda a, b, c, d: np.maximum(np.maximum(a, b), np.maximum(c, d)),
}


def compressor42(act, weight, *, design, limit):
    """Replay the reduction on bit values: column by column, four at a time, oldest first."""
    columns = [[] for _ in range(17)]
    for i in range(8):
        for j in range(8):
            columns[i + j].append(bit(act, i) * bit(weight, j))
    while any(len(column) > 2 for column in columns[:limit]):
        produced = [[] for _ in range(18)]
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


def lower_or(act, weight, *, limit, dropped):
    total = dots(act, weight, lambda i, j: i + j >= limit)
    for column in range(dropped, limit):
        total = total + ((dots(act, weight, lambda i, j, c=column: i + j == c) > 0)
                         .astype(np.int64) << column)
    return total


def drum(act, weight, *, bits):
    def leading(value):
        length = np.zeros_like(value)
        for position in range(8):
            length = np.where(value >> position > 0, position + 1, length)
        shift = np.maximum(length - bits, 0)
        return np.where(shift > 0, ((value >> shift) | 1) << shift, value)

    return leading(act) * leading(weight)


def mitchell(act, weight, *, fraction_bits):
    def logarithm(value):  # fixed point with fraction_bits fractional bits
        whole = np.floor(np.log2(np.maximum(value, 1))).astype(np.int64)
        mantissa = np.where(value > 0, value << (7 - whole), 128) - 128
        return (whole << fraction_bits) + (mantissa >> (7 - fraction_bits))

    total = logarithm(act) + logarithm(weight)
    whole, fraction = total >> fraction_bits, total & ((1 << fraction_bits) - 1)
    product = ((1 << fraction_bits) + fraction) << whole >> fraction_bits
    return np.where((act == 0) | (weight == 0), 0, product)
