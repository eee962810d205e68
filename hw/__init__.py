"""Hardware: netlists, multipliers, RTL and the cost of all of them."""
