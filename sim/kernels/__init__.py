"""Matrix products whose multiplications come from a table, bit-exact and fast."""

from sim.kernels.chain_product import ChainProduct
from sim.kernels.pack import PackedWeights
from sim.kernels.rows import Rows
from sim.kernels.table_product import Kernel, TableProduct

__all__ = ["ChainProduct", "Kernel", "PackedWeights", "Rows", "TableProduct"]
