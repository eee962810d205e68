"""The report: self-contained, escaped, and telling what the run holds."""

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from hw.common.errors import InputError
from search.report import __main__ as report
from search.report import gallery
from search.report.circuits import load_bank, save_bank
from search.report.figures.series import SERIES
from search.report.page import content_policy, damage_text, error_text, render, write_report
from search.report.record import RunResult
from sim.network.unmapped import Outside
from tests.search.runs import made_up_bank, made_up_run


@pytest.fixture(scope="module")
def html():
    return render(made_up_run(), made_up_bank())


class _Checker(HTMLParser):
    """Collects every address that a browser would fetch, and checks that tags close."""

    VOID = frozenset({"meta", "br", "path", "rect", "use", "link", "img", "image"})

    def __init__(self):
        super().__init__()
        self.addresses, self.open, self.styled = [], [], []

    def handle_starttag(self, tag, attrs):
        self.styled += [name for name, _value in attrs if name == "style" or name[:2] == "on"]
        self.addresses += [value for name, value in attrs
                           if name in ("src", "href", "xlink:href", "data", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_report_fetches_nothing_and_runs_only_its_own_script(html):
    checker = _Checker()
    checker.feed(html)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in checker.addresses)
    assert not checker.open
    assert not re.search(r"@import|url\((?!#)", html)
    assert not checker.styled  # the policy forbids them
    (style,), (script,) = (re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
                           for tag in ("style", "script"))
    policy = content_policy(style, script)
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in html
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert content_policy(style + " ", script) != policy != content_policy(style, script + " ")


def test_ids_are_unique_and_every_address_on_the_page_has_its_target(html):
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html))
    assert {one or other for one, other in used} <= set(ids)


def test_tables_have_captions_and_headers_with_a_scope(html):
    tables = re.findall(r"<table.*?</table>", html, re.DOTALL)
    assert len(tables) > 8
    for table in tables:
        assert re.search(r"<caption>\S", table)
        assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", table))
        head, body = re.findall(r"<thead>(.*?)</thead>\s*<tbody>(.*?)</tbody>", table,
                                re.DOTALL)[0]
        columns = len(re.findall(r"<th\b", head))
        for row in re.findall(r"<tr\b.*?</tr>", body, re.DOTALL):
            spans = re.findall(r'colspan="(\d+)"', row)
            assert len(re.findall(r"<t[hd]\b", row)) + sum(map(int, spans)) - len(spans) == columns
    for figure in re.findall(r"<figure>.*?</figure>", html, re.DOTALL):
        assert re.search(r'<figcaption>\S.*aria-label="\S|aria-label="\S.*<figcaption>\S', figure,
                         re.DOTALL)


