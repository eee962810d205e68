"""The paper's emulation of approximate multipliers by a truncated SVD, and what it costs."""
