"""The golden model: networks computed bit for bit as the arrays would."""

from hw.common.interrupts import guard_start

guard_start()
