"""Scores by a function of the user's: called a sample at a time, refused in one clear line."""

import numpy as np
import pytest

from hw.common.errors import InputError
from search.measure.metric import check_metric
from search.measure.scores import check_name, scores

OUTPUTS = np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], np.float32)
LABELS = np.array([1, 1, 0])


@pytest.fixture
def told(tmp_path):
    """Write a file; return the metric that names its function `mine`."""
    def write(text):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        return f"score:{path}:mine"
    return write


def test_the_function_sees_one_sample_and_its_label(told):
    metric = told("def mine(outputs, label):\n    assert outputs.shape == (2,)\n"
                  "    assert type(label) is int\n    outputs[label] += 0\n"
                  "    return outputs[label]\n")
    check_metric(metric)
    assert scores(metric, OUTPUTS, LABELS) == pytest.approx([0.8, 0.4, 0.5])


@pytest.mark.parametrize(("text", "message"), [
    ("def mine(outputs, label):\n    return label / 0\n",
     r":2: mine must return a score of sample 0, not raise ZeroDivisionError: division by zero$"),
    ("def mine(outputs, label):\n    return 2.0\n",
     r"\.py: mine must return a number from 0 to 1, not 2\.0 for sample 0$"),
    ("def mine(outputs, label):\n    return float('nan')\n", r"must return a number from 0 to 1"),
    ("def mine(outputs, label):\n    return None\n",
     r"must return a number from 0 to 1, not None for sample 0$")])
def test_what_a_function_may_not_do(told, text, message):
    metric = told(text)
    with pytest.raises(InputError, match=message) as found:
        scores(metric, OUTPUTS, LABELS)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("text", "message"), [
    ("x = 1\nraise KeyError('a')\n", r":2: must be Python that runs, not raise KeyError"),
    ("def mine(:\n", r":1: must be Python that runs, not raise SyntaxError"),
    ("yours = 1\n", r"must have a function mine, but has none$")])
def test_files_that_are_none_are_refused_before_any_work(told, text, message):
    with pytest.raises(InputError, match=message):
        check_metric(told(text))


@pytest.mark.parametrize(("metric", "message"), [
    ("mIoU", "a ratio of sums over all samples"), ("map", "a ranking of all samples"),
    ("perplexity", "tokens depend on each other"), ("score:my.py:macro_f1", "a ratio of sums"),
    ("score:none.py:mine", r"^none\.py: must be a Python file with a function mine"),
    ("score:mine", "Metric must be score:FILE.py:FUNCTION, not 'score:mine'"),
    ("top2", "metric")])
def test_metrics_that_are_none_are_refused_by_name(metric, message):
    with pytest.raises(InputError, match=message):
        check_metric(metric)


def test_other_names_are_nobodys_business():
    check_name("score:my.py:dice_of_one_image")
    check_name("top1")


def test_a_file_is_run_once(told, tmp_path):
    metric = told("from pathlib import Path\nruns = Path(__file__).with_name('runs')\n"
                  "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
                  "def mine(outputs, label): return 1\n")
    for _ in range(2):
        scores(metric, OUTPUTS, LABELS)
    assert (tmp_path / "runs").read_text() == "x"
