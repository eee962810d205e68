"""What the self-test says and how: lines of text over a serial line."""
