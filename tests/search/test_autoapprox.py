import ast
from importlib.metadata import version
from pathlib import Path

import pytest

from hw.common.errors import InputError
from search.autoapprox import COMMANDS, dispatch
from tests.command import run_main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_is_a_module_with_a_main(name):
    path = ROOT.joinpath(*COMMANDS[name].module.split(".")).with_suffix(".py")
    functions = {node.name for node in ast.parse(path.read_text()).body
                 if isinstance(node, ast.FunctionDef)}
    assert "main" in functions


@pytest.mark.parametrize(("arguments", "printed"), [
    ((), "usage: autoapprox COMMAND"), (("--help",), "  evaluate "),
    (("--version",), f"autoapprox {version('autoapprox')}\n")])
def test_help_and_version(monkeypatch, capsys, arguments, printed):
    assert run_main(dispatch, monkeypatch, *arguments) == 0
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "prog"), [
    (("report", "--help"), "usage: autoapprox report "),
    (("chip", "--help"), "usage: autoapprox ppa chip ")])
def test_a_subcommand_is_called_as_it_was_started(monkeypatch, capsys, arguments, prog):
    with pytest.raises(SystemExit):
        run_main(dispatch, monkeypatch, *arguments)
    assert capsys.readouterr().out.startswith(prog)


@pytest.mark.parametrize(("arguments", "said"), [
    (("evalute",), "Unknown command 'evalute'; did you mean 'evaluate'?"),
    (("nothing-like-it",), "known: ablation"),
    (("--json", "run"), "Command must stand before its options, not '--json'")])
def test_a_command_that_is_none_is_refused(monkeypatch, arguments, said):
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        run_main(dispatch, monkeypatch, *arguments)
