"""A certificate from images without labels: only those on which two networks differ need any."""
