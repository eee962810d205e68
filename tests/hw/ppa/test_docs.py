"""`docs/ppa.md` quotes what the report prints."""

from pathlib import Path

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.reports.pe_report import figures, table

PAGE = Path(__file__).parents[3] / "docs" / "ppa.md"
COMMAND = "python -m hw.ppa report "


def test_quoted_report_is_the_present_one():
    lines = iter(PAGE.read_text().splitlines())
    names = next(line for line in lines if line.startswith(COMMAND)).split()[4:]
    rows = figures([load_pe(get(name)) for name in names], quiet=True)
    expected = table(rows).splitlines()
    assert [next(lines) for _ in expected] == expected
