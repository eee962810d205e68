"""Verilog of a multiplier: checked, parsed in a process of its own, mapped by Yosys."""
