"""Every network keeps its own accuracy: what one has too much of helps no other."""

import pytest

from search.certify.accuracy import shortfall


@pytest.mark.parametrize(("right", "needed", "missing"), [
    ([5], [5], 0), ([7], [5], -2), ([3], [5], 2),
    ([5, 2], [5, 2], 0), ([9, 4], [5, 2], -2), ([9, 2], [5, 2], 0),
    ([4, 90], [5, 2], 1), ([3, 1], [5, 2], 3), ([4, 9, 1], [5, 2, 2], 2)])
def test_what_is_missing_adds_up_and_is_never_made_up_for(right, needed, missing):
    assert shortfall(right, needed) == missing


def test_counts_of_other_networks_are_a_defect():
    with pytest.raises(ValueError, match="zip"):
        shortfall([1], [1, 2])
