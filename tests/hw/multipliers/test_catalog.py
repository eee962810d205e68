"""Every catalogue entry against its paper's formula, over all 65,536 operand pairs."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import EXACT, catalogue, get
from hw.multipliers.__main__ import catalogue_cells, markdown
from hw.multipliers.base import operand_values
from hw.multipliers.catalog import ENTRIES, FAMILIES, SIGNED_ENTRIES, SIGNED_EXACT
from hw.multipliers.metrics import error_metrics
from tests.hw.multipliers import formulas
from tests.hw.multipliers.test_faults import inverted

OPERANDS = np.arange(256, dtype=np.int64)
ACT, WEIGHT = OPERANDS[:, None], OPERANDS[None, :]
SIGNED = operand_values(signed=True)
# 0 times something is not 0: a constant is added, the low part is guessed, four zeros are a one, or
# low bits do not know a digit of 0.
NOT_ZERO = re.compile("mul8u_(trunccc|etm|ac42_momeni)_|mul8s_(booth_abe.|bbm)_")
PAGE = Path(__file__).parents[3] / "docs" / "multipliers.md"


def formula(name):
    entry = ENTRIES[name]
    return formulas.of(entry.family)(ACT, WEIGHT, **entry.parameters)


def check_zero(name):
    keeps = error_metrics(get(name).table, signed=get(name).signed).keeps_zero
    assert keeps == (NOT_ZERO.match(name) is None), (
        f"{name} {'keeps' if keeps else 'does not keep'} zero, unlike what NOT_ZERO and "
        "docs/multipliers.md say")


@pytest.mark.parametrize("name", ENTRIES)
def test_table_is_the_papers_formula(name):
    np.testing.assert_array_equal(get(name).table, formula(name))


@pytest.mark.parametrize("name", ENTRIES)
def test_product_is_unsigned_16_bit_and_keeps_zero_where_said(name):
    multiplier = get(name)
    assert not multiplier.netlist.signed
    assert multiplier.table.min() >= 0
    assert multiplier.table.max() <= 2**16 - 1
    check_zero(name)


@pytest.mark.parametrize("name", ENTRIES)
def test_no_entry_is_degenerate(name):
    """A product must depend on both operands."""
    table = get(name).table
    assert (table != table[0]).any()
    assert (table != table[:, :1]).any()


@pytest.mark.parametrize("name", SIGNED_ENTRIES)
def test_signed_table_is_the_papers_formula(name):
    entry, multiplier = SIGNED_ENTRIES[name], get(name)
    assert multiplier.signed
    expected = formulas.of(entry.family)(SIGNED[:, None], SIGNED[None, :], **entry.parameters)
    np.testing.assert_array_equal(multiplier.table, expected)
    assert multiplier.is_exact == (name == SIGNED_EXACT)
    assert np.ptp(multiplier.table) > 2**14
    check_zero(name)
    assert (error_metrics(multiplier.table, signed=True).commutative
            == (expected == expected.T).all())


@pytest.mark.parametrize("name", SIGNED_ENTRIES)
def test_a_changed_signed_circuit_shows(name):
    """Operands swapped, where the circuit is lopsided, and eight single inverted gates."""
    netlist = get(name).netlist
    table = netlist.table()
    if not (table == table.T).all():
        np.testing.assert_array_equal(netlist.swapped().table(), table.T)
    generator = np.random.default_rng([20220314, crc32(name.encode())])
    for index in generator.choice(len(netlist.gates), 8, replace=False):
        faulty = netlist.with_gate(int(index), inverted(netlist.gates[index]))
        assert (faulty.table() != table).any(), f"gate {index}"


def test_no_two_signed_entries_are_the_same_circuit():
    tables = Counter(get(name).table.tobytes() for name in SIGNED_ENTRIES)
    assert max(tables.values()) == 1
    assert all(name.startswith("mul8s_") for name in SIGNED_ENTRIES)


@pytest.mark.parametrize("name", [name for name in ENTRIES
                                  if not error_metrics(get(name).table).commutative])
def test_swapping_the_operands_of_a_lopsided_circuit_shows(name):
    assert (get(name).table != formula(name).T).any()
    np.testing.assert_array_equal(get(name).netlist.swapped().table(), formula(name).T)


def test_catalogue_is_large_and_varied():
    assert len(ENTRIES) >= 100
    assert len({entry.family for entry in ENTRIES.values()}) >= 17
    inexact = sorted(error_metrics(get(name).table).mae_percent for name in ENTRIES
                     if name != EXACT)
    assert inexact[0] < 0.00015
    assert inexact[-1] > 4
    # Mean errors cover the range without a hole: each is at most twice the one before.
    assert max(np.divide(inexact[1:], inexact[:-1])) <= 2
    assert sum(not error_metrics(get(name).table).commutative for name in ENTRIES) >= 10


def test_no_two_entries_are_the_same_circuit():
    tables = Counter(multiplier.table.tobytes() for multiplier in catalogue().values())
    assert max(tables.values()) == 1
    assert len({multiplier.digest for multiplier in catalogue().values()}) == len(catalogue())


def test_only_the_exact_entry_is_exact():
    assert [name for name, m in catalogue().items() if m.is_exact] == [EXACT, SIGNED_EXACT]


def test_names_of_entries_say_what_they_are_and_are_taken_once():
    named = Counter(name for family in FAMILIES for name in family.ENTRIES)
    assert [name for name, count in named.items() if count > 1] == [], "two entries of one name"
    wrong = named.keys() - ENTRIES.keys() - SIGNED_ENTRIES.keys()
    assert not wrong, f"names of entries must start with mul8u_ or mul8s_, not {sorted(wrong)}"


def test_every_entry_has_its_source():
    """A year, or the plain baseline that nobody claims."""
    without = [name for name, multiplier in catalogue().items()
               if not re.search(r"\b(19|20)\d\d\b|baseline", multiplier.citation)]
    assert without == [], "without a citation: the paper with its year, in ENTRIES of the family"


@pytest.mark.parametrize("family", sorted({entry.family for entry in (
    *ENTRIES.values(), *SIGNED_ENTRIES.values())}))
def test_every_family_is_documented_with_a_figure(family):
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE.read_text(),
                               re.MULTILINE | re.DOTALL))
    assert "```" in sections.get(family, ""), (
        f"docs/multipliers.md has no section `{family}` with a diagram of its dots")


def test_documented_catalogue_is_the_catalogue():
    rows, page = markdown(catalogue_cells("mae_percent")).splitlines(), PAGE.read_text()
    missing = [row for row in rows if row not in page]
    assert missing == [], (
        "docs/multipliers.md lacks rows: replace its catalogue by the output of "
        "python -m hw.multipliers list --markdown")
    assert "\n".join(rows) in page


def test_importing_the_catalogue_builds_nothing_and_loads_no_plotting():
    script = ("import sys, hw.multipliers\n"
              "assert hw.multipliers.get.cache_info().currsize == 0\n"
              "print([m for m in ('matplotlib', 'rich', 'amaranth', 'torch') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          check=True)
    assert done.stdout == "[]\n"


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match=r"^Unknown multiplier 'mul8u_exat'; did you mean"):
        get("mul8u_exat")


def test_tables_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        get(EXACT).table[1, 1] = 5
