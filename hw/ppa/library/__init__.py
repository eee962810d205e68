"""Cell libraries: Liberty files, and the figures that are kept of them."""
