"""The compiled loops, each beside what it computes: `<loop>_reference`, in a few lines of NumPy."""
