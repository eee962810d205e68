"""Networks and data: nothing here knows about multipliers."""

from pathlib import Path

ZOO = Path(__file__).parent / "zoo"  # the committed networks, each with what it is beside it
