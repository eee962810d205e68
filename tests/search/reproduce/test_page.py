"""The page from small made-up results, and the committed one from the stored results."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hw.common.errors import InputError, run_command_line
from search.reproduce import __main__ as command
from search.reproduce.all_steps import all_steps
from search.reproduce.page import publish, render
from search.reproduce.results import Results
from search.reproduce.runner import open_work
from search.reproduce.steps import DONE, FAILED, Record, Step, digests
from tests.command import run_main
from tests.search.runs import made_up_run

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "results.md"
BENCH = (ROOT / "docs" / "benchmarks.json").read_text()
CSV = "name,pdp_pJ,calc_MRE_nonzero_pct\nmul8u_1JFF,0.5,0.0\nmul8u_12N4,0.125,4.2\n"
CHIP = {"rows": 16, "cols": 16, "exact_array_nj": 10.0, "array_nj": 6.0, "exact_chip_nj": 40.0,
        "chip_nj": 36.0, "exact_system_nj": 90.0, "system_nj": 86.0, "mxu_energy_share": 0.25}
FOUND = {
    "float": json.dumps({"right": 901, "n": 1000}),
    "exact": json.dumps({"top1": 0.9, "n": 1000, "layers": ["a"], "approximate": []}),
    "table": json.dumps({"top1": 0.875, "n": 1000, "layers": ["a"], "approximate": ["a"]}),
    "figure2": json.dumps({"mae_percent": 1.25, "wce_percent": 9.0, "mre_percent": 3.5}),
    "figure5": BENCH, "chip": json.dumps({"sizes": [CHIP]}),
}
FILES = {
    "figure4.csv": "multiplier,stream,multiplier_relative,pe_relative\n"
                   "a,relu,1.0,1.0\nb,relu,0.5,0.75\nc,relu,0.0,0.5\n",
    "figure6.csv": "multiplier,index,singular_value\nx,1,10\nx,2,1\n",
}


def pretend(step, work):
    """Leave what a finished step would: its files, its output and its record."""
    kind = step.about["kind"]
    for output in step.outputs:
        path = work / output
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "search":
            run = made_up_run(layers=("stem", "body"))
            replace(run, configuration={
                **run.configuration, "margin": 0.01, "budget": 20, "max_arrays": 3, "rows": 16,
                "cols": 16, "batch": 16, "compensation": "both"}).save(path / "run.json")
            (path / "figures").mkdir(exist_ok=True)
            for name in ("pareto", "sensitivity"):
                (path / "figures" / f"{name}.svg").write_text("<svg/>")
        elif kind == "designs":
            path.mkdir()
            for method in ("greedy", "tpe", "milp"):
                (path / f"{method}.json").write_text("{}")
        else:
            path.write_text(FILES.get(path.name, "<svg/>"))
    step.file(work, ".out").parent.mkdir(parents=True, exist_ok=True)
    step.file(work, ".out").write_text(FOUND.get(kind, FOUND["exact"]))
    Record(command=step.text(), inputs=digests(step, work), state=DONE, seconds=12.0,
           processor_seconds=9.0, versions={"numpy": "2", "project": f"of-{kind}"},
           machine={"cpu": "made-up", "cores": 2, "system": "Linux"}
           ).save(step.file(work, ".json"))


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Return a folder with all data, and a work folder in which all that can be is finished."""
    folder = tmp_path_factory.mktemp("everything")
    data, work = folder / "data", folder / "work"
    (data / "multipliers").mkdir(parents=True)
    (data / "multipliers" / "evoapprox_mul8u.csv").write_text(CSV)
    steps = all_steps(data)
    for step in steps:
        for name in step.inputs:
            if name.startswith("data/"):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(CSV if name.endswith(".csv") else name)
    open_work(work, data)
    for step in steps:
        if all((work / name).exists() for name in step.inputs):
            pretend(step, work)
    return folder


@pytest.fixture
def data(tmp_path, everything):
    """Return a data folder of one's own."""
    return Path(shutil.copytree(everything / "data", tmp_path / "data"))


@pytest.fixture
def finished(tmp_path, everything, data):
    """Return a finished work folder of one's own, and its steps."""
    work = Path(shutil.copytree(everything / "work", tmp_path / "work", symlinks=True))
    open_work(work, data)
    return work, all_steps(data)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def row(page, first):
    [line] = [line for line in page.splitlines() if line.startswith("|")
              and cells(line)[0] == first]
    return cells(line)


