"""The hardware as software sees it: tile model, instruction level, compiled Verilog."""
