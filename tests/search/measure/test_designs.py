"""A design is measured once, whoever asks."""

from search.measure.designs import Measured, key, once


def test_what_is_known_is_not_measured_again_and_answers_keep_their_order():
    asked = []

    def measure(mappings):
        asked.extend(mappings)
        return [Measured(right=(len(mapping["a"]),), lost=(0,), damages=(0.0,))
                for mapping in mappings]

    one, two, three = ({"a": "x" * size} for size in (1, 2, 3))
    known = {key(two): Measured(right=(99,), lost=(0,), damages=(0.0,))}
    remembered = once(measure, known)
    assert [found.right for found in remembered([three, two, one, three])] == [
        (3,), (99,), (1,), (3,)]
    assert [found.right for found in remembered([one])] == [(1,)]
    assert asked == [three, one]
    assert len(known) == 1  # what was handed in is left as it is


def test_key_ignores_order_and_nothing_else():
    assert key({"a": "x", "b": "y"}) == key({"b": "y", "a": "x"})
    assert len({key({"a": "x", "b": "y"}), key({"a": "y", "b": "x"}), key({"a": "x"})}) == 3
