"""From PEs to arrays, and from arrays to a chip."""
