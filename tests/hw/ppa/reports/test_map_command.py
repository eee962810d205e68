"""`python -m hw.ppa map`."""

import json
import subprocess
import sys

import pytest

from hw.ppa.library.liberty import read_liberty
from tests.hw.ppa.mapping.test_mapped_module import VERILOG


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("map")
    (path / "whole.v").write_text(VERILOG)
    return path


def run(folder, *arguments):
    return subprocess.run([sys.executable, "-m", "hw.ppa", "map", *map(str, arguments),
                           "--cache", str(folder / "cache")],
                          capture_output=True, text=True, check=False)


def test_figures_are_printed_and_kept(folder):
    output = folder / "mapped.v"
    first = run(folder, folder / "whole.v", "--top", "whole", "-o", output)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("whole: asap7, process 1, 0.7 V, 25 C; recipe area, mapped by "
                                   "sandboxed Yosys 0.")
    assert "mapping whole with sandboxed Yosys" in first.stderr
    assert output.read_text().startswith("module whole (clk, ")
    cells = {cell.name for cell in read_liberty(output.with_suffix(".lib")).children("cell")}
    assert {"DFFHQNx1_ASAP7_75t_R", "ICGx1_ASAP7_75t_R", "FAx1_ASAP7_75t_R"} < cells

    again = run(folder, folder / "whole.v", "--top", "whole", "--json")
    assert again.stderr == ""  # nothing is mapped, nothing is said
    figures = json.loads(again.stdout)
    assert figures["registers"] == 8
    assert f"{figures['area_um2']:.2f} um2" in first.stdout


@pytest.mark.parametrize(("arguments", "status", "message"), [
    (("absent.v", "--top", "m"), 2, "error: absent.v: No such file or directory"),
    (("whole.v", "--top", "1m"), 2, "error: --top must be the name of a module, not '1m'"),
    (("whole.v", "--top", "whole", "-o", "mapped"), 2, "error: --output must end in .v, not "
                                                      "'mapped'"),
    (("whole.v", "--top", "whole", "--yosys", "/no/yosys"), 3,
     "error: /no/yosys: no such program; --yosys must be sandboxed, native, or the path of a "
     "Yosys"),
    (("whole.v", "--top", "absent"), 2, "error: Yosys cannot map module 'absent': ERROR: Module "
                                        "`absent' not found!"),
])
def test_what_is_wrong_is_one_line(folder, arguments, status, message):
    file, *others = arguments
    process = run(folder, folder / file if file == "whole.v" else file, *others)
    assert (process.returncode, process.stderr.splitlines()[-1]) == (status, message)
    assert process.stdout == ""
