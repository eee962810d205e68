"""Matrix products whose multiplications come from a table, bit-exact and fast."""

from sim.kernels.pack import PackedWeights
from sim.kernels.product import Kernel, TableProduct
from sim.kernels.rows import Rows

__all__ = ["Kernel", "PackedWeights", "Rows", "TableProduct"]
