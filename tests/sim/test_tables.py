"""Code tables against the PE's arithmetic, and table files."""

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.adder import ApproximateAdder
from hw.multipliers.base import Multiplier
from hw.multipliers.families.exact import exact
from sim.machine.array_model import tile_products
from sim.tables import (
    ApproximateSums,
    SignedTable,
    code_table,
    code_values,
    exact_table,
    is_exact,
    load_table,
    magnitude_table,
    patterns,
    pe_products,
    pe_table,
    table_key,
)

LOPSIDED = get("mul8u_optrunc_a4w2").table
# A circuit that does not keep zero, so that the sign of a zero operand matters.
NO_ZERO = (LOPSIDED + 3).astype(np.int32)
SIGNED = get("mul8s_booth_abe1_c8")


@pytest.mark.parametrize("table", [LOPSIDED, NO_ZERO, pe_table(SIGNED)],
                         ids=["keeps zero", "does not", "signed"])
@pytest.mark.parametrize(("zero_point", "signed"), [
    (0, False), (1, False), (128, False), (255, False), (0, True), (-128, True), (127, True)])
def test_every_pair_of_codes_is_what_the_pe_computes(table, zero_point, signed):
    act, weight = code_values(zero_point, signed=signed), code_values(0, signed=True)
    expected = np.stack([tile_products(act[:, None], weight[None, column:column + 1], table)[:, 0]
                         for column in range(256)], axis=1)
    np.testing.assert_array_equal(code_table(table, act, weight), expected)


@pytest.mark.parametrize(("zero_point", "signed"), [(0, True), (128, False)])
def test_codes_of_a_signed_circuit_are_its_operands(zero_point, signed):
    """All 65,536 pairs of 8-bit values, by the netlist itself."""
    values = code_values(zero_point, signed=signed)
    expected = SIGNED.netlist.evaluate(values[:, None], code_values(0, signed=True))
    found = code_table(pe_table(SIGNED), values, code_values(0, signed=True))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32


@pytest.mark.parametrize(("value", "wrapped"), [(128, -128), (200, -56), (255, -1), (-129, 127),
                                                (-200, 56), (-255, 1)])
def test_a_signed_circuit_takes_values_beyond_eight_bits_modulo_256(value, wrapped):
    others = np.arange(-128, 128, dtype=np.int16)
    table = pe_table(SIGNED)
    np.testing.assert_array_equal(pe_products(table, np.int16(value), others),
                                  pe_products(table, np.int16(wrapped), others))
    np.testing.assert_array_equal(pe_products(table, others, np.int16(value)),
                                  pe_products(table, others, np.int16(wrapped)))


def test_tables_of_either_kind_know_whether_they_are_exact():
    exact = get("mul8s_exact")
    assert is_exact(exact_table())
    assert is_exact(pe_table(exact))
    assert not is_exact(LOPSIDED)
    assert not is_exact(pe_table(SIGNED))
    assert not is_exact(exact.table)  # the same products, read as those of magnitudes
    assert not is_exact(SignedTable(exact_table()))
    assert not is_exact(pe_table(get("mul8u_exact+loa8")))


def test_keys_and_patterns_tell_tables_apart():
    adder = ApproximateAdder.named("loa8")
    tables = [LOPSIDED, SignedTable(LOPSIDED), pe_table(SIGNED), SIGNED.table,
              ApproximateSums(LOPSIDED, adder, 16), ApproximateSums(LOPSIDED, adder, 8),
              ApproximateSums(LOPSIDED, ApproximateAdder.named("loa9"), 8)]
    assert len({table_key(table) for table in tables}) == len(tables)
    assert table_key(SignedTable(LOPSIDED.copy())) == table_key(tables[1])
    for table in tables[:2]:
        np.testing.assert_array_equal(patterns(table), LOPSIDED)


@pytest.mark.parametrize(("zero_point", "signed", "byte", "value"), [
    (0, False, 255, 255), (128, False, 0, -128), (0, True, 255, -1), (-128, True, 127, 255),
    (-128, True, 128, 0)])
def test_bytes_stand_for_their_values(zero_point, signed, byte, value):
    assert code_values(zero_point, signed=signed)[byte] == value


def test_table_files_are_indexed_by_activation_first(tmp_path):
    np.save(tmp_path / "t.npy", LOPSIDED)
    LOPSIDED.astype("<u2").tofile(tmp_path / "t.bin")
    for name in ("t.npy", "t.bin"):
        np.testing.assert_array_equal(load_table(tmp_path / name), LOPSIDED)
    assert (LOPSIDED != LOPSIDED.T).any()


@pytest.mark.parametrize(("name", "content", "message"), [
    ("t.bin", b"\0" * 100, r"t\.bin: product table must have 131072 bytes, not 100$"),
    ("t.txt", b"", r"t\.txt: product table must end in \.npy or \.bin, not '\.txt'$"),
    ("t.npy", b"junk", r"t\.npy: not a NumPy array file"),
    ("t.npy", np.zeros((16, 16), np.int32), r"t\.npy: product table must have shape \(256, 256\)"),
    ("t.npy", np.zeros((256, 256)), r"t\.npy: product table must hold integers, not float64$"),
    ("t.npy", exact_table() - 1, r"t\.npy: products must be 0 to 131071, not -1 to 65024 \(python "
     r"-m hw\.multipliers import reads signed tables\)$"),
])
def test_files_that_are_no_table_are_refused_by_name(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(InputError, match=message):
        load_table(path)


def test_another_convention_is_warned_about_in_one_line(tmp_path, capsys):
    path = tmp_path / "big.bin"
    path.write_bytes(exact_table().astype(">u2").tobytes())
    assert load_table(path).shape == (256, 256)
    assert capsys.readouterr().err.startswith(f"warning: {path}: mean error is ")
    path.write_bytes(exact_table().astype("<u2").tobytes())
    load_table(path)
    assert capsys.readouterr().err == ""


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "t.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"t\.npy: not a NumPy array file"):
        load_table(tmp_path / "t.npy")


def test_the_table_of_an_unsigned_multiplier_is_its_own():
    np.testing.assert_array_equal(magnitude_table(get("mul8u_optrunc_a4w2")), LOPSIDED)


@pytest.mark.parametrize(("multiplier", "message"), [
    (get("mul8s_exact"), r"^Multiplier 'mul8s_exact' must be unsigned: its table must be of magn"),
    (Multiplier(name="small", family="exact", source=exact(width=4)),
     r"^Multiplier 'small' must be 8x8, not 4x4$"),
], ids=["signed", "small"])
def test_a_multiplier_that_no_pe_takes_has_no_table_of_magnitudes(multiplier, message):
    with pytest.raises(InputError, match=message):
        magnitude_table(multiplier)
