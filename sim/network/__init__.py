"""Quantised networks as layers for the arrays and operators between them."""