def section(page, title):
    return page.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_number_is_that_of_a_step(finished):
    work, steps = finished
    page = render(Results.collect(steps, work), "results")
    accuracy = row(page, "ResNet-20")
    assert accuracy[2:6] == ["1,000", "91.73 %", "90.10 %", "90.00 %"]
    assert accuracy[6] == "0.95"  # sqrt(0.9 * 0.1 / 1000)
    assert row(page, "`mul8u_12N4`")[1:] == ["0.250", "4.2 %", "87.50 %", "87.50 %"]
    assert row(page, "`x`")[1:] == ["1", "2", "2"]  # squares 100 and 1
    assert "r = 1.000 on relu operands (3 circuits)" in " ".join(page.split())
    assert "`mul8u_drum_k4`, mean error 1.25 % of full scale" in page.replace("\n", " ")
    best = made_up_run(layers=("stem", "body")).kept
    methods = section(page, "Figures 7 and 8, Table II: all methods at one budget")
    [milp] = {tuple(cells(line)) for line in methods.splitlines()
              if line.startswith("| **milp**")}
    energy = f"{best.energy:.3f}"
    assert milp[1:11] == (
        "20", energy, energy, f"{30 * best.energy:.0f}", energy,
        f"{(600 + 60 * best.energy) / 660:.3f}", f"{0.8 + 0.2 * best.energy:.3f}", "1.500",
        str(len(best.arrays)), "3.51")
    assert milp[11:] == ("98.62 %", "3, 2", "-0.61", "certified")


def test_commands_are_those_that_were_run(finished):
    work, steps = finished
    results = Results.collect(steps, work)
    listed = section(render(results, "results"), "Commands")
    assert ("MULTIPLIER.bin --exact conv_1_n gemm_22_n --json   # 2 steps, 18 s, 24 s; of-table\n"
            in listed)
    done = {outcome.pattern for outcome in results.outcomes if outcome.state == DONE}
    for outcome in results.outcomes:
        assert (f"{outcome.pattern}   # " in listed) is (outcome.pattern in done)
        assert str(work) not in outcome.command
    assert str(work.parent) not in listed


def test_budget_of_the_page_is_that_of_the_run(finished, data):
    work, _steps = finished
    page = render(Results.collect(all_steps(data, budget=999), work), "results")
    assert "--budget 100 " in page
    assert "--budget 999" not in page


def test_what_was_not_run_says_why(finished, data):
    work, steps = finished
    (data / "nets" / "resnet56_cifar10.onnx").unlink()
    (work / "nets" / "resnet56.onnx").unlink()
    failed = next(step for step in steps if step.name == "figure4")
    record = Record.load(failed.file(work, ".json"))
    replace(record, state=FAILED, message="error: out of luck").save(failed.file(work, ".json"))
    (work / "nets" / "squeezenet.onnx").write_text("another")
    absent = " ".join(section(render(Results.collect(steps, work), "results"), "Not run").split())
    assert re.search(r"- data/nets/resnet56_cifar10\.onnx missing: `prepare/resnet56` \(and \d+ "
                     r"behind\)\.", absent)
    assert "- failed, error: out of luck: `figure4`." in absent
    assert re.search(r"- its inputs have changed since: .*`exact/squeezenet`", absent)
    # That method kept no design.
    assert re.search(r"- the step before left nothing for it: `chip` \(17 steps\), ",
                     absent)


