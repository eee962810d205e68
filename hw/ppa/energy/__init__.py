"""Energy of mapped netlists on operand streams: switching, glitches, PEs on layers."""
