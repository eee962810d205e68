"""Technology mapping: Yosys, mapped netlists, their timing, and PEs that are stored."""
