"""Tables of a cell, read at one point and at many."""

import numpy as np
import pytest

from hw.ppa.library.table import Table

SEED = 2
TABLES = {
    "both": Table((1.0, 2.0, 5.0), (0.5, 3.0), ((1.0, 2.5), (0.3, -4.0), (7.0, 7.1))),
    "by load": Table((1.0,), (0.5, 3.0, 3.5), ((1.0, 2.5, 2.0),)),
    "by slew": Table((1.0, 2.0), (0.5,), ((1.0,), (9.0,))),
    "constant": Table.constant(3.0),
}


@pytest.mark.parametrize("name", TABLES)
def test_many_points_have_the_bits_of_each(name):
    table, random = TABLES[name], np.random.default_rng(SEED)
    points = random.uniform(-2, 8, (2, 200))
    points[:, :5] = (1.0, 2.0, 5.0, 0.5, 3.0)  # on the axes, too
    assert table.each(*points).tolist() == [table.at(x, y) for x, y in points.T]


def test_between_points_and_beyond_them_it_is_linear():
    assert TABLES["both"].each(np.array([1.5, 0.0, 5.0]), np.array([0.5, 0.5, 5.5])).tolist() == [
        pytest.approx(0.65), pytest.approx(1.7), pytest.approx(7.2)]