def test_stored_results_make_the_same_page(finished, tmp_path):
    work, steps = finished
    publish(steps, work, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert page == render(Results.load(tmp_path / "page" / "results.json"), "page")
    figures = re.findall(r"\]\((page/[^)]+\.svg)\)", page)
    assert len(figures) > 6
    assert all((tmp_path / name).exists() for name in figures)


def test_results_of_another_folder_complete_the_page(finished, tmp_path):
    work, steps = finished
    before = Results.collect(steps, work)
    publish(steps, work, tmp_path / "there" / "page.md")
    there = tmp_path / "there" / "page" / "results.json"
    for name in ("figure4", "exact/resnet20"):
        next(step for step in steps if step.name == name).file(work, ".json").unlink()
    (work / "figures" / "figure4.svg").write_text("another")
    here = Results.collect(steps, work)
    assert [one.name for one in here.outcomes if one.state == DONE] != [
        one.name for one in before.outcomes if one.state == DONE]
    assert here.completed(Results.load(there)).outcomes == before.outcomes
    publish(steps, work, tmp_path / "page.md", there)
    assert (tmp_path / "page.md").read_text() == (tmp_path / "there" / "page.md").read_text()
    assert (tmp_path / "page" / "figure4.svg").read_bytes() == (
        there.parent / "figure4.svg").read_bytes() != b"another"


@pytest.mark.parametrize("known", [True, False], ids=["known there", "new since then"])
def test_what_another_folder_prepared_is_waited_for_no_more(finished, known):
    work, steps = finished
    for name in ("search/resnet20/milp", "designs/resnet20-milp", "chip/resnet20-milp/milp"):
        next(step for step in steps if step.name == name).file(work, ".json").unlink()
    there = Results.collect(steps, work)
    there = replace(there, outcomes=[one for one in there.outcomes
                                     if known or one.name != "search/resnet20/milp"])
    next(step for step in steps if step.name == "prepare/resnet20").file(work, ".json").unlink()
    (work / "nets" / "resnet20.onnx").unlink()
    here = Results.collect(steps, work)
    waiting = {one.name for one in here.outcomes if one.waits_for == "prepare/resnet20"}
    assert "search/resnet20/milp" in waiting
    found = {one.name: one for one in here.completed(there).outcomes}
    assert found["search/resnet20/milp"].reason == "not asked for"
    assert not found["search/resnet20/milp"].waits_for
    assert found["designs/resnet20-milp"].waits_for == "search/resnet20/milp"


def test_own_results_come_before_those_of_another_folder(finished, tmp_path):
    work, steps = finished
    here = Results.collect(steps, work)
    other = replace(here, machines=[{"cpu": "another", "cores": 1, "system": "Linux"}], outcomes=[
        replace(one, seconds=1e6) if one.name != "exact/resnet20" else
        replace(one, state=FAILED, reason="out of luck") for one in here.outcomes])
    both = here.completed(other)
    assert both.outcomes == here.outcomes
    assert [machine["cpu"] for machine in both.machines] == ["another", *(
        machine["cpu"] for machine in here.machines)]


def test_large_figures_stay_away(finished, tmp_path):
    work, steps = finished
    (work / "figures" / "figure4.svg").write_text("x" * 200_000)
    publish(steps, work, tmp_path / "page.md")
    assert not (tmp_path / "page" / "figure4.svg").exists()
    assert "the figure is too large" in " ".join((tmp_path / "page.md").read_text().split())


@pytest.mark.parametrize(("content", "message"), [
    ("{}", r'results\.json: must be a JSON object with "format": "autoapprox-results/2"'),
    ('{"format": "autoapprox-results/2"}', r"results\.json: must have a value for 'machines'"),
])
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        Results.load(path)


def exit_status(monkeypatch, *arguments):
    with pytest.raises(SystemExit) as ended:
        run_main(partial(run_command_line, command.main), monkeypatch, *arguments)
    return ended.value.code


def test_failed_step_is_reported_with_its_command(monkeypatch, capsys, tmp_path):
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    steps = [Step(name="exact/odd", command=("search.reproduce.prepare", "odd", ".", "-o", "."),
                  about={"kind": "layers"}),
             Step(name="figure5", command=("json.tool", "--help"), about={"kind": "layers"})]
    monkeypatch.setattr(command, "all_steps", lambda *_arguments: steps)
    assert exit_status(monkeypatch, "--data", data, "--work", work, "-o", tmp_path / "page.md") == 3
    messages = capsys.readouterr().err
    assert "error: 1 of 2 steps failed, the first with: python -m search.reproduce.prepare odd " \
        in messages.splitlines()[-1]
    absent = " ".join(section((tmp_path / "page.md").read_text(), "Not run").split())
    assert re.search(r"failed, error: Unknown network or image set 'odd'.*: `exact/odd`", absent)
    assert "python -m json.tool --help   # " in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "--data must name a folder with nets/, images/ and multipliers/"),
    (("--data", "none"), "none: must be a folder with nets/, images/ and multipliers/"),
    (("--data", ".", "--budget", "0"), "Budget must be at least 1, not 0"),
    (("--from", "none.json"), "none.json: No such file or directory"),
])
def test_bad_input_is_one_line(monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert exit_status(monkeypatch, *arguments, "-o", "page.md") == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (tmp_path / "page.md").exists()


def test_dry_run_runs_nothing(monkeypatch, capsys, data, tmp_path):
    work = tmp_path / "work"
    (data / "images" / "cifar10_test.npz").unlink()
    assert exit_status(monkeypatch, "--data", data, "--work", work, "--dry-run", "--steps",
                    "exact/resnet8,figure5") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "prepare/cifar10: cannot run, data/images/cifar10_test.npz missing"
    assert "exact/resnet8: cannot run, data/images/cifar10_test.npz missing" in lines
    assert lines[-2:] == ["figure5: to run",
                          "  python -m sim.bench --from docs/benchmarks.json --json"]
    assert not (work / "steps").exists()


def test_committed_page_is_made_of_the_stored_results():
    stored = PAGE.with_suffix("") / "results.json"
    assert PAGE.read_text() == render(Results.load(stored), PAGE.stem)
    assert "/work" not in stored.read_text()
    shown = set(re.findall(r"\]\(results/([^)]+\.svg)\)", PAGE.read_text()))
    assert {path.name for path in stored.parent.glob("*.svg")} == shown


def test_interruption_says_how_to_go_on(monkeypatch, capsys, data, tmp_path):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("search.reproduce.runner.run_all", interrupted)
    assert exit_status(monkeypatch, "--data", data, "--work", tmp_path / "work", "-o",
                    tmp_path / "page.md") == 130
    assert capsys.readouterr().err == (f"what was finished is kept in {tmp_path / 'work'}; the "
                                       "same command goes on\nerror: interrupted\n")
    assert not (tmp_path / "page.md").exists()


def test_background_and_nohup_are_understood():
    """What a script starts in the background ignores Ctrl-C; nohup ignores hang-ups."""
    script = ("import signal; from search.reproduce.__main__ import _interruptible;"
              "_interruptible(); print(*(signal.getsignal(number) is signal.default_int_handler "
              "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))")
    shell = 'trap "" INT HUP; exec "$0" -c "$1"'
    done = subprocess.run(["sh", "-c", shell, sys.executable, script], cwd=ROOT, text=True,
                          capture_output=True, check=True)
    assert done.stdout == "True True False\n"
