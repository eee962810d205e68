"""What must be the same where tasks are done is told by name where it is not."""

import platform

from search.measure.engine.release import difference, release


def test_a_difference_is_told_by_name():
    assert release()["Python"] == platform.python_version()
    assert difference(release()) == ""
    own = dict(release())
    assert difference({**own, "numpy": "1.0", "code": "abc"}) == (
        f"numpy {own['numpy']} instead of 1.0, code {own['code']} instead of abc")
