"""The documents keep up with the code: commands run, links lead somewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from search.methods import METHODS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_anchor_is_a_heading(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_quoted_file_exists(page):
    quotes = re.findall(r"\b(?:tests|hw|sim|search|models)/[a-z0-9_/]+\.py\b", page.read_text())
    for quoted in quotes:
        assert (ROOT / quoted).exists(), quoted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_exists(page):
    """`search.problem.space`, also with a name that the module has: `hw.machine.design.Design`."""
    for name in re.findall(r"(?<![\w.])(?:hw|sim|search|models)(?:\.(?!md)\w+)+", page.read_text()):
        parts = name.split(".")
        while parts[1:] and not (ROOT.joinpath(*parts).is_dir()
                                 or ROOT.joinpath(*parts).with_suffix(".py").exists()):
            parts.pop()
        path = ROOT.joinpath(*parts)
        module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        rest = name.split(".")[len(parts):]
        assert parts[1:], name
        assert not rest or re.search(rf"\b{rest[0]}\b", module.read_text()), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page):
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_the_site_builds_with_no_broken_link(tmp_path):
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "-q", "-d", tmp_path / "site"],
                          cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {f"{page.stem}.html" for page in ROOT.glob("docs/*.md")} <= {
        path.name for path in (tmp_path / "site").iterdir()}


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", "".join(
    page.read_text() for page in PAGES)))))
def test_every_command_has_help(module):
    done = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout


def test_every_option_in_the_readme_exists():
    for module, arguments in re.findall(r"^python -m ([\w.]+) (.*)$", README, re.MULTILINE):
        source = "".join(path.read_text() for path in (ROOT / module.split(".")[0]).rglob("*.py"))
        for option in re.findall(r"--[a-z-]+", arguments):
            assert f'"{option}"' in source, f"{module} {option}"


def test_the_version_is_one_and_its_changes_are_dated():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = dict(line.split(": ", 1) for line in (ROOT / "CITATION.cff").read_text().splitlines()
                 if re.match(r"(version|date-released): ", line))
    assert cited["version"] == version
    assert f"\n## {version} - {cited['date-released']}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_every_make_target_is_phony_and_listed():
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split())
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert targets == phony
    helped = subprocess.run(["make", "help"], cwd=ROOT, text=True, capture_output=True, check=True)
    for target in phony - {"check-build-tools"}:
        assert f"make {target} " in helped.stdout


def test_every_method_is_in_the_help():
    from search.run import _parser

    text = _parser().format_help()
    assert all(name in text for name in METHODS)
