"""Hardware: netlists, multipliers, RTL and the cost of all of them."""

from hw.common.interrupts import guard_start

guard_start()
