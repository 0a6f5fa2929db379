"""A headless Chromium that a test drives as a person would: pointer, keys, the size of the window, light or dark.

The browser is talked to over its debugging pipe: JSON, each message ended by a zero byte, on its file descriptors 3 and
4.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections import deque
from pathlib import Path
from select import select

try:
    from fcntl import F_DUPFD, fcntl
except ImportError:
    fcntl = None

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Why there is no browser here, or None.
ABSENT = ("the browser's pipe is wired as Unix does it" if fcntl is None else
          "Chromium is not installed here" if CHROMIUM is None else None)
PHONE, DESK = (390, 844), (1300, 900)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "Left": 37, "Up": 38, "Right": 39,
        "Down": 40}


class Chromium:
    """A browser with one page.

    Everything that the page asks for and every error that it has is noted, until it goes to the next.
    """

    def __init__(self, profile):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}",
                 "--remote-debugging-pipe"]

        def as_3_and_4():
            spare = [fcntl(end, F_DUPFD, 10) for end in (theirs_in, theirs_out)]    # the pipes may themselves be 3 or 4
            os.dup2(spare[0], 3), os.dup2(spare[1], 4)

        self._process = subprocess.Popen([CHROMIUM, *quiet], preexec_fn=as_3_and_4, pass_fds=(3, 4),
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in), os.close(theirs_out)
        self._number, self._rest, self._waiting, self._session = 0, b"", deque(), None
        self.asked, self.wrong = [], []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._out), os.close(self._in)

    def do(self, method, **parameters):
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            came = self._message()
            if came.get("id") == self._number:
                assert "error" not in came, f"{method}: {came['error']}"
                return came["result"]
            self._waiting.append(came)

    def show(self, size=DESK, dark=False):
        """Change the size of the window, and whether the reader likes it dark."""
        self.do("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1,
                mobile=size == PHONE)
        self.do("Emulation.setEmulatedMedia",
                features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def go(self, url):
        """Open a page and wait until it is loaded."""
        self.show()
        self._waiting.clear()
        self.asked, self.wrong = [], []
        self.do("Page.navigate", url=url)
        while True:
            came = self._waiting.popleft() if self._waiting else self._message()
            self._note(came)
            if came.get("method") == "Page.loadEventFired":
                return

    def tell(self, script):
        """What a line of JavaScript gives, or what it promises."""
        result = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        while self._waiting:
            self._note(self._waiting.popleft())
        return result["result"].get("value")

    def until(self, script, seconds=20):
        """Wait until a line of JavaScript gives something that JavaScript takes for true."""
        end = time.monotonic() + seconds
        while not self.tell(f"Boolean({script})"):
            assert time.monotonic() < end, f"{script} is not true after {seconds} s"
            time.sleep(0.05)

    def place(self, selector):
        """The middle of the element that ``selector`` finds, scrolled into the window."""
        found = self.tell(f"""(() => {{
            const node = document.querySelector({json.dumps(selector)});
            if (!node) return null;
            node.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = node.getClientRects()[0];
            return box && [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        assert found, f"{selector} is not to be seen"
        return found

    def point(self, selector):
        """Move the pointer over an element."""
        x, y = self.place(selector)
        self.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector):
        """Click on an element with the pointer."""
        x, y = self.place(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key, ctrl=False):
        """Press and release a key where the focus is."""
        name = f"Arrow{key}" if key in ("Left", "Up", "Right", "Down") else key
        code = {"key": name, "code": name, "windowsVirtualKeyCode": KEYS[key], "modifiers": 2 * ctrl}
        self.do("Input.dispatchKeyEvent", type="rawKeyDown", **code)
        if key in ("Enter", " ") and not ctrl:
            self.do("Input.dispatchKeyEvent", type="char", text=key.replace("Enter", "\r"), **code)
        self.do("Input.dispatchKeyEvent", type="keyUp", **code)

    def write(self, selector, text):
        """Click into a field, and type ``text`` in place of what it holds."""
        self.click(selector)
        self.tell("document.activeElement.select()")
        self.do("Input.insertText", text=text)

    def picture(self, path):
        """The whole page as a PNG file."""
        page = self.do("Page.captureScreenshot", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(page["data"]))

    def _note(self, came):
        method, said = came.get("method"), came.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(said["request"]["url"])
        elif method == "Network.responseReceived" and said["response"]["status"] >= 400:
            self.wrong.append(said["response"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.wrong.append(said["exceptionDetails"]["text"])

    def _message(self):
        while b"\0" not in self._rest:
            assert select([self._in], [], [], 60)[0], "Chromium has been silent for a minute"
            came = os.read(self._in, 1 << 20)
            assert came, "Chromium has ended"
            self._rest += came
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)
