"""Verilog of a design, of a PE or of a multiplier: `emission`, and `python -m hw.rtl.verilog`."""
