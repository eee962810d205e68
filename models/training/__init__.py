"""Training: the embedded network, and architectures on images of the user's (needs torch)."""
