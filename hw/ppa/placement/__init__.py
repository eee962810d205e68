"""Placement: where the cells of a PE lie, and how long the wires between them are."""
