"""AXI around the accelerator: streams, registers and an interrupt."""
