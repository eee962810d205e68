"""Liberty text to a tree of groups."""

import gzip
import re

import pytest

from hw.common.errors import InputError
from hw.ppa.library.liberty import parse_liberty, read_liberty
from tests.hw.ppa.tiny import LIBRARY


def test_groups_attributes_and_lists_are_read():
    library = parse_liberty(LIBRARY)
    assert (library.kind, library.name, library.line) == ("library", "tiny", 3)
    assert library.attributes["time_unit"] == "1ps"
    assert library.lists["capacitive_load_unit"] == ("1", "ff")
    assert [cell.name for cell in library.children("cell")][:2] == ["INV", "INV_BIG"]
    nand = library.children("cell")[2]
    output = nand.children("pin")[2]
    assert output.attributes == {"direction": "output", "function": "!(A * B)"}
    assert output.children("timing")[0].children("cell_rise")[0].lists["index_2"] == ("0, 10",)


def test_missing_semicolon_ends_at_the_line():
    library = parse_liberty(LIBRARY)
    assert library.attributes["nom_temperature"] == "25"


def test_line_continuation_inside_a_string_is_joined():
    template = parse_liberty(LIBRARY).children("lu_table_template")[0]
    assert template.lists["index_2"] == ("0, 10",)


def test_file_may_be_gzipped(tmp_path):
    (tmp_path / "a.lib").write_text(LIBRARY)
    (tmp_path / "b.lib.gz").write_bytes(gzip.compress(LIBRARY.encode()))
    assert read_liberty(tmp_path / "a.lib") == read_liberty(tmp_path / "b.lib.gz")


@pytest.mark.parametrize(("text", "line", "problem"), [
    ("library (a) {\n  cell (b) {\n", 3, "'cell' of line 2 is not closed"),
    ("library (a) {\n  x : ;\n}", 2, "a value must come here, not ';'"),
    ("library (a) {\n  cell (b {}\n}", 2, "')' must come here, not '{'"),
    ("library (a) {\n\n  cell b;\n}", 3, "'(' must come here, not 'b'"),
    ("libary (a) {}", 1, "the file must begin with 'library', not 'libary'"),
    ("library (a) {}\n}", 2, "'end' must come here, not '}'"),
    ('library (a) {\n  x : "open;\n}', 2, "unexpected '\"'"),
    ("", 1, "a name must come here, not 'the end of the file'"),
    ("library (a) {" + "b () {" * 40, 1, "groups must nest at most 32 deep"),
])
def test_broken_text_names_file_and_line(tmp_path, text, line, problem):
    path = tmp_path / "broken.lib"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(f"{path}:{line}: not valid Liberty, {problem}")):
        read_liberty(path)


def test_truncated_gzip_names_the_file(tmp_path):
    path = tmp_path / "cut.lib.gz"
    path.write_bytes(gzip.compress(LIBRARY.encode())[:-20])
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: not a complete gzip file"):
        read_liberty(path)


@pytest.mark.parametrize("cut", range(0, len(LIBRARY) - 2, 997))
def test_no_truncation_escapes_as_anything_but_input_error(cut):
    with pytest.raises(InputError, match="not valid Liberty"):
        parse_liberty(LIBRARY[:cut])
