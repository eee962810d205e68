"""Evolution of multiplier circuits under an error limit."""
