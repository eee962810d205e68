import re
import tomllib
from pathlib import Path

import pytest

from hw.common.errors import InputError
from hw.common.wording import CommandParser
from search.options.config import MOST_BYTES, config_text, read_config


@pytest.fixture
def parser():
    parser = CommandParser()
    parser.add_argument("config", nargs="?")
    parser.add_argument("--network", type=Path)
    parser.add_argument("--area-limit", type=float, default=4.0)
    parser.add_argument("--budget", type=int)
    parser.add_argument("--multipliers")
    parser.add_argument("--option", action="append", default=[], dest="options")
    parser.add_argument("--keep-exact", action="store_true")
    return parser


CONFIG = """
network = "a \\"b\\" é.onnx"
area-limit = 2
multipliers = ["default", "mine.json"]
option = ["a=1", "b=2"]
keep-exact = true
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "my.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return write


def test_keys_are_options(parser, written):
    found = parser.parse_args(read_config(written(CONFIG), parser))
    assert vars(found) == {
        "config": None, "network": Path('a "b" é.onnx'), "area_limit": 2.0, "budget": None,
        "multipliers": "default,mine.json", "options": ["a=1", "b=2"], "keep_exact": True}


def test_the_command_line_overrides(parser, written):
    found = parser.parse_args([*read_config(written(CONFIG), parser), "--area-limit", "3"])
    assert found.area_limit == 3


def test_what_is_written_is_read_back(parser, written):
    found = parser.parse_args(read_config(written(CONFIG), parser))
    text = config_text(parser, found, ())
    assert tomllib.loads(text)["area-limit"] == 2.0
    assert parser.parse_args(read_config(written(text), parser)) == found
    assert "area-limit" not in config_text(parser, found, ("area_limit",))


@pytest.mark.parametrize(("text", "said"), [
    ("area-limt = 2", "Unknown key 'area-limt'; did you mean 'area-limit'?"),
    ("config = 'other.toml'", "Unknown key 'config'"),
    ("budget = 2.5", "Key 'budget' must be a whole number, not 2.5"),
    ("area-limit = 'wide'", "Key 'area-limit' must be a number, not 'wide'"),
    ("keep-exact = 1", "Key 'keep-exact' must be true or false, not 1"),
    ("budget = true", "Key 'budget' must be a text, a number or a list of them, not True"),
    ("[network]\na = 1", "Key 'network' must be a text, a number or a list of them"),
    ("network = ", "must be TOML"), (b"\xff", "must be TOML"), ("a=" + "[" * 5000, "must be TOML"),
    ("#" * (MOST_BYTES + 1), "must have at most 1048576 bytes")])
def test_a_file_that_is_none_is_refused(parser, written, text, said):
    with pytest.raises(InputError, match=re.escape(said)):
        read_config(written(text), parser)
