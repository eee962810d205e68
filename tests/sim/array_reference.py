"""Sums of table products, from operands of all groups."""

import numpy as np

from sim.machine.array_model import tile_products


def table_sums(operands, weights, table):
    """int32[m, groups * n] from int16[groups, m, k] and int16[groups, k, n]."""
    return np.concatenate([tile_products(acts, matrix, table)
                           for acts, matrix in zip(operands, weights, strict=True)], axis=1)
