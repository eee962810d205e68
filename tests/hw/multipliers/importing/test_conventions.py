"""Tables in another convention are noticed, and the convention is named."""

import numpy as np
import pytest

from hw.multipliers import catalogue, get
from hw.multipliers.base import exact_products
from hw.multipliers.importing import import_file
from hw.multipliers.importing.conventions import suspicion

UNSIGNED = get("mul8u_bam_h2v6").table
SIGNED = get("mul8s_trunc_c8").table
SORTED = np.roll(SIGNED, (128, 128), (0, 1))
FROM_ONE = np.multiply.outer(np.arange(1, 257), np.arange(1, 257)) & 0xFFFF


@pytest.mark.parametrize("name", catalogue())
def test_no_catalogue_entry_is_suspected(name):
    multiplier = get(name)
    assert suspicion(multiplier.table, signed=multiplier.signed) is None


@pytest.mark.parametrize(("table", "signed", "cause"), [
    (SORTED, True, "the axes run from -128 to 127, not in the order of codes (np.roll"),
    (SORTED & 0xFFFF, False, "the axes run from -128 to 127, not in the order of codes (np.roll"),
    (UNSIGNED.astype("<u2").byteswap(), False, "words are big-endian (table.byteswap()"),
    (SIGNED.astype("<i2").byteswap(), True, "words are big-endian and operands are signed"),
    (SORTED.astype("<i2").byteswap(), True, "words are big-endian and the axes run from -128"),
    (SIGNED & 0xFFFF, False, "operands are signed, two's complement (it must be read as signed)"),
    (UNSIGNED.astype("<u2").view("<i2"), True, "operands are unsigned (it must be read as"),
    (UNSIGNED >> 4, False, "products are shifted right by 4 (table << 4 restores them)"),
    (exact_products() << 1, False, "products are shifted left by 1"),
    (FROM_ONE, False, "the axes run from 1 to 256 (they must run from 0 to 255)"),
    (np.multiply.outer(np.arange(1, 257), np.arange(256)), False, "rows run from 1 to 256"),
    (UNSIGNED[::-1, ::-1], False, "the axes run from 255 down to 0"),
    (np.random.default_rng(0).integers(0, 65536, (256, 256)), False, "as of a constant: axes must"),
])
def test_other_convention_is_named(table, signed, cause):
    found = suspicion(table, signed=signed)
    assert found is not None
    assert cause in found
    assert "\n" not in found


def test_a_file_is_imported_as_it_stands_with_a_warning(tmp_path):
    path = tmp_path / "sorted.bin"
    path.write_bytes(SORTED.astype("<i2").tobytes())
    found = import_file(path, name="x", signed=True)
    np.testing.assert_array_equal(found.multiplier.table, SORTED)
    assert "the axes run from -128 to 127" in found.warning
    path.write_bytes(SIGNED.astype("<i2").tobytes())
    assert import_file(path, name="x").warning is None
