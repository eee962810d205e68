"""A float model on images, whatever batch its file fixes."""

import numpy as np
import pytest

from sim.network.onnx.float_run import BATCH, batches, float_logits
from sim.network.onnx.graph import set_input_shape
from tests.sim import runtime
from tests.sim.nets import NetBuilder


@pytest.mark.parametrize(("fixed", "count"), [(None, 70), (4, 10), (1, 3), (16, 3)])
def test_logits_do_not_depend_on_batches(fixed, count):
    net = NetBuilder((3, 6, 6))
    net.conv(3, 4, 3, name="conv")
    model = net.model()
    images = np.random.default_rng(0).standard_normal((count, 3, 6, 6)).astype(np.float32)
    wanted = runtime.logits(model, images)
    set_input_shape(model, (fixed, 3, 6, 6))
    sizes = [len(batch) for batch in batches(model, images)]
    assert set(sizes) <= {fixed} if fixed else sizes == [BATCH, BATCH, 6]
    np.testing.assert_allclose(float_logits(model, images), wanted.reshape(count, -1), rtol=1e-5,
                               atol=1e-5)
