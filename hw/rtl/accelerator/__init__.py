"""The accelerator around the bank: memories, requantiser, sequencer."""
