"""A headless Chromium that is told what to do over two pipes (the DevTools protocol).

No driver and no socket: `--remote-debugging-pipe` reads commands from file descriptor 3 and writes
answers to 4, JSON objects that end in a zero byte.
"""

import json
import os
import select
import shutil
import subprocess
import sys
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
           "--no-first-run", "--remote-debugging-pipe")
# The copies are above 4, whatever numbers the pipes were given.
WITH_PIPES = """import os, sys
copies = [os.dup(int(pipe)) for pipe in sys.argv[1:3] for _ in range(3)][2::3]
for number, copy in zip((3, 4), copies):
    os.dup2(copy, number)
os.execv(sys.argv[3], sys.argv[3:])"""
PATIENCE_S = 60
KEYS = {"Tab": 9, "ArrowRight": 39, "Escape": 27}


class Page:
    """A page that was opened; `events` : what the browser told since."""

    def __init__(self, commands, answers):
        self.commands, self.answers, self.events, self.count = commands, answers, [], 0
        self.unread = b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method, **parameters):
        """Return the answer to a command; events before it are kept."""
        self.count += 1
        session = {"sessionId": self.session} if hasattr(self, "session") else {}
        message = {"id": self.count, "method": method, "params": parameters, **session}
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def read(self):
        """Return what the browser says next."""
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.answers], [], [], PATIENCE_S)
            some = os.read(self.answers, 2**16) if ready else b""
            assert some, "Chromium must answer"
            self.unread += some
        text, _, self.unread = self.unread.partition(b"\0")
        return json.loads(text)

    def open(self, path, fragment=""):
        """Load a file, anew: an address that differs by its fragment alone would not be."""
        for url in ("about:blank", path.resolve().as_uri() + fragment):
            self.events.clear()
            loader = self.call("Page.navigate", url=url)["loaderId"]
            while not any((event["name"], event["loaderId"]) == ("load", loader)
                          for event in self.told("Page.lifecycleEvent")):
                self.events.append(self.read())

    def told(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def run(self, script):
        """Return what a script gives."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def resize(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)

    def media(self, medium="", scheme="light"):
        self.call("Emulation.setEmulatedMedia", media=medium, features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def hover(self, selector):
        """Move the pointer to the middle of an element."""
        x, y = self.run(
            f"(() => {{ const one = document.querySelector({selector!r}); one.scrollIntoView("
            "{block: 'center'}); const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=KEYS[key])


@contextmanager
def browser(profile):
    """Give a page of a browser of its own; profile : an empty folder."""
    own_out, commands = os.pipe()
    answers, own_in = os.pipe()

    process = subprocess.Popen(
        [sys.executable, "-c", WITH_PIPES, str(own_out), str(own_in), BROWSER, *OPTIONS,
         f"--user-data-dir={profile}"], pass_fds=(own_out, own_in),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(own_out)
    os.close(own_in)
    try:
        page = Page(commands, answers)
        yield page
        del page.session
        page.call("Browser.close")
    finally:
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)
