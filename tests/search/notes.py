"""Notes in memory, as a store would give them back."""

import json


class Noted(dict):
    def note(self, name):
        text = self.get(name)
        return None if text is None else json.loads(text)

    def keep_note(self, name, value):
        self[name] = json.dumps(value)