def luminance(colour):
    channels = (int(colour[start:start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4
              for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG 2.1, relative luminance and contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("page", [0, 1], ids=["light", "dark"])
def test_text_lines_and_marks_stand_out_from_what_is_behind_them(html, page):
    roots = re.findall(r":root \{(.*?)\}", html)
    assert len(roots) == 2
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", roots[page]))
    seen = ["ink", "muted", "accent", "good", "warn", "off", *(f"m{index}" for index in range(10))]
    pairs = [(front, behind) for front in seen for behind in ("page", "card")]
    pairs += [("ink", behind) for behind in ("tint", *(f"h{index}" for index in range(1, 7)))]
    assert {pair: contrast(*(colours[name] for name in pair)) for pair in pairs
            if contrast(*(colours[name] for name in pair)) < 4.5} == {}


def test_figures_have_the_colours_of_the_page(html):
    charts = re.findall(r'<svg[^>]*class="chart".*?</svg>', html, re.DOTALL)
    assert len(charts) == 6
    for chart in charts:
        assert not re.search(r'"#[0-9a-fA-F]{6}"', chart)
        assert "var(--" in chart


def test_every_variable_of_the_page_is_declared(html):
    declared = set(re.findall(r"--(\w+):", html))
    assert set(re.findall(r"var\(--(\w+)\)", html)) <= declared


def test_names_from_user_files_are_escaped(html):
    assert "<script>alert" not in html
    assert "a<b>" not in html
    assert "a&lt;b&gt;&amp;$x_1$" in html


def test_headline_is_the_chosen_methods_design(html):
    run = made_up_run()
    best = run.kept
    assert f"−{100 * (1 - best.energy):.1f} %" in html
    assert "relative to the exact array of 4x4r PEs" in html
    assert re.search(r'exact, 1x1 PEs</th>\s*<td>28.00 \(1.400\)</td>', html)
    for level, relative in run.kept_figures.relative(run.baseline).items():
        assert f"{relative:.3f} of the exact {level}: " in html
    assert f"would take\n      {run.equal_area.latency_us:.4g} µs and 60 nJ" in html
    assert run.certificate.wording in html
    assert "n = 800, 3 lost" in html
    assert "8 bits, ranges minmax: 98.67 % top-1, float 99.00 % (n = 300, search)" in html


def test_what_takes_from_a_certificate_stands_beside_it(html, tmp_path):
    assert "earlier run" not in html
    plain = made_up_run()
    network, = plain.networks
    run = replace(plain, networks=[replace(
        network, doubt="has 30 of 300 search images right, as guessing among 10 classes would",
        repeated={"search": 1, "certify": 9960}, relabelled=2, earlier_runs=1,
        earlier_images=700)])
    run.save(tmp_path / "run.json")
    html = render(RunResult.load(tmp_path / "run.json"), made_up_bank())
    for text in (
            "exact network has 30 of 300 search images right, as guessing among 10 classes would",
            "1 of search and 9,960 of certify are the same as an earlier image and were left out; "
            "2 had another label",
            "1 earlier run in this folder looked at 700 of the certify images; 95 % hold for"):
        assert text in html


def test_every_layer_and_method_has_its_row(html):
    run = made_up_run()
    assert html.count('class="bar"') == len(run.layers)
    for number in range(1, len(run.layers) + 1):
        assert html.count(f'<p id="layer{number}">') == 1
    for method in run.methods:
        assert f'<th scope="row" class="l">{method.method}</th>' in html


def test_every_multiplier_has_its_card_and_every_link_its_target(html):
    for card in gallery.cards(made_up_run(), made_up_bank(), made_up_run().reference):
        assert html.count(card.heat_map) >= 1
        assert f'<code>{card.place.facts.name}</code></h3>' in html
    numbers = re.findall(r'<article class="circuit[^"]*" id="m(\d+)">', html)
    assert numbers == [str(number + 1) for number in range(len(made_up_bank()))]
    targets = set(re.findall(r'(?<!:)href="(#[^"]+)"', html)) | set(
        re.findall(r'<a xlink:href="(#[^"]+)"', html))
    assert {f"#m{number}" for number in numbers} <= targets
    assert all(f'id="{target[1:]}"' in html for target in targets)


def test_a_bank_without_any_error_is_drawn():
    """Nothing is more or less sensitive to multipliers that are all exact."""
    run = made_up_run()
    names = [facts.name for facts in run.multipliers]
    harmless = replace(
        run, sensitivity={layer.name: dict.fromkeys(names, 0.0) for layer in run.layers},
        multipliers=[replace(facts, mae_percent=0.0, wce_percent=0.0)
                     for facts in run.multipliers])
    assert "No multiplier changes any output" in render(harmless, made_up_bank())


@pytest.mark.parametrize(("percent", "text"), [
    (0, "0"), (-0.0, "0"), (0.012345, "0.0123"), (-1.5, "−1.5"), (0.0000123, "1.2e−05"),
    (12.345, "12.3")])
def test_errors_have_three_digits(percent, text):
    assert error_text(percent) == text


@pytest.mark.parametrize(("damage", "text"), [(0, "0"), (1.23e-4, "1.2e−4"), (0.3, "3.0e−1")])
def test_damage_has_two_digits(damage, text):
    assert damage_text(damage) == text


def test_every_measured_design_has_its_row_and_every_drawn_one_its_name(html):
    run = made_up_run()
    table = html[html.index('id="measured"'):]
    table = table[:table.index("</details>")]
    designs = [(result.method, one) for result in run.methods for one in result.history]
    assert table.count("<tr>") == len(designs) + 1
    for method, one in designs:
        assert f"{method}, evaluation {one.evaluation:g}: energy {one.energy:.3f}, " in html
    assert table.count("✗" if "✗" in table else "not certified, bound −2.17 points") == 1


def test_energy_by_part_adds_up_on_the_page(html):
    run = made_up_run()
    energy = html[html.index('id="energy"'):html.index('id="judged"')]
    for part, nj in run.breakdown.energy_nj.items():
        assert re.search(f'>{part}</th><td>{sum(nj):,.3f}</td>', energy)
    total = run.breakdown.array_nj
    assert f'arrays</th><td>{total:,.3f}</td><td>60.000</td>' in energy
    assert f'chip</th><td>{run.breakdown.total_nj():,.3f}</td><td>660.000</td>' in energy
    bare = render(replace(run, breakdown=None, baseline_breakdown=None), made_up_bank())
    assert "did not keep its energy by layer and part" in bare
    assert "<th scope=\"col\">cycles</th><th scope=\"col\">utilisation</th>" not in bare


def test_a_run_that_found_nothing_says_so():
    html = render(made_up_run(found=False), made_up_bank())
    assert "nothing to certify" in html
    assert "±0 %" in html


def test_same_run_same_bytes(html):
    assert render(made_up_run(), made_up_bank()) == html


def test_run_survives_a_round_trip_and_draws_the_same_report(tmp_path, html, monkeypatch, capsys):
    made_up_run().save(tmp_path / "run.json")
    save_bank(tmp_path, made_up_bank())
    run = RunResult.load(tmp_path / "run.json")
    assert render(run, load_bank(tmp_path, run)) == html
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path)])
    assert report.main() == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == html


