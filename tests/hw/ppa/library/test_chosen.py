"""`--liberty`: libraries of one's own, derived once."""

import shutil
import time

import pytest

from hw.common.errors import InputError
from hw.ppa.library import chosen as own_libraries
from hw.ppa.library.chosen import technology_of
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.synthesis import AREA, map_circuit
from hw.ppa.mapping.timing import analyse
from tests.hw.ppa.tiny import LIBRARY

ADDER = """module adder(input clk, input [7:0] a, b, output reg [7:0] y);
  always @(posedge clk) y <= y + (a & b);
endmodule"""
PUBLISHED = {  # files, whether there are energies
    "asap7": ("asap7/*.lib.gz", True),
    "gt2n": ("gt2n/gt2_6t_w13_svt_*.lib.gz", False),
    "nangate45": ("nangate45/*.lib.gz", True),
    "sky130hd": ("sky130hd/*.lib.gz", True),
}


@pytest.mark.usefixtures("empty_cache")
def test_library_is_derived_once_by_its_contents(tmp_path, monkeypatch):
    path = tmp_path / "tiny.lib"
    path.write_text(LIBRARY)
    first = technology_of(None, [path], quiet=True)
    monkeypatch.setattr(own_libraries, "characterise", None)  # not needed again
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "tiny.lib").write_text(LIBRARY)
    assert technology_of(None, [tmp_path / "elsewhere" / "tiny.lib"]) == first
    assert first.name == "tiny"
    path.write_text(LIBRARY.replace("area : 2;", "area : 3;"))
    with pytest.raises(TypeError):
        technology_of(None, [path], quiet=True)


def test_default_is_the_shipped_technology():
    assert technology_of(None, None) is load_technology()


def test_two_sources_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"^--technology must not be combined with --liberty$"):
        technology_of(tmp_path / "a.json.gz", [tmp_path / "b.lib"])


@pytest.mark.parametrize("megabytes", [10, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize(("start", "again"), [
    (b"", b"lorem ipsum "),
    (b"library (x) {\n", b"a : b;\n"),
    (b"library (x) {", b"a () {}"),
    (b"library (x) {", b"{"),
    (b"library (x) {", b'"'),
    (b"library (x) {", b"/*a "),
    (b"", b"/*"),
    (b'library (x) { "', b"\\"),
    (b"", b"\0"),
], ids=["prose", "attributes", "groups", "braces", "quotes", "comments", "stars", "backslashes",
        "zeros"])
def test_nonsense_is_refused_within_five_seconds(tmp_path, start, again, megabytes):
    """Of CPU time. Limits on words and groups bound what is looked at, so 10 MB take as long."""
    path = tmp_path / "nonsense.lib"
    path.write_bytes(start + again * (megabytes * 1_000_000 // len(again)))
    begun = time.thread_time()
    with pytest.raises(InputError, match=rf"^{path}:\d+: not valid Liberty, "):
        technology_of(None, [path], quiet=True)
    assert time.thread_time() - begun < 5


@pytest.mark.long
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_library_maps_a_circuit(liberty, tmp_path, name):
    pattern, energies = PUBLISHED[name]
    technology = technology_of(None, sorted(liberty.glob(pattern)), quiet=True)
    assert technology.has_energy is energies
    plain = map_circuit(ADDER, "adder", technology)
    assert len(plain.flops) == 8
    assert plain.area_um2(technology) > 0
    assert analyse(plain, technology).delay_ps > 0
    if name == "gt2n":
        assert technology.flop.tied == (("RESETN", 1), ("SETN", 1))
        assert technology.full_adder is None
    else:
        adders = map_circuit(ADDER, "adder", technology, AREA.with_full_adders())
        assert adders.cell_counts(technology)[technology.full_adder.name] >= 6


@pytest.mark.long
def test_truncated_library_is_refused(liberty, tmp_path):
    source = next(liberty.glob("nangate45/*.lib.gz"))
    path = tmp_path / "cut.lib.gz"
    shutil.copy(source, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(InputError, match=rf"^{path}: not a complete gzip file"):
        technology_of(None, [path], quiet=True)
