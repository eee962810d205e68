"""Matrix products whose multiplications come from a table, bit-exact and fast."""

from sim.kernels.product import Kernel, TableProduct

__all__ = ["Kernel", "TableProduct"]
