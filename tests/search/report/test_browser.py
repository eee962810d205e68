"""The page in a browser: quiet, without requests, asked by pointer and keys, on paper and phone.

Not run where no Chromium is installed; it says so.
"""

import base64
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from search.report.page import write_report
from tests.search.report.chromium import BROWSER, browser
from tests.search.runs import made_up_bank, made_up_run

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="not run: no Chromium to look at the report with")
AXE = find_spec("axe_core_python")  # of which the script alone is used
A4_PX = 1030  # between the margins of a page on its side
LAYERS = ("stem", "a<b>&$x_1$", *(f"layer{index}.conv" for index in range(9)), "classifier")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(made_up_run(layers=LAYERS), made_up_bank(), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(shared, report):
    """The report, opened anew at 1280 points."""
    shared.resize(1280)
    shared.media()
    shared.open(report)
    return shared


def tip(page):
    return page.run("document.getElementById('tip').hidden ? '' : "
                    "document.getElementById('tip').textContent")


def test_nothing_is_complained_of_and_nothing_is_asked_for(page):
    page.run("document.querySelectorAll('a.layer')[0].click()")
    for event in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
        assert page.told(event) == []
    asked = [one["request"]["url"] for one in page.told("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:image/png;base64,")] == asked[:1]
    assert asked[0].startswith("file:")


def test_what_the_policy_does_not_name_does_not_run(page):
    page.run("document.body.append(Object.assign(document.createElement('script'), "
             "{textContent: 'window.intruded = 1'}))")
    page.run("document.body.insertAdjacentHTML('beforeend', '<p id=odd style=color:red>x</p>')")
    assert page.run("window.intruded") is None
    assert page.run("getComputedStyle(document.getElementById('odd')).color") != "rgb(255, 0, 0)"


def test_the_pointer_names_every_point(page):
    charts = page.run("[...document.querySelectorAll('.chart')].map((chart) => "
                      "[...chart.querySelectorAll('.mark')].map(m => m.ariaLabel))")
    assert len(charts) == 6
    assert all(name for names in charts for name in names)
    assert not page.run("document.querySelector('.chart .mark title')")
    run = made_up_run(layers=LAYERS)
    assert tip(page) == ""
    page.hover("[aria-label^='Energy and accuracy'] .mark")
    assert tip(page).startswith("exact array only, evaluation 0: energy 1.000, top-1 98.67 %, "
                                "area 1.000")
    assert tip(page).endswith("not judged")
    page.hover("[aria-label^='Designs that were judged'] .mark")
    assert tip(page).startswith(f"energy {run.judged[0].design.energy:.3f}: 3 lost, 2 ")
    page.hover("h1")
    assert tip(page) == ""


def test_keys_name_every_point_and_a_figure_is_one_stop(page):
    page.run("document.querySelector(\"[aria-label^='Convergence'] .mark\").focus()")
    first = tip(page)
    page.press("ArrowRight")
    second = tip(page)
    assert first.startswith("exact: energy 1.000")
    assert second.startswith("greedy: energy")
    page.press("Escape")
    assert tip(page) == ""
    page.press("Tab")
    assert not page.run("document.activeElement.closest(\"[aria-label^='Convergence']\")")


def test_a_layer_tells_what_every_array_would_cost_and_damage(page):
    run = made_up_run(layers=LAYERS)
    number = 10  # in the second block of the tables
    page.run(f"document.querySelectorAll('.network a.layer')[{number - 1}].click()")
    layer = run.layers[number - 1].name
    assert page.run("document.getElementById('asked').open")
    assert page.run("document.getElementById('asked-title').textContent") == (
        f"{layer} on {run.kept.mapping[layer]}")
    rows = page.run("[...document.querySelectorAll('#asked tbody tr')].map(row => "
                    "[...row.cells].map(cell => cell.textContent))")
    exact = run.layer_energy_pj[layer]["mul8u_exact"]
    assert {name.removeprefix("● "): float(energy) for name, energy, _damage in rows} == {
        name: round(energy / exact, 3) for name, energy in run.layer_energy_pj[layer].items()}
    assert {name.removeprefix("● "): float(damage.replace("−", "-")) for name, _energy, damage
            in rows} == pytest.approx(dict(run.sensitivity[layer]), rel=0.05)
    assert [name for name, *_ in rows if name.startswith("●")] == [f"● {run.kept.mapping[layer]}"]
    energies = [float(energy) for _name, energy, _damage in rows]
    assert energies == sorted(energies)
    page.press("Escape")
    assert not page.run("document.getElementById('asked').open")


def test_without_scripts_a_layer_leads_to_its_reasons(page, report):
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(report, "#layer3")
        page.call("Emulation.setScriptExecutionDisabled", value=False)  # too late for its script
        assert page.run(  # soon after it was loaded
            "new Promise(done => { const look = () => document.getElementById('layer3')"
            ".checkVisibility() ? done(true) : setTimeout(look, 50); look(); })")
        assert not page.run("document.getElementById('layer4').checkVisibility()")
        assert page.run("document.querySelector('.chart .mark title').textContent")
        assert not page.run("document.querySelector('.finder, thead button')")
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_tables_are_sorted_by_value_and_filtered_by_words(page):
    table = "document.querySelector('#layers table.sort')"
    column = page.run(f"[...{table}.querySelectorAll('thead th')]"
                      ".findIndex(head => head.textContent === 'energy, pJ')")
    cells = f"[...{table}.tBodies[0].rows].map(row => row.cells[{column}].textContent)"
    for order, reverse in (("ascending", False), ("descending", True)):
        page.run(f"{table}.querySelectorAll('thead button')[{column}].click()")
        found = [float(text.replace(",", "")) for text in page.run(cells)]
        assert found == sorted(found, reverse=reverse)
        assert page.run(f"{table}.querySelectorAll('th')[{column}].ariaSort") == order
    page.run("{const input = document.querySelector('#layers .finder input'); "
             "input.value = 'LAYER3 conv'; input.dispatchEvent(new Event('input'));}")
    assert page.run(f"[...{table}.tBodies[0].rows].filter(row => !row.hidden)"
                    ".map(row => row.cells[1].textContent)") == ["layer3.conv"]
    assert page.run("document.querySelector('#layers .finder span').textContent") == "1 of 12 rows"


@pytest.mark.parametrize("width", [420, 1280])
def test_only_tables_scroll_sideways(page, width):
    page.resize(width)
    page.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.run("document.documentElement.scrollWidth") == width
    if width == 420:
        assert page.run("[...document.querySelectorAll('.scroll')]"
                        ".some(one => one.scrollWidth > one.clientWidth)")
    assert page.run("[...document.querySelectorAll('.scroll')].every(one => one.tabIndex === 0)")


def test_a_dark_page_is_dark(page):
    light = page.run("getComputedStyle(document.body).backgroundColor")
    page.media(scheme="dark")
    assert (light, page.run("getComputedStyle(document.body).backgroundColor")) == (
        "rgb(245, 247, 249)", "rgb(18, 24, 31)")
    page.media("print", "dark")  # paper is not
    assert page.run("getComputedStyle(document.body).color") == "rgb(28, 39, 51)"


def test_on_paper_every_column_is_there(page, tmp_path):
    page.resize(A4_PX)
    page.media("print")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("[...document.querySelectorAll('details')].filter(part => !part.open)"
                    ".map(part => part.id)") == ["measured", "cards"]  # long: if a reader asks
    page.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    cut = page.run("[...document.querySelectorAll('main *')].filter(one => "
                   "one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML)")
    assert cut == []
    assert page.run("getComputedStyle(document.querySelector('th button')).display") == "contents"
    page.media()
    printed = page.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"]
    path = tmp_path / "report.pdf"
    path.write_bytes(base64.b64decode(printed))
    assert path.read_bytes().startswith(b"%PDF")
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True,
                              capture_output=True, text=True).stdout
        for word in ("utilisation", "evaluations", "seconds", "verdict", "found by", "classifier"):
            assert word in text


