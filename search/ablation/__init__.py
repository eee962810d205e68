"""What each step of compensation is worth."""
