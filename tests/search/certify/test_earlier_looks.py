"""Earlier looks at certify images are counted, whatever their order, seed or end was."""

import numpy as np
import pytest

from search.certify import earlier_looks as ledger
from search.certify.earlier_looks import FILE, Seen, images_of, looks, seen, write


def look(run, images):
    return ledger.Look(run=run, images=images, chosen_on=images[:1])


def keys(*numbers):
    """Return keys of made-up images."""
    return np.array([bytes([number]) * 16 for number in numbers], "V16")


def test_order_and_repetition_of_images_do_not_count():
    one = images_of([keys(3, 1, 2)])
    assert np.array_equal(one, images_of([keys(1, 2), keys(2, 3)]))
    assert len(one) == 3


def test_runs_and_images_seen():
    images = images_of([keys(1, 2, 3, 4)])
    assert seen(images, []) == Seen()
    before = [look(name, images_of([keys(*numbers)])) for name, numbers in (
        ("same", [1, 2]), ("part", [2, 3, 9]), ("other", [8, 9]))]
    assert seen(images, before) == Seen(runs=2, images=3)
    assert seen(images, before[2:]) == Seen()


def test_what_runs_leave_is_found_by_others(tmp_path):
    images = images_of([keys(1, 2)])
    assert looks(tmp_path / "absent", "a", resume=False) == ([], [])
    write(tmp_path / "a", look("a", images), [])
    write(tmp_path / "b.unfinished", look("b", images), [])  # killed while or after it judged
    write(tmp_path / ".a.replaced", look("a", images), [])
    (tmp_path / "c").mkdir()
    found, own = looks(tmp_path, "c", resume=False)
    assert [look.run for look in found] == ["a", "b"]
    assert own == []
    assert np.array_equal(found[0].images, images)


def test_a_run_that_replaces_another_goes_on_with_its_list(tmp_path):
    images = images_of([keys(1, 2)])
    for _ in range(3):
        _, own = looks(tmp_path, "a", resume=False)
        write(tmp_path / "a", look("a", images), own)
    found, own = looks(tmp_path, "a", resume=False)
    assert len(found) == len(own) == 3


def test_a_resumed_run_does_not_count_itself(tmp_path):
    images = images_of([keys(1, 2)])
    write(tmp_path / "a.unfinished", look("a", images), [look("a", images)])
    found, own = looks(tmp_path, "a", resume=True)
    assert len(found) == len(own) == 1
    assert len(looks(tmp_path, "b", resume=True)[0]) == 2


def test_a_replacement_that_was_interrupted_is_counted_once(tmp_path):
    """It has the list of what it is to replace once it judges; before that it has none."""
    images = images_of([keys(1, 2)])
    write(tmp_path / "a", look("a", images), [])
    (tmp_path / "a.unfinished").mkdir()
    for resume in (False, True):
        assert [len(part) for part in looks(tmp_path, "a", resume=resume)] == [1, 1]
    write(tmp_path / "a.unfinished", look("a", images), looks(tmp_path, "a", resume=False)[1])
    assert [len(part) for part in looks(tmp_path, "a", resume=False)] == [2, 2]
    assert [len(part) for part in looks(tmp_path, "a", resume=True)] == [1, 1]
    assert [len(part) for part in looks(tmp_path, "b", resume=True)] == [2, 0]


@pytest.mark.parametrize("content", [
    "", "[]", "null", "nonsense", '{"format": "autoapprox-certified/2"}', '{"format": "other"}',
    '{"format": "autoapprox-certified/2", "looks": [3]}',
    '{"format": "autoapprox-certified/2", "looks": [{"run": "a", "images": "?", "chosen_on": ""}]}',
    '{"format": "autoapprox-certified/2", "looks": [{"run": "a", "images": "AAAA"}]}',
    '{"format": "autoapprox-certified/2", "looks": [{"run": "a", "images": 7, "chosen_on": ""}]}',
    '{"format": "autoapprox-certified/2", "looks": {"run": 1}}'])
def test_what_is_no_list_of_looks_is_passed_over(tmp_path, content):
    write(tmp_path / "good", look("good", images_of([keys(1)])), [])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE).write_text(content)
    (tmp_path / "worse" / FILE).mkdir(parents=True)
    assert [look.run for look in looks(tmp_path, "new", resume=False)[0]] == ["good"]
