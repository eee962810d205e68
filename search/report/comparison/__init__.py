"""Runs beside each other, as text."""
