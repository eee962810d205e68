"""Exact integer factorisation of product and error tables."""

from sim.kernels.factor.factors import RANK_LIMIT, Factors, factorise, rank_one
from sim.kernels.factor.modular import exact_rank

__all__ = ["RANK_LIMIT", "Factors", "exact_rank", "factorise", "rank_one"]
