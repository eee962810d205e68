"""Networks and data: nothing here knows about multipliers."""
