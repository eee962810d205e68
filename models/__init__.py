"""Networks and data: nothing here knows about multipliers."""

from pathlib import Path

from hw.common.interrupts import guard_start

guard_start()

ZOO = Path(__file__).parent / "zoo"  # the committed networks, each with what it is beside it
