"""Words that several commands share."""

import argparse

import pytest

from hw.common.wording import (
    CommandParser,
    HelpWithDefaults,
    counted,
    duration,
    energy,
    program,
    times_a_round,
)


@pytest.mark.parametrize(("seconds", "text"), [
    (0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (5999, "100 min"), (6000, "1.7 h")])
def test_durations_have_a_fitting_unit(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("nanojoules", "text"), [
    (0, "0 pJ"), (0.93695, "936.9 pJ"), (25.7222, "25.72 nJ"), (1234.5, "1.234 uJ"), (4e6, "4 mJ")])
def test_energies_have_a_fitting_unit(nanojoules, text):
    assert energy(nanojoules) == text


def test_one_has_no_plural():
    assert [counted(number, "array") for number in (0, 1, 2)] == ["0 arrays", "1 array", "2 arrays"]
    assert times_a_round(1) == "1 inference a round"


def test_help_states_defaults_that_say_something():
    parser = argparse.ArgumentParser(formatter_class=HelpWithDefaults)
    parser.add_argument("--seed", default=7, help="of the search")
    parser.add_argument("--force", action="store_true", help="replace it")
    text = parser.format_help()
    assert "of the search (default: 7)" in text
    assert text.count("default") == 1


@pytest.fixture
def parser():
    parser = CommandParser(prog="tool")
    parser.add_argument("--chip", choices=("small", "large"))
    draw = parser.add_subparsers(dest="command").add_parser("draw")
    draw.add_argument("--colour")
    return parser


@pytest.mark.parametrize(("started", "shown"), [
    ("autoapprox run", "autoapprox run"), ("/somewhere/search/run.py", "python -m search.run"),
    ("autoapprox", "python -m search.run")])
def test_a_command_is_called_as_it_was_started(monkeypatch, started, shown):
    monkeypatch.setattr("sys.argv", [started, "--help"])
    assert program("search.run") == shown


@pytest.mark.parametrize(("arguments", "suggested"), [
    (["--chpi=small"], "--chip"), (["--chip=smal"], "small"), (["drwa"], "draw"),
    (["draw", "--color=red"], "--colour"), (["draw", "--colur", "red"], "--colour")])
def test_the_nearest_name_is_suggested(parser, capsys, arguments, suggested):
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(arguments)
    assert stop.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(f"did you mean {suggested}?")


def test_nothing_is_suggested_where_nothing_is_near(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["--unlike-everything"])
    assert "did you mean" not in capsys.readouterr().err


def test_subcommands_have_the_same_parser(parser):
    [commands] = [action for action in parser._actions
                  if isinstance(action, argparse._SubParsersAction)]
    assert isinstance(commands.choices["draw"], CommandParser)
