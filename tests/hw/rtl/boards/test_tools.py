"""Tools that are missing or fail."""

from __future__ import annotations

import textwrap

import pytest

from hw.common.errors import ToolError
from hw.rtl.boards.tools import Tool, ToolRunError


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A tool that prints its arguments and ends with the number that the last one is."""
    (tmp_path / "fake_tool.py").write_text(textwrap.dedent("""
        import os, sys
        def run_fake_pnr(arguments):
            print(*arguments, flush=True)
            print("ERROR: no room", file=sys.stderr)
            print("0 warnings, 1 error", file=sys.stderr)
            if arguments[-1] == "-9":
                os.kill(os.getpid(), 9)
            return int(arguments[-1])
    """))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Tool(module="fake_tool", function="run_fake_pnr")


def test_output_is_returned(tool, tmp_path):
    assert tool.name == "fake-pnr"
    assert "one two 0\n" in tool.run(["one", "two", "0"], folder=tmp_path)


def test_failure_names_the_tool_and_its_error(tool, tmp_path):
    with pytest.raises(ToolRunError, match=r"^fake-pnr failed: ERROR: no room$") as caught:
        tool.run(["1"], folder=tmp_path)
    assert caught.value.output.startswith("1\n")


def test_tool_that_was_killed_says_so(tool, tmp_path):
    with pytest.raises(ToolRunError, match=r"^fake-pnr failed: ended by signal 9$"):
        tool.run(["-9"], folder=tmp_path)


@pytest.mark.parametrize("what", ["require", "version"])
def test_missing_tool_names_the_line_that_installs_it(what):
    tool = Tool(module="yowasp_nextpnr_missing", function="run_nextpnr_missing")
    with pytest.raises(ToolError, match=r"^nextpnr-missing is missing; run: pip install -e "
                                        r"'\.\[boards\]'$"):
        getattr(tool, what)() if what == "require" else tool.version
