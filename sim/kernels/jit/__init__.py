"""Loops compiled in the process, the memory that they are given, and the threads that run them."""
