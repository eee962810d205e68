"""CPUs that loops are compiled for, chosen by the environment."""

import pytest

from tests.sim.kernels.cases import CPUS, cpu_named


def test_narrower_cpus_have_narrower_tiles():
    lanes = [cpu_named(name).lanes for name in CPUS]
    assert lanes == sorted(lanes, reverse=True)
    assert lanes[1:] == [16, 8]


@pytest.mark.parametrize(("name", "message"), [
    ("sse9", r"^AUTOAPPROX_CPU must be native, avx2 or portable, not 'sse9'$")])
def test_unknown_cpus_are_refused(name, message):
    with pytest.raises(Exception, match=message):
        cpu_named(name)
