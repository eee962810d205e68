"""How many images a mapping gets right."""
