"""The figures of a report: drawn by matplotlib, named point by point, data as CSV beside them."""
