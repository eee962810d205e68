"""What each step of compensation, other ranges and finer routes are worth."""
