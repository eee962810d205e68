"""Every command of the tutorial runs, in its order, and prints what the page shows.

Figures move with the CPU that trains the network: a line is known by the words that it begins with.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw.multipliers.importing import import_file
from search.autoapprox import COMMANDS
from tests.outside_data import outside

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FILES = {"python": "model.py", "json": "net.json", "verilog": "mine.v"}
NUMBER = re.compile(r"[-+±]?\d[\d.,]*")


def steps():
    """Yield (command, lines that the page shows of it)."""
    for index, (language, content) in enumerate(BLOCKS):
        if language == "sh":
            commands = [line.partition("#")[0].strip() for line in content.splitlines()]
            yield from ((command, []) for command in commands[:-1])
            after, shown = (*BLOCKS[index + 1:], ("", ""))[0]
            yield commands[-1], shown.splitlines() if after == "text" else []


def beginning(line):
    """Return the first two words of a line that are no figures."""
    return [word for word in line.split() if not NUMBER.match(word)][:2]


def test_the_page_shows_what_the_time_of_every_command_was():
    lines = [line for language, content in BLOCKS if language == "sh"
             for line in content.splitlines()]
    assert len(lines) > 12
    for line in lines:
        assert re.search(r" {5}# (\d+ s|\d+ min)$", line), line
    for command, _shown in steps():
        program, *words = command.split()
        assert program == "python" or (program == "autoapprox" and words[0] in COMMANDS), command


def test_its_circuit_can_be_imported(tmp_path):
    [verilog] = [content for language, content in BLOCKS if language == "verilog"]
    (tmp_path / "mine.v").write_text(verilog)
    found = import_file(tmp_path / "mine.v", name="mul8u_mine").multiplier
    assert not found.is_exact
    assert found.netlist is not None


@pytest.mark.long
def test_every_command_runs_and_prints_what_is_shown(tmp_path):
    shutil.copy(outside("liberty", "nangate45", "nangate45_typ.lib.gz"), tmp_path / "cells.lib.gz")
    for language, content in BLOCKS:
        if language in FILES:
            (tmp_path / FILES[language]).write_text(content)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command, shown in steps():
        program, *words = command.split()
        done = subprocess.run([Path(sys.executable).with_name(program), *words], cwd=tmp_path,
                              text=True, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        printed = [beginning(line) for line in done.stdout.splitlines()]
        for line in shown:
            assert beginning(line) in printed, f"{command} prints no line as: {line}"
    run = json.loads((tmp_path / "runs" / "mine" / "run.json").read_text())
    assert run["configuration"]["technology"] == "cells.json.gz"
    assert run["certificates"][0]["certified"]
    assert (tmp_path / "energies.svg").stat().st_size > 1000
