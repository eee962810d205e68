"""What a kept result depends on: code, whichever module it is in, and nothing but code."""

import sys
import threading

import pytest

from hw.common import code


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A package in which `a` uses `b` inside a function, and `b` uses `c`."""
    files = {"hw/__init__.py": "", "hw/common/__init__.py": "", "hw/common/say.py": "x = 1\n",
             "hw/a.py": '"""A."""\nfrom hw.common import say\ndef f():\n    "f"\n    import hw.b\n',
             "hw/b.py": "from hw import c\n", "hw/c.py": "import os\nvalue = 3  # three\n",
             "hw/other.py": "value = 4\n"}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code, "ROOT", tmp_path)

    def digest():
        code.code_digest.cache_clear()
        code._read.cache_clear()
        return code.code_digest("hw.a")

    yield tmp_path / "hw", digest
    code.code_digest.cache_clear()
    code._read.cache_clear()


def test_closure_is_what_is_imported_anywhere(tree):
    assert code.closure("hw.a") == {"hw", "hw.a", "hw.b", "hw.c"}


@pytest.mark.parametrize(("name", "text"), [
    ("c.py", "import os\nvalue = 5\n"), ("b.py", "from hw import other\n"), ("__init__.py", "x=1")])
def test_an_edit_anywhere_in_the_closure_changes_the_digest(tree, name, text):
    folder, digest = tree
    before = digest()
    (folder / name).write_text(text)
    assert digest() != before


@pytest.mark.parametrize(("name", "text"), [
    ("c.py", 'import os\n\nvalue = (3)  # drei\n'), ("other.py", "value = 5\n"),
    ("common/say.py", "x = 2\n"),
    ("a.py", "from hw.common import say\ndef f():\n    'g'\n    import hw.b\n")])
def test_prose_and_other_modules_do_not(tree, name, text):
    folder, digest = tree
    before = digest()
    (folder / name).write_text(text)
    assert digest() == before


def test_versions_of_others_count_where_they_are_imported(tree, monkeypatch):
    folder, digest = tree
    before = digest()
    monkeypatch.setattr(code, "version_of", lambda package: f"another {package}")
    assert digest() == before  # of the standard library alone
    (folder / "c.py").write_text("import numpy.linalg\n")
    other = digest()
    monkeypatch.undo()
    monkeypatch.setattr(code, "ROOT", folder.parent)
    assert digest() != other
    assert code.version_of("numpy")
    assert not code.version_of("no_such_package")


def test_lowering_decides_about_fits_and_timing_about_energies():
    assert "sim.network.lowering" in code.closure("sim.compensation.calibration")
    assert "hw.ppa.mapping.timing" in code.closure("hw.ppa.energy.stream_energy")


def test_threads_may_ask_at_once():
    interval, found = sys.getswitchinterval(), []

    def ask():
        code._read.cache_clear()
        found.append(code.closure("search.stages.cost"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(found) == 8
