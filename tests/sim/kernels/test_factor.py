"""Exact integer factors: proved ranks, equal in every entry, on any matrix and on real tables."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hw.multipliers import get
from sim.kernels.factor import exact_rank, factorise, rank_one
from sim.kernels.factor.lattice import adjugate, hermite_basis, reduce
from sim.kernels.factor.modular import MAX_ENTRY, PRIMES, find_pivots, pivots_are_complete
from sim.tables import code_table, code_values, load_table
from tests.outside_data import MULTIPLIERS, published_multipliers

CASES = settings(max_examples=50, deadline=None)
EXACT = np.multiply.outer(np.arange(256), np.arange(256))


def published_table(name):
    return load_table(MULTIPLIERS / f"{name}.bin")


def rational_rank(matrix):
    """Rank by Gaussian elimination of fractions: slow and obvious."""
    rows = [[Fraction(int(entry)) for entry in row] for row in matrix]
    rank = 0
    for column in range(matrix.shape[1]):
        pivot = next((index for index in range(rank, len(rows)) if rows[index][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for index in range(rank + 1, len(rows)):
            times = rows[index][column] / rows[rank][column]
            rows[index] = [a - times * b for a, b in zip(rows[index], rows[rank], strict=True)]
        rank += 1
    return rank


@st.composite
def matrices(draw, bound=300):
    """Integer matrices of any rank, with zero and repeated rows."""
    m, n, r = (draw(st.integers(1, 7)) for _ in range(3))
    entry = st.integers(-bound, bound)
    left, right = draw(arrays(np.int64, (m, r), elements=entry)), draw(
        arrays(np.int64, (r, n), elements=st.integers(-9, 9)))
    return (left @ right)[draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=9))]


@CASES
@given(matrices())
def test_factors_equal_the_matrix_and_have_its_exact_rank(matrix):
    factors = factorise(matrix)
    np.testing.assert_array_equal(factors.u @ factors.v, matrix)
    assert not factors.alpha.any()
    assert not factors.beta.any()
    assert factors.rank == exact_rank(matrix) == rational_rank(matrix)
    assert factors.max_sum == (abs(factors.u) @ abs(factors.v)).max(initial=0)
    assert factors.max_u == abs(factors.u).max(initial=0)
    assert factors.max_v == abs(factors.v).max(initial=0)


@CASES
@given(matrices(), st.integers(-50, 50), st.integers(1, 9))
def test_offsets_are_removed_where_they_save_rank(matrix, base, seed):
    generator = np.random.default_rng(seed)
    alpha = generator.integers(-99, 99, len(matrix))
    beta = generator.integers(-99, 99, matrix.shape[1])
    shifted = matrix + alpha[:, None] + beta + base
    factors = factorise(shifted, offsets=True)
    np.testing.assert_array_equal(
        factors.u @ factors.v + factors.alpha[:, None] + factors.beta, shifted)
    centred = matrix - matrix[:, :1] - matrix[:1] + matrix[0, 0]
    assert factors.rank == rational_rank(centred)


@CASES
@given(matrices())
def test_a_rank_above_the_limit_is_not_factorised(matrix):
    rank = rational_rank(matrix)
    assert factorise(matrix, limit=rank) is not None
    if rank:
        assert factorise(matrix, limit=rank - 1) is None


@pytest.mark.parametrize("multiple", PRIMES[:2])
def test_a_rank_hidden_by_a_prime_is_found_with_another(multiple):
    matrix = np.array([[1, 2, 3], [1, 2 + multiple, 3], [2, 4, 6]])
    assert find_pivots(matrix, multiple).rank == 1
    assert not pivots_are_complete(matrix, find_pivots(matrix, multiple), multiple)
    assert exact_rank(matrix) == 2
    factors = factorise(matrix)
    assert factors.rank == 2
    np.testing.assert_array_equal(factors.matrix(), matrix)


@pytest.mark.parametrize("change", [1, -1, 2**15])
def test_one_changed_entry_raises_the_rank(change):
    generator = np.random.default_rng(7)
    matrix = generator.integers(-9, 9, (256, 40)) @ generator.integers(-9, 9, (40, 256))
    assert exact_rank(matrix) == 40
    matrix[200, 31] += change
    assert exact_rank(matrix) == 41


def test_full_rank_and_largest_entries():
    generator = np.random.default_rng(3)
    signs = generator.choice([-MAX_ENTRY, MAX_ENTRY], (256, 256))
    assert exact_rank(np.concatenate([signs[:128], signs[:128]])) == 128
    assert exact_rank(signs) == 256


@pytest.mark.parametrize(("matrix", "message"), [
    (np.zeros((257, 2), int), r"^Matrix must have 1 to 256 rows and columns, not \(257, 2\)$"),
    (np.zeros((2, 0), int), r"^Matrix must have 1 to 256 rows and columns, not \(2, 0\)$"),
    (np.zeros((2, 2)), "^Matrix must hold integers, not float64$"),
    (np.full((2, 2), MAX_ENTRY + 1), "^Matrix entries must be at most 8388608 in size"),
])
@pytest.mark.parametrize("function", [exact_rank, factorise, rank_one])
def test_what_is_no_such_matrix_is_refused(function, matrix, message):
    with pytest.raises(ValueError, match=message):
        function(matrix)


# --- products of rank one ---------------------------------------------------------------


@CASES
@given(st.data())
def test_products_of_rank_one_are_recognised(data):
    elements = st.integers(-255, 255)
    u = data.draw(arrays(np.int64, data.draw(st.integers(1, 8)), elements=elements))
    v = data.draw(arrays(np.int64, data.draw(st.integers(1, 8)), elements=elements))
    found_u, found_v = rank_one(np.multiply.outer(u, v))
    np.testing.assert_array_equal(np.multiply.outer(found_u, found_v), np.multiply.outer(u, v))
    assert max(abs(found_u).max(), abs(found_v).max()) <= max(2 * abs(u).max(), 2 * abs(v).max())


@CASES
@given(matrices())
def test_only_products_of_rank_one_are_recognised(matrix):
    assert (rank_one(matrix) is not None) == (rational_rank(matrix) <= 1)


@pytest.mark.parametrize(("mask_a", "mask_w"), [(0xFF, 0xFF), (0xF0, 0xFF), (0xFC, 0xF8)])
@pytest.mark.parametrize(("zero_point", "signed"), [(0, False), (17, False), (-128, True)])
def test_truncated_operands_are_recoded_to_nine_bits(mask_a, mask_w, zero_point, signed):
    magnitudes = np.multiply.outer(np.arange(256) & mask_a, np.arange(256) & mask_w)
    acts, weights = code_values(zero_point, signed=signed), code_values(0, signed=True)
    u, v = rank_one(code_table(magnitudes, acts, weights))
    np.testing.assert_array_equal(u, np.sign(acts) * (abs(acts) & mask_a))
    np.testing.assert_array_equal(v, np.sign(weights) * (abs(weights) & mask_w))


def test_one_wrong_product_is_not_rank_one():
    table = EXACT.copy()
    table[255, 255] -= 1
    assert rank_one(table) is None
    assert factorise(table - EXACT).rank == 1


# --- tables ------------------------------------------------------------------------------


@pytest.mark.parametrize("row", published_multipliers())
def test_published_error_ranks_are_reproduced(row):
    assert exact_rank(published_table(row["name"]) - EXACT) == int(row["error_rank"])


@pytest.mark.parametrize("row", published_multipliers(highest_rank=24))
def test_published_error_tables_are_factorised(row):
    table, rank = published_table(row["name"]), int(row["error_rank"])
    factors = factorise(table - EXACT)
    assert factors.rank == rank
    np.testing.assert_array_equal(EXACT + factors.u @ factors.v, table)


@pytest.mark.parametrize(("name", "rank"), [
    ("mul8u_exact", 0), ("mul8u_trunc_c6", 6), ("mul8u_optrunc_a4w2", 2), ("mul8u_drum_k4", 2),
    ("mul8u_roba", 1)])
@pytest.mark.parametrize(("zero_point", "signed"), [(0, False), (121, False), (-128, True)])
def test_catalogue_entries_are_factorised_as_codes(name, rank, zero_point, signed):
    acts, weights = code_values(zero_point, signed=signed), code_values(0, signed=True)
    table = code_table(get(name).table, acts, weights)
    error = table - np.multiply.outer(acts.astype(np.int64), weights.astype(np.int64))
    factors = factorise(error)
    np.testing.assert_array_equal(factors.matrix(), error)
    assert factors.rank == rank


# --- lattices ----------------------------------------------------------------------------


@CASES
@given(arrays(np.int64, (4, 4), elements=st.integers(-99, 99)))
def test_adjugate_is_the_inverse_times_the_determinant(square):
    if rational_rank(square) < 4:
        with pytest.raises(ZeroDivisionError):
            adjugate(square)
        return
    inverse, determinant = adjugate(square)
    np.testing.assert_array_equal(square.astype(object) @ inverse,
                                  determinant * np.eye(4, dtype=int).astype(object))


@CASES
@given(arrays(np.int64, (5, 3), elements=st.integers(-40, 40)), st.integers(1, 60))
def test_hermite_basis_spans_the_same_lattice(rows, modulus):
    basis = hermite_basis(rows.astype(object), modulus)
    assert (np.tril(basis.astype(np.int64), -1) == 0).all()
    assert (np.diag(basis) > 0).all()
    generators = np.concatenate([rows, modulus * np.eye(3, dtype=np.int64)])
    inverse, determinant = adjugate(basis)
    assert not ((generators.astype(object) @ inverse) % determinant).any()
    # The index of the lattice is the greatest common divisor of the generators' minors.
    minors = [round(np.linalg.det(generators[[a, b, c]].astype(float)))
              for a in range(8) for b in range(a) for c in range(b)]
    assert np.prod(np.diag(basis)) == np.gcd.reduce(minors)


@CASES
@given(st.integers(0, 2**32 - 1))
def test_reduction_keeps_the_lattice_and_shortens(seed):
    generator = np.random.default_rng(seed)
    basis = generator.integers(-3, 4, (5, 8))
    if rational_rank(basis) < 5:
        return
    mixed = np.tril(generator.integers(-30, 30, (5, 5)), -1) + np.eye(5, dtype=int)
    short = reduce(mixed @ basis)
    gram = basis @ basis.T
    assert round(np.linalg.det((short @ short.T).astype(float))) == round(
        np.linalg.det(gram.astype(float)))
    inverse, determinant = adjugate(gram)
    assert not (((short @ basis.T).astype(object) @ inverse) % determinant).any()
    assert (short * short).sum(axis=1).max() <= 2 ** 4 * (basis * basis).sum(axis=1).max()
