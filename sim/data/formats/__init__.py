"""Image files, a format each."""
