"""Technology files: damage is refused by name."""

from dataclasses import replace

from hw.ppa.library.technology import Technology, load_technology
from tests.mutations import check_reader


def test_a_damaged_file_is_refused_by_name_or_whole(tmp_path):
    whole = load_technology()
    adder = whole.full_adder
    kept = {whole.clock_buffer, adder.sum, adder.carry}
    few = replace(whole, cells={name: cell for name, cell in whole.cells.items() if name in kept})

    def read(path):
        found = Technology.load(path)
        assert len(found.digest) == 64
        assert found.has_energy in (True, False)

    check_reader(read, few.to_dict(), tmp_path / "t.json", most=150)
