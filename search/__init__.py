"""The search: problem, calibration, methods, certificate, report."""

from hw.common.interrupts import guard_start

guard_start()
