"""The documents keep up with the code: commands run, links lead somewhere."""

import re
import subprocess
import sys
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page):
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


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
