"""Every kind of damage to every value of a JSON file, for tests of what reads it."""

import copy
import json

import numpy as np

from hw.common.errors import InputError

MISSING, TWICE = object(), object()
VALUES = (None, True, -1, 0, 1.5, 1e308, 10**19, "x", "", [], {}, [[]], {"x": 1})


def places(content, place=()):
    """Yield the path of every value, keys and indices, that of the whole first."""
    yield place
    entries = content.items() if isinstance(content, dict) else \
        enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield from places(value, (*place, key))


def mutated(content, place, change):
    """Return a copy with one value replaced, left out, or doubled (in a list)."""
    if not place:
        return change
    result = copy.deepcopy(content)
    *outer, last = place
    inside = result
    for key in outer:
        inside = inside[key]
    if change is MISSING:
        del inside[last]
    elif change is TWICE:
        if isinstance(inside, list):
            inside.insert(last, inside[last])
        else:
            inside[f"{last}2"] = inside[last]
    else:
        inside[last] = change
    return result


def mutations(content, *, most, seed=0):
    """Yield (what was done, changed content): at most so many, of all kinds and places.

    Places that differ only in indices are of one kind, and every kind comes before a second of it.
    """
    generator = np.random.default_rng(seed)
    kinds = {}
    for place in places(content):
        kind = tuple(0 if isinstance(key, int) else key for key in place)
        kinds.setdefault(kind, []).append(place)
    chosen = []
    for found in kinds.values():
        place = found[generator.integers(len(found))]
        changes = VALUES if not place else (*VALUES, MISSING, TWICE)
        chosen += [(place, change) for change in changes]
    order = generator.permutation(len(chosen))[:most]
    for index in order:
        place, change = chosen[index]
        if change in (MISSING, TWICE) and not place:
            continue
        name = {id(MISSING): "missing", id(TWICE): "twice"}.get(id(change), repr(change))
        yield f"{place} {name}", mutated(content, place, change)


def check_reader(read, content, path, *, most, seed=0):
    """Check that `read(path)` takes or refuses every mutation of a file, and some of either.

    A refusal is InputError: one line that begins with the path.
    """
    path.write_text(json.dumps(content))
    read(path)
    taken = refused = 0
    for what, changed in mutations(content, most=most, seed=seed):
        path.write_text(json.dumps(changed))
        message = None
        try:
            read(path)
        except InputError as error:
            message = str(error)
        except Exception as error:
            raise AssertionError(f"{what}: {error!r}") from error
        if message is None:
            taken += 1
        else:
            refused += 1
            assert message.startswith(f"{path}: "), f"{what}: {message}"
            assert "\n" not in message, what
            assert len(message) < 600, what
    assert min(taken, refused) > 0
