"""Families of multipliers, a file each: builders of netlists."""
