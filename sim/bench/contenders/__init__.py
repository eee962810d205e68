"""What is timed: this simulator and the ways of others."""
