"""Free compensation: other constants in the requantiser and other weights (docs/compensation.md).

`calibration.fit` returns a `record.Compensation`; its `apply` returns the network with it.
"""
