"""A network as a design runs it: tables of its arrays, constants of the design."""

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from models.data import load_digits_split
from sim.compensation.calibration import Calibration
from sim.compensation.designed import designed
from sim.data import DIGITS_MODEL
from sim.network.quant_network import QuantNetwork
from sim.tables import pe_table

NAME, LAYER = "mul8u_trunc_c9", "block1a"


def design(mapping, constants):
    return Design(name="d", bank=BankConfig(rows=4, cols=4, arrays=(NAME,)),
                  multipliers={NAME: get(NAME)}, mapping=mapping, constants=constants)


def test_a_design_runs_as_its_compensation_does():
    images = load_digits_split("calibrate").images
    network = QuantNetwork.load(DIGITS_MODEL, images)
    tables = {LAYER: pe_table(get(NAME))}
    found = Calibration(network, images[:40]).fit(tables, "affine")
    [fit] = found.layers.values()
    view, own = designed(network, design({LAYER: 0}, {LAYER: fit.correction.to_dict()}))
    assert list(own) == [LAYER]
    assert (own[LAYER] == tables[LAYER]).all()
    expected = network.with_layers({LAYER: fit.correction.apply(
        next(layer for layer in network.layers if layer.name == LAYER))})
    np.testing.assert_array_equal(view.run(images, own), expected.run(images, tables))
    bare, _ = designed(network, design({LAYER: 0}, {}))
    assert (view.run(images, own) != bare.run(images, own)).any()


def test_a_design_of_other_layers_is_refused():
    network = QuantNetwork.load(DIGITS_MODEL, load_digits_split("calibrate").images)
    with pytest.raises(InputError, match=r"^Unknown layer 'block9'"):
        designed(network, design({"block9": 0}, {}))
