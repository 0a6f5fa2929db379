"""Every page in a headless Chromium: nothing is asked of the network, formulas are drawn, a telephone need not scroll
sideways.
"""

from __future__ import annotations

import json
from threading import Thread

import pytest

from tinyformer.book import Book, cells

from ..browser import ABSENT, DESK, PHONE, Chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")]

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