@pytest.mark.parametrize("content", ["{}", '{"format": "autoapprox-run/2"}', "nonsense"])
def test_files_that_are_no_run_are_refused_by_name(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run\.json: "):
        RunResult.load(tmp_path / "run.json")


def test_report_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr("search.report.page.render", lambda *_arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(made_up_run(), made_up_bank(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_figure_is_a_file_with_its_data(tmp_path):
    run = made_up_run()
    write_report(run, made_up_bank(), tmp_path)
    for name in SERIES:
        svg = ElementTree.parse(tmp_path / "figures" / f"{name}.svg").getroot()
        assert svg.tag.endswith("svg")
        rows = rows_of(tmp_path, name)
        assert rows
        assert all(None not in row.values() for row in rows)
    measured = sum(len(method.history) for method in run.methods)
    assert len(rows_of(tmp_path, "pareto")) == measured
    assert len(rows_of(tmp_path, "sensitivity")) == len(run.layers) * len(run.multipliers)
    for method in run.methods:
        energies = [float(row["energy"]) for row in rows_of(tmp_path, "convergence")
                    if row["method"] == method.method]
        assert energies == sorted(energies, reverse=True)
        assert energies[-1] == pytest.approx(method.accepted.energy, abs=1e-6)


def rows_of(folder, name):
    text = (folder / "figures" / f"{name}.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def test_compensation_and_calibration_are_told(html):
    assert "given to 30 of 39 pairs" in html
    assert "93.33 %" in html  # 280 of 300, without compensation
    assert "<td>0.970</td><td>0.980</td>" in html
    bare = replace(made_up_run(), calibration=None, compensation=None, sensitivity={})
    html = render(bare, made_up_bank())
    assert "Free compensation" not in html
    assert "No method asked what damage each circuit does." in html


def test_our_rows_stand_beside_the_papers(html):
    assert "AutoApprox L (paper)" in html
    assert '<th scope="row" class="l">this run</th>' in html


def test_products_outside_the_arrays_are_on_the_page_and_survive_a_round_trip(tmp_path):
    outside = (Outside(name="fc<b>", reason="Einsum has no quantised form", share=0.031),
               Outside(name="cell", reason="LSTM multiplies step by step", share=None))
    run = made_up_run()
    run = replace(run, networks=[replace(run.networks[0], outside=outside)])
    run.save(tmp_path / "run.json")
    assert tuple(RunResult.load(tmp_path / "run.json").networks[0].outside) == outside
    page = render(run, made_up_bank())
    assert ("fc&lt;b&gt;: Einsum has no quantised form, 3.1 % of multiplications; cell: LSTM "
            "multiplies step by step, multiplications unknown.") in page
