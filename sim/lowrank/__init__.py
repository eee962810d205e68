"""The paper's emulation of approximate multipliers by a truncated SVD, and what it costs."""

from sim.lowrank.comparison import Comparison, LayerChange, compare
from sim.lowrank.low_rank_product import LowRankProduct, low_rank_products
from sim.lowrank.svd import Shares, measured_shares, singular_values, truncated_svd

__all__ = ["Comparison", "LayerChange", "LowRankProduct", "Shares", "compare",
           "low_rank_products", "measured_shares", "singular_values", "truncated_svd"]
