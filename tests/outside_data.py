"""Data that the project does not ship: networks, images, cell libraries, published multipliers.

`AUTOAPPROX_DATA` names its folder; without it, `shared/data` beside the checkout is read. Tests
that use it skip where it is absent, and every run of the tests says which folder is read.
"""

import csv
import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("AUTOAPPROX_DATA", Path(__file__).parents[2] / "shared" / "data"))
MULTIPLIERS = DATA / "multipliers" / "evoapprox_mul8u"  # tables; the figures are in a CSV file


def notice():
    state = "read from" if DATA.is_dir() else "absent, its tests skip: no"
    return f"data outside the checkout (AUTOAPPROX_DATA): {state} {DATA}"


def outside(*parts):
    """Path of a file or folder of that data; skip the test where there is none."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not in {DATA} (set AUTOAPPROX_DATA)")
    return path


def published_multipliers(*, highest_rank=256):
    """Rows of the published figures as parameters: circuits of at most that error rank."""
    path = MULTIPLIERS.with_suffix(".csv")
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(
            reason=f"the published multipliers are not in {DATA} (set AUTOAPPROX_DATA)"))]
    with path.open() as stream:
        return [pytest.param(row, id=row["name"]) for row in csv.DictReader(stream)
                if int(row["error_rank"]) <= highest_rank]
