"""Every page in a headless Chromium: nothing is asked of the network, formulas are drawn, a telephone need not scroll
sideways.

The browser is talked to over its debugging pipe: JSON, each message ended by a zero byte, on its file descriptors 3 and
4.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import deque
from select import select
from threading import Thread

import pytest

from tinyformer.book import Book, cells

try:
    from fcntl import F_DUPFD, fcntl
except ImportError:
    pytest.skip("the browser's pipe is wired as Unix does it", allow_module_level=True)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed here")]
PHONE, DESK = (390, 844), (1300, 900)

# What a page has, once its formulas are drawn; and how it looks in a window of some size and by day or night.
READ = r"""
(async () => {
    if (window.MathJax) await MathJax.startup.promise;
    const all = selector => [...document.querySelectorAll(selector)];
    const words = document.querySelector("article")?.cloneNode(true);
    words?.querySelectorAll("pre, code, mjx-container, script, style").forEach(part => part.remove());
    const folds = all("details.hide").filter(fold => !fold.open);
    return {
        undrawn: all(".math").filter(place => !place.querySelector("mjx-container")).map(place => place.textContent),
        errors: all("[data-mml-node=merror], mjx-merror").map(place => place.textContent),
        bars: all("article span.math")
            .filter(formula => /auto|scroll/.test(getComputedStyle(formula).overflowX)).length,
        raw: (words?.textContent ?? "").match(/\$\$|\\[(\[a-z]\w*/g) ?? [],
        formulas: all("mjx-container").length,
        broken: all("article img")
            .filter(picture => !(picture.complete && picture.naturalWidth)).map(picture => picture.src),
        folds: folds.length,
        visible: folds.filter(fold => fold.querySelector("pre")?.checkVisibility()).length,
        opens: folds.filter(fold => { fold.open = true; return fold.querySelector("pre").checkVisibility(); }).length,
        answers: all("div.admonition.dropdown").length,
        shut: all("div.admonition.dropdown.toggle-hidden").length,
    };
})()
"""
LOOK = r"""
(async (dark) => {
    const light = color => {                                       // WCAG's relative luminance
        const [r, g, b] = color.match(/[\d.]+/g).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let ink, ground;
    for (let tries = 0; tries < 50; tries++) {      // the page follows the change of light later
        [ink, ground] = ["color", "backgroundColor"].map(property => light(getComputedStyle(document.body)[property]));
        if ((ground < ink) === dark) break;
        await new Promise(done => setTimeout(done, 100));
    }
    return {
        width: document.documentElement.scrollWidth,
        contrast: (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05),
        dark: ground < ink,
    };
})
"""


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


@pytest.fixture(scope="module")
def address(site):
    from tinyformer.book.site import serve
    server = serve(site, port=0)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def asks_for_nothing_else(browser, address, page):
    """What the page asked for is ours and there; but for the picture beside the address, which browsers ask for
    unasked."""
    assert browser.asked and all(url.startswith((address, "data:", "blob:"))
                                 for url in browser.asked), f"{page} asks for {browser.asked}"
    assert not [wrong for wrong in browser.wrong if not wrong.endswith("favicon.ico")], f"{page}: {browser.wrong}"


def test_every_page(site, address, browser):
    chapters = {f"{path.stem}.html": path.read_text(encoding="utf-8") for path in Book().sources()}
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)
    assert set(chapters) < set(pages)
    for page in pages:
        browser.go(address + page)
        read = browser.tell(READ)
        where = f"{page}: {read}"
        assert not any(read[fault] for fault in ("undrawn", "errors", "bars", "raw", "broken")), where
        if page in chapters:
            solutions = sum("### BEGIN SOLUTION" in cell for cell in cells(chapters[page]))
            assert read["folds"] >= solutions and read["visible"] == 0 and read["opens"] == read["folds"], where
            assert read["answers"] == read["shut"] == chapters[page].count(":class: dropdown"), where
            assert read["formulas"] >= chapters[page].count("\n$$"), where
        for size, dark in ((DESK, True), (PHONE, False)):
            browser.show(size, dark)
            look = browser.tell(f"{LOOK}({json.dumps(dark)})")
            assert look["width"] <= size[0], f"{page} is {look['width']} wide, the window {size[0]}"
            assert look["dark"] == dark and look["contrast"] >= 7, f"{page}, {'dark' if dark else 'light'}: {look}"
        asks_for_nothing_else(browser, address, page)


def test_the_search_finds_a_word(address, browser):
    browser.go(address + "search.html?q=softmax")
    assert browser.tell("""(async () => {                           // what is found comes in one by one
        for (let tries = 0; tries < 200; tries++) {
            const found = [...document.querySelectorAll("#search-results li a")].map(link => link.href);
            if (found.some(link => link.includes("09-attention"))) return true;
            await new Promise(done => setTimeout(done, 100));
        }
    })()""")
    asks_for_nothing_else(browser, address, "search.html")
