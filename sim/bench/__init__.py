"""The simulator against other ways of computing the same sums: `python -m sim.bench`."""
