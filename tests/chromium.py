"""A headless Chromium, spoken to by its DevTools protocol over a pipe; PROGRAM is None where there is none."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
           "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe"]


class Page:
    """A tab with a file open in it. `events` are all that the browser has reported of it."""

    def __init__(self, write, read):
        self.write, self.read, self.ids, self.session, self.events = write, read, itertools.count(1), None, []

    def send(self, method, **params):
        """The result of a command; raises AssertionError with the browser's words where there is none."""
        own = next(self.ids)
        message = {"id": own, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while (answer := self.next_message()).get("id") != own:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def next_message(self):
        text = bytearray()
        while (letter := self.read.read(1)) != b"\0":
            assert letter, "the browser has closed its pipe"
            text += letter
        return json.loads(text)

    def open(self, file: Path, width=1280, height=900):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(width, height)
        self.events.clear()
        self.send("Page.navigate", url=file.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.next_message())

    def resize(self, width, height, scale=1):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=width < 700)

    def run(self, code):
        """The value of JavaScript, of a promise once it is settled."""
        answer = self.send("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key, text=None):
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, **({"text": text} if text else {}))

    def screenshot(self, clip=None) -> bytes:
        options = {"captureBeyondViewport": True, "clip": clip | {"scale": 1}} if clip else {}
        return base64.b64decode(self.send("Page.captureScreenshot", **options)["data"])


@contextmanager
def browser():
    """A Page in a browser of its own."""
    to_browser, write = os.pipe()
    read, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        def as_three_and_four():
            spare = [os.dup(to_browser), os.dup(from_browser)]  # they themselves may be 3 and 4
            for number, end in enumerate(spare, 3):
                os.dup2(end, number)
                os.set_inheritable(number, True)

        process = subprocess.Popen([PROGRAM, *OPTIONS, f"--user-data-dir={folder}"], preexec_fn=as_three_and_four,
                                   close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        with os.fdopen(write, "wb") as write, os.fdopen(read, "rb") as read:
            try:
                yield Page(write, read)
            finally:
                process.kill()
                process.wait()
