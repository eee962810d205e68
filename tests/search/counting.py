"""A progress that remembers what it was told."""


class Counting:
    """Counts steps; `notes` are the words that came with them."""

    def __init__(self):
        self.done, self.notes = 0, []

    def advance(self, steps=1, *, note=""):
        self.done += steps
        self.notes.append(note)
