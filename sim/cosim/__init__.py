"""Whole networks on the emitted RTL: `python -m sim.cosim`."""
