"""Prints a digest of chosen weights and of a line through their sums, for `test_chosen_weights`."""

import hashlib

import numpy as np

from hw.multipliers import get
from sim.compensation.chosen_weights import Products, Terms, choose_weights
from sim.compensation.divergence import logit_divergence
from sim.compensation.moments import SLOPES, Moments
from sim.kernels import TableProduct
from sim.tables import code_table, code_values, exact_table


def main():
    generator = np.random.default_rng(11)
    values, weight_values = code_values(3, signed=False), code_values(0, signed=True)
    noise = np.abs(generator.standard_normal((700, 92)))
    rows = (25 * (noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:])).clip(0, 255).astype(np.uint8)
    codes = (30 * generator.standard_normal((90, 20))).clip(-127, 127).astype(np.int8)
    codes = codes.view(np.uint8)
    table = code_table(get("mul8u_truncvc_c9").table, values, weight_values)
    product = TableProduct(table, values, weight_values)
    target = TableProduct(code_table(exact_table(), values, weight_values), values,
                          weight_values).matmul(rows, codes)
    chosen = choose_weights(
        Terms.of(rows, values), Products.of(table, np.arange(256)),
        weight_values[codes].astype(np.float32), target, lambda own: product.matmul(rows, own))
    sums = product.matmul(rows, chosen)
    moments = Moments(20)
    moments.add(sums, target)
    logits = [(1e-4 * values).astype(np.float32) for values in (sums, target)]
    digest = hashlib.sha256(chosen.tobytes())
    for found in (*moments.line(*SLOPES), np.array(logit_divergence(*logits))):
        digest.update(found.tobytes())
    print(digest.hexdigest())


if __name__ == "__main__":
    main()