@pytest.mark.skipif(AXE is None, reason="not run: no axe-core to look at the report with")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (420, "dark")])
def test_axe_finds_nothing_serious(page, width, scheme):
    page.resize(width)
    page.media(scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    # Without the shades at the edges of tables, on which axe leaves contrast open.
    page.run("document.adoptedStyleSheets = [new CSSStyleSheet()]; document.adoptedStyleSheets[0]"
             ".replaceSync('* { background-image: none !important }')")
    page.run(Path(AXE.origin).with_name("axe.min.js").read_text())
    assert serious(page, "document") == []
    undecided = page.run("axe.run(document, { runOnly: ['color-contrast'] }).then(found => "
                         "found.incomplete.flatMap(one => one.nodes.map(node => node.html)))")
    assert [html for html in undecided if not html.startswith(("<text ", "<label "))] == []
    page.run("document.querySelector('.network a.layer').click()")
    assert serious(page, "'#asked'") == []
    page.run("document.getElementById('asked').append(new Image())")  # without a text
    assert serious(page, "'#asked'") == [["image-alt", "<img>"]]


def serious(page, part):
    """Return (rule, first element) of what axe calls serious or critical in a part of a page."""
    return page.run(f"axe.run({part}).then(found => found.violations.filter(one => "
                    "['serious', 'critical'].includes(one.impact)).map(one => "
                    "[one.id, one.nodes[0].html]))")
