"""How images are cut for tasks."""

from __future__ import annotations

UNIT = 32  # images; float networks are run in such batches, smaller chunks cost more than they save
TASK_MACS = 60e9  # of a task for one mapping: about a second of a core (docs/scale.md)


def chunk_size(images: int, macs: int, width: int) -> int:
    """Return images in a chunk, whole units: one for each task that is done at a time, at least.

    macs : multiplications of an image. width : tasks that are done at a time.
    """
    units = min(-(-images // (width * UNIT)), round(TASK_MACS / (macs * UNIT)))
    return UNIT * max(units, 1)
