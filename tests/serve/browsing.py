"""The server's page as a person uses it, for the tests in a browser: what is shown, and what is done first."""

from __future__ import annotations

import json

READY = "document.querySelector('#model').textContent && !document.querySelector('#submit').disabled"
IDLE = "document.querySelector('#stop').disabled && document.querySelector('#status').textContent.includes(' s')"
OUTPUT = "document.querySelector('#output').textContent"
# How wide the page is, and what has less contrast than WCAG's 4.5: [text, contrast].
LOOK = r"""
(() => {
    const parts = color => {                                        // [red, green, blue, opacity], 0 to 1
        const numbers = color.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
        const scale = color.startsWith("rgb") ? 255 : 1;
        return [...numbers.slice(0, 3).map(x => x / scale), numbers[3] ?? 1];
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((x, i) => a * x + (1 - a) * below[i]);
    const ground = node => {
        if (!node) return [1, 1, 1];
        const color = parts(getComputedStyle(node).backgroundColor);
        return color[3] === 1 ? color.slice(0, 3) : over(color, ground(node.parentElement));
    };
    const channel = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const faint = [];
    for (const node of document.querySelectorAll("h1, h2, p, label, legend, button:enabled, th, td, output, summary, "
                                                 + "#output .token, .strip span")) {
        if (!node.checkVisibility() || !node.textContent.trim()) continue;
        const pair = [light(parts(getComputedStyle(node).color)), light(ground(node))];
        const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        if (contrast < 4.5) faint.push([node.textContent, contrast]);
    }
    return {width: document.documentElement.scrollWidth, faint};
})()
"""


def opened(browser, client):
    browser.go(client.url + "/")
    browser.tell("localStorage.clear()")
    browser.go(client.url + "/")
    browser.until(READY)
    return browser


def text(browser, selector):
    return browser.tell(f"document.querySelector({json.dumps(selector)}).textContent")


def texts(browser, selector):
    return browser.tell(f"[...document.querySelectorAll({json.dumps(selector)})].map(node => node.textContent)")


def choose(browser, selector, value):
    """Choose in a list, as the browser does after a click on an entry."""
    browser.tell(f"""(() => {{
        const list = document.querySelector({json.dumps(selector)});
        list.value = {json.dumps(value)};
        list.dispatchEvent(new Event("change", {{bubbles: true}}));
    }})()""")


def generated(browser, prompt, tokens, keys=True):
    browser.write("#max-tokens", str(tokens))
    browser.write("#text", prompt)
    browser.press("Enter", ctrl=True) if keys else browser.click("#submit")
    browser.until(IDLE)
    return browser.tell(OUTPUT)
