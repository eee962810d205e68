"""Options that say which multiplier runs which layer."""

import argparse
import json
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from sim.accuracy.mapping_options import add_multiplier_options, check_choice, chosen_tables
from sim.tables import pe_table

NETWORK = SimpleNamespace(layers=[SimpleNamespace(name="first"), SimpleNamespace(name="last")],
                          check_tables=lambda tables: None)
DRUM = pe_table(get("mul8u_drum_k4"))


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    add_multiplier_options(parser)
    return parser.parse_args([str(argument) for argument in arguments])


def test_without_options_every_layer_is_exact():
    assert chosen_tables(parsed(), NETWORK) == {}


def test_layers_named_exact_have_no_table():
    found = chosen_tables(parsed("--multiplier", "mul8u_drum_k4", "--exact", "first"), NETWORK)
    assert list(found) == ["last"]
    np.testing.assert_array_equal(found["last"], DRUM)


def test_a_mapping_chooses_by_layer(tmp_path):
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"last": "mul8u_drum_k4"}))
    found = chosen_tables(parsed("--mapping", path), NETWORK)
    assert list(found) == ["last"]
    np.testing.assert_array_equal(found["last"], DRUM)


def test_sums_of_approximate_adders_are_those_of_as_many_rows(tmp_path):
    path, name = tmp_path / "mapping.json", "mul8u_exact+loa8"
    path.write_text(json.dumps({"last": name}))
    for options in (("--mapping", path), ("--multiplier", name)):
        assert chosen_tables(parsed(*options), NETWORK)["last"].rows == 16
        assert chosen_tables(parsed(*options, "--rows", 8), NETWORK)["last"].rows == 8
    with pytest.raises(InputError, match=r"^Bank rows must be an integer from 1 to 256, not 0$"):
        check_choice(parsed("--rows", 0))


def test_unknown_names_are_refused_before_a_network_is_read(tmp_path):
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"last": "mul8u_drum_k44"}))
    with pytest.raises(InputError, match=r"mapping\.json: Unknown multiplier 'mul8u_drum_k44'"):
        check_choice(parsed("--mapping", path))
    with pytest.raises(InputError, match="Unknown multiplier"):
        check_choice(parsed("--multiplier", "mul8u_drum_k44"))
    with pytest.raises(InputError, match="Unknown layer 'middle'"):
        chosen_tables(parsed("--exact", "middle"), NETWORK)
