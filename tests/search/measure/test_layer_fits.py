"""Fits of layers: made once of equal networks, images, kinds, tables and code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw.common import code
from hw.common.records import encoded
from hw.multipliers import get
from models.data import load_digits_split
from search.measure.engine.threads import start_threads
from search.measure.layer_fits import layer_fits
from sim.compensation.calibration import Calibration
from sim.network.quant_network import QuantNetwork
from sim.tables import pe_table

ROOT = Path(__file__).parents[3]
PACKAGES = ("hw", "models", "search", "sim")
NAMES = ("mul8u_exact", "mul8u_trunc_c9")
TABLES = {name: pe_table(get(name)) for name in NAMES}
ENGINE = start_threads(1)  # one task after the other


def load(images):
    return QuantNetwork.load(ROOT / "models" / "zoo" / "digits.onnx", images)


@pytest.fixture(scope="module")
def setting(module_cache):
    images = load_digits_split("calibrate").images[:16]
    return load(images), images, "weights+affine"


@pytest.fixture(scope="module")
def found(setting):
    return encoded(layer_fits(*setting, TABLES, engine=ENGINE))


@pytest.fixture
def fitted(monkeypatch):
    """Return the tables of each fitting, layer by layer."""
    asked, alone = [], Calibration.alone
    monkeypatch.setattr(Calibration, "alone", lambda own, tables, kind: asked.append(
        {layer: list(row) for layer, row in tables.items()}) or alone(own, tables, kind))
    return asked


@pytest.mark.usefixtures("empty_cache")
def test_fits_are_made_once(setting, found, fitted):
    names = list(found)
    done = []
    layer_fits(*setting, {NAMES[1]: TABLES[NAMES[1]]}, engine=ENGINE, done=done.append)
    assert done == names
    assert encoded(layer_fits(*setting, TABLES, engine=ENGINE)) == found
    assert encoded(layer_fits(*setting, TABLES, engine=ENGINE)) == found
    assert fitted == [{layer: [name] for layer in names} for name in NAMES[::-1]]


@pytest.mark.usefixtures("empty_cache")
def test_an_interrupted_fitting_goes_on(setting, found, fitted):
    def stop(layer):
        if layer == names[2]:
            raise KeyboardInterrupt

    names = list(found)
    with pytest.raises(KeyboardInterrupt):
        layer_fits(*setting, TABLES, engine=ENGINE, done=stop)
    done = []
    assert encoded(layer_fits(*setting, TABLES, engine=ENGINE, done=done.append)) == found
    assert list(fitted[1]) == names[3:]
    assert done == names


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("change", ["images", "kind", "network", "tables"])
def test_fits_of_something_else_are_not_found(setting, found, change):
    network, images, kind = setting
    layer_fits(load(images[:8]) if change == "network" else network,
               images[::-1] if change == "images" else images,
               "affine" if change == "kind" else kind,
               dict(zip(NAMES, map(TABLES.get, NAMES[::-1]), strict=True))
               if change == "tables" else TABLES, engine=ENGINE)
    assert encoded(layer_fits(*setting, TABLES, engine=ENGINE)) == found


# --- code -----------------------------------------------------------------------------

FIT = """
import json
from hw.common.records import encoded
from hw.multipliers import get
from models.data import load_digits_split
from search.measure.engine.threads import start_threads
from search.measure.layer_fits import layer_fits
from sim.network.quant_network import QuantNetwork
from sim.tables import pe_table
images, done = load_digits_split("calibrate").images[:16], []
fits = layer_fits(QuantNetwork.load("models/zoo/digits.onnx", images), images, "weights+affine",
                  {name: pe_table(get(name)) for name in NAMES}, engine=start_threads(2),
                  done=done.append)
print(json.dumps([len(done), encoded(fits)]))
"""


def after_edit(folder, file, before, after):
    """Return how many layers a copy of the project fits after an edit, and all its fits."""
    path = folder / file
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    process = subprocess.run([sys.executable, "-c", f"NAMES = {NAMES}\n{FIT}"], cwd=folder,
                             capture_output=True, text=True, check=False,
                             env={**os.environ, "PYTHONPATH": str(folder)})
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_an_edit_of_the_lowering_fits_anew_and_prose_does_not(found, tmp_path):
    for name in PACKAGES:  # with what was compiled of it
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("results"))
    lowering = "sim/network/lowering.py"
    assert after_edit(tmp_path, lowering, '"""Return the bias in accumulator units',
                      '# The bias.\n    """Return the bias in units') == [0, found]
    fitted, fits = after_edit(tmp_path, lowering, "quantised.scale * beta / sum_scale",
                              "quantised.scale * beta / sum_scale * 2")
    assert fitted == len(found)
    assert fits != found


def test_an_edit_of_any_module_behind_a_fit_counts(monkeypatch):
    module, read = "search.measure.layer_fits", code._read
    closure = code.closure(module)
    assert {"sim.network.lowering", "sim.compensation.calibration", "sim.compensation.moments",
            "sim.kernels"} <= closure
    digests = {code.code_digest(module)}
    for edit in closure:
        monkeypatch.setattr(code, "_read", lambda name, edit=edit: (
            ("edited", *read(name)[1:]) if name == edit else read(name)))
        digests.add(code.code_digest.__wrapped__(module))
    assert len(digests) == len(closure) + 1
