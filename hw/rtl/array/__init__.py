"""The bank of systolic arrays: multiplier, PE, array, router and what feeds them."""
