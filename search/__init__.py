"""The search: problem, calibration, methods, certificate, report."""
