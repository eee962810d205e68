"""The stack: weights of shapes, interleaving over contenders and threads, verdicts."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from hw.common.errors import InputError, ToolError
from hw.common.files import write_json
from hw.common.progress import task
from hw.multipliers import default_bank, get
from sim.bench.__main__ import CONTENDERS
from sim.bench.contenders import all as contenders
from sim.bench.contenders.all import HARD, RANK_1, TYPICAL
from sim.bench.machine import thread_limit
from sim.bench.report import machines_table, page
from sim.bench.results import Results
from sim.bench.shapes import LayerShape
from sim.bench.stack import Row, make, measure, relative
from sim.bench.targets import verdicts
from sim.tables import exact_table

SHAPES = (
    LayerShape(name="a", channels=6, height=5, width=5, out_channels=4, kernel=3, pad=1, count=3),
    LayerShape(name="b", channels=9, height=4, width=4, out_channels=5),
)
WEIGHTS = (3 * 25 * 54 * 4, 16 * 9 * 5)  # count * macs


def row(name, *ns_per_mac, threads=1):
    return Row(name=name, label=name, result="int32 sums", threads=threads, sampled=False,
               bit_exact=True, ns_per_mac=ns_per_mac)


def results(*rows, networks=(), **changes):
    machine = {"packages": {"numpy": "2"}, "cpu": "some", "cores": 2, "features": ["avx2"],
               "system": "Linux", "load_average": 0.0, "python": "3.11", "model": None,
               "date": "2026-01-01", "commit": None}
    return Results(**{"machine": machine, "title": "resnet50", "repeats": 2, "threads": (1,),
                      "baseline": "ort-qlinearconv", "shapes": SHAPES, "rows": rows,
                      "networks": networks} | changes)


def test_stack_counts_each_shape_as_often_as_the_network_has_it():
    found = row("x", (1.0, 2.0), (10.0, 30.0)).stack_ns(SHAPES)
    assert found == [WEIGHTS[0] + 10 * WEIGHTS[1], 2 * WEIGHTS[0] + 30 * WEIGHTS[1]]


def test_ratio_is_within_rounds():
    one, two = row("x", (1.0, 10.0), (1.0, 10.0)), row("y", (2.0, 20.0), (2.0, 20.0))
    spread = relative(two, one, SHAPES)
    assert (spread.low, spread.median, spread.high) == (2.0, 2.0, 2.0)


def test_measuring_gives_every_contender_and_thread_count_every_round():
    found, missing = make(["ort-convinteger", "ours-hard", "loop-rows"], CONTENDERS)
    assert not missing
    with task("layers", 2, quiet=True) as progress:
        rows = measure(SHAPES, found, [2, 1], 3, progress=progress, images=2)
    assert [entry.key for entry in rows] == [
        "ort-convinteger@1", "ort-convinteger@2", "ours-hard@1", "ours-hard@2", "loop-rows@1"]
    for entry in rows:
        assert entry.bit_exact
        assert np.shape(entry.ns_per_mac) == (2, 3)
        assert (np.array(entry.ns_per_mac) > 0).all()


def test_wrong_contender_is_reported():
    [right], _missing = make(["ours-hard"], CONTENDERS)

    class Wrong(type(right)):
        def expected(self, problem, sums):
            return sums + 1

    wrong = Wrong(**{name: getattr(right, name) for name in (
        "name", "label", "table", "requantise")})
    with task("layers", 2, quiet=True) as progress:
        rows = measure(SHAPES, [right, wrong], [1], 1, progress=progress, images=2)
    assert [entry.bit_exact for entry in rows] == [True, False]


def test_jobs_are_closed_when_one_fails():
    [first], _missing = make(["ours-exact"], CONTENDERS)
    closed = []

    class Closing(type(first)):
        def prepare(self, problem, threads):
            return replace(super().prepare(problem, threads), close=lambda: closed.append(1))

    class Failing(type(first)):
        def prepare(self, problem, threads):
            raise RuntimeError("no")

    jobs = [kind(name="x", label="x", table=exact_table()) for kind in (Closing, Failing)]
    with task("layers", 2, quiet=True) as progress, pytest.raises(RuntimeError, match="no"):
        measure(SHAPES, jobs, [1], 1, progress=progress, images=1)
    assert closed == [1]


def test_what_cannot_take_part_says_why():
    def missing(_name, _label):
        raise ToolError("it is missing; run: install it")

    found, reasons = make(["numpy-take", "numpy-gather"],
                          {**CONTENDERS, "numpy-take": ("x", missing)})
    assert [contender.name for contender in found] == ["numpy-gather"]
    assert reasons == {"numpy-take": "it is missing; run: install it"}


def test_torch_is_asked_for_before_it_is_imported(monkeypatch):
    monkeypatch.setattr(contenders.importlib.util, "find_spec", lambda _name: None)
    _found, reasons = make(["torch-gather"], CONTENDERS)
    assert reasons == {"torch-gather": "torch is missing; run: pip install -e '.[torch]'"}


def test_circuits_have_the_characters_that_are_claimed():
    tables = {name: get(name).table for name in (TYPICAL, HARD, RANK_1)}
    error = {name: table - exact_table() for name, table in tables.items()}
    searched = [np.linalg.matrix_rank(get(name).table - exact_table()) for name in default_bank()]
    assert np.mean(np.array(searched) <= 19) > 0.8  # no easier than what searches run
    assert np.linalg.matrix_rank(tables[RANK_1]) == 1
    assert np.linalg.matrix_rank(error[TYPICAL]) == 19
    assert np.linalg.matrix_rank(error[HARD]) == 132
    assert (np.abs(error[TYPICAL]).max(), np.abs(error[HARD]).max()) == (371, 5249)


# --- verdicts and files -----------------------------------------------------------------


def timed(**ns_per_mac):
    return [row(name.replace("_", "-"), (value,), (value,)) for name, value in ns_per_mac.items()]


def met(found, start):
    [verdict] = [verdict for verdict in found if verdict.target.startswith(start)]
    return verdict.measured, verdict.met


@pytest.mark.parametrize(("hard", "verdict"), [(1.79, True), (1.81, False)])
def test_the_slower_circuit_decides(hard, verdict):
    found = verdicts(results(*timed(ort_qlinearconv=1.0, ours_typical=1.5, ours_hard=hard)))
    assert met(found, "any LUT ≤ 1.8") == (f"{hard:.3g} [{hard:.3g}, {hard:.3g}] ×", verdict)


@pytest.mark.parametrize(("faster", "verdict"), [(15.1, True), (14.9, False)])
def test_the_better_loop_decides(faster, verdict):
    found = verdicts(results(*timed(ours_typical=0.5, ours_hard=1.0, loop_rows=40.0,
                                    loop_columns=faster)))
    assert met(found, "any LUT ≥ 15")[1] is verdict
    assert met(found, "any LUT ≥ 15")[0].startswith(f"{faster:.3g} ")


@pytest.mark.parametrize(("ms", "verdict"), [(99.0, True), (101.0, False)])
def test_an_inference_of_the_slower_circuit_is_held_against_the_papers_hours(ms, verdict):
    macs = sum(WEIGHTS)
    found = verdicts(results(*timed(ours_typical=1e6 / macs, ours_hard=ms * 1e6 / macs)))
    measured, fast_enough = met(found, "resnet50, 4.2 hours an inference")
    assert fast_enough is verdict
    assert measured == f"{ms / 1000:.3g} s, {4.2 * 3600 * 1000 / ms:,.0f} × as fast"


def test_machines_are_told_apart():
    one = results(*timed(ort_qlinearconv=1.0, ours_typical=1.5, ours_hard=1.7, ours_exact=1.05))
    other = replace(one, threads=(1,), machine={
        **one.machine, "model": "Some CPU", "features": ["avx2", "avxvnni"]},
        rows=timed(ort_qlinearconv=1.0, ours_typical=2.0, ours_hard=1.9))
    lines = machines_table([one, other]).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in cells] == ["some", "Some CPU (some)"]
    assert [row[1] for row in cells] == ["avx2", "avx2, VNNI"]
    assert [row[-3:] for row in cells] == [["1.7 [1.7, 1.7]", "-", "1.05 [1.05, 1.05]"],
                                           ["2 [2, 2]", "-", "-"]]
    text = page([one, other])
    assert text.index(lines[0]) < text.index("### some\n") < text.index("### Some CPU (some)")


def test_what_was_not_measured_has_no_verdict():
    found = verdicts(results(*timed(ort_qlinearconv=1.0, ours_typical=1.0)))
    assert {verdict.met for verdict in found} == {None}
    assert {verdict.measured for verdict in found} == {"not measured"}


def test_other_shapes_have_no_targets():
    assert not verdicts(results(*timed(ort_qlinearconv=1.0), title="quick"))


@pytest.mark.parametrize(("speed", "peak", "expected"), [
    (8.0, 4.0, [True, True, None]), (7.9, 4.1, [False, False, None])])
def test_networks_are_judged_by_the_slowest_and_the_largest(speed, peak, expected):
    networks = [{"network": "resnet50", "circuit": "x", "threads": 2, "images": 4,
                 "images_per_s": {"median": value, "low": value, "high": value},
                 "peak_memory_gb": gb} for value, gb in ((speed, 1.0), (9.0, peak))]
    found = verdicts(results(title="quick", networks=networks))
    assert [verdict.met for verdict in found] == expected


def test_results_round_trip(tmp_path):
    before = results(*timed(ort_qlinearconv=1.0, ours_hard=2.0), missing={"x": "gone"})
    write_json(tmp_path / "r.json", before.to_dict())
    after = Results.load(tmp_path / "r.json")
    assert after.to_dict() == before.to_dict()
    assert after.ratio("ours-hard", "ort-qlinearconv", 1).median == 2.0
    assert after.ratio("ours-hard", "nobody", 1) is None


@pytest.mark.parametrize("content", [[], {"format": "other"},
                                     {"format": "autoapprox-bench/1", "machine": {}}])
def test_other_files_are_refused(tmp_path, content):
    write_json(tmp_path / "r.json", content)
    with pytest.raises(InputError, match=r"r\.json: "):
        Results.load(tmp_path / "r.json")


def test_thread_limits_are_restored():
    before = [pool["num_threads"] for pool in threadpool_info()]
    with thread_limit() as limit:
        limit(1)
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert [pool["num_threads"] for pool in threadpool_info()] == before
