"""Registers and wires: Amaranth components of the bank, and their Verilog."""
