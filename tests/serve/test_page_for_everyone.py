"""The page in a headless Chromium: languages, colors, a telephone, screen readers, keys; and its modules alone."""

import pytest

from ..browser import ABSENT, DESK, PHONE
from .browsing import LOOK, READY, choose, generated, text

pytestmark = [pytest.mark.slow, pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")]


def test_language_and_colors_are_remembered(page, letters):
    assert page.tell("document.documentElement.lang") == "en" and text(page, "#submit") == "Generate"
    generated(page, "abc", 4)
    page.point("#output .token")
    choose(page, "#language", "zh-Hans")
    assert page.tell("document.documentElement.lang") == "zh-Hans"
    assert (text(page, "#submit"), text(page, "#stop"), text(page, "#text-label")) == ("生成", "停止", "提示词")
    assert "4 个词元" in text(page, "#status") and "共 4 个" in text(page, "#token")
    choose(page, "#theme", "dark")
    dark = "getComputedStyle(document.body).backgroundColor"
    assert page.tell(dark) == "rgb(20, 23, 26)"
    page.go(letters.url + "/")
    page.until(READY)
    assert text(page, "#submit") == "生成" and page.tell(dark) == "rgb(20, 23, 26)"
    page.show(DESK, dark=True)
    choose(page, "#theme", "light")
    assert page.tell(dark) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("language", ("en", "zh-Hans"))
def test_a_telephone_by_day_and_night(page, language):
    choose(page, "#language", language)
    page.write("#text", "bad cafe " * 3)
    page.click("#attend")
    page.until("document.querySelector('#weights li')")
    page.click("#weights summary")
    page.write("#max-tokens", "30")
    page.click("#submit")
    page.until("document.querySelectorAll('#output .token').length === 30")
    page.point("#output .token")
    for size in (PHONE, DESK):
        for dark in (False, True):
            page.show(size, dark)
            page.tell("Promise.all(document.getAnimations().map(one => one.finished))")
            look = page.tell(LOOK)
            assert look["width"] <= size[0] and look["faint"] == [], (size, dark, look)


def test_screen_readers_and_keys(page):
    named = ("button", "slider", "textbox", "spinbutton", "combobox", "checkbox")
    nodes = page.do("Accessibility.getFullAXTree")["nodes"]
    controls = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes
                if not node["ignored"] and node["role"]["value"] in named]
    assert all(name for _, name in controls), controls
    for control in (("textbox", "Prompt"), ("slider", "Temperature"), ("slider", "Top-k"), ("slider", "Top-p"),
                    ("button", "Generate"), ("button", "Stop"), ("combobox", "Language"), ("combobox", "Colors"),
                    ("combobox", "Layer"), ("spinbutton", "Maximum tokens")):
        assert control in controls, controls
    page.tell("document.activeElement.blur()")
    reached = []
    for _ in range(18):
        page.press("Tab")
        reached.append(page.tell("document.activeElement.id || document.activeElement.className"))
        assert page.tell("""getComputedStyle(document.activeElement).outlineStyle !== "none"
                            && parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2"""), reached
        if reached[-1] == "attend":
            break
    assert reached[0] == "skip" and [name for name in reached if name in ("text", "temperature", "submit", "output")] \
        == ["text", "temperature", "submit", "output"] and reached[-1] == "attend"


def test_events_cut_anywhere(page):
    """The reader of streams: line ends of three kinds, comments, several lines of data, bytes of a character apart."""
    found = page.tell(r"""(async () => {
        const {events} = await import("/page/events.js");
        const text = 'data: {"a":"智"}\n\n: alive\n\ndata: one\r\ndata:two\r\n\r\nevent: x\rdata:  3\r\rdata: lost';
        const results = [];
        for (const size of [1, 2, 5, 1000]) {
            const bytes = new TextEncoder().encode(text);
            const body = new ReadableStream({start(stream) {
                for (let i = 0; i < bytes.length; i += size) stream.enqueue(bytes.slice(i, i + size));
                stream.close();
            }});
            const came = [];
            for await (const data of events(body)) came.push(data);
            results.push(came);
        }
        return results;
    })()""")
    assert found == [['{"a":"智"}', "one\ntwo", " 3"]] * 4


def test_tokens_find_their_text(page):
    found = page.tell(r"""(async () => {
        const {aligned} = await import("/page/pieces.js");
        const cut = (text, ...names) => aligned(text, names.map(token => ({token})))
            .map(piece => [piece.text, piece.tokens.map(({token}) => token).join("|")]);
        return [cut("a智b", "a", "\\xe6\\x99", "\\xba", "b"), cut("智能", "智能"), cut("a��", "a", "\\xff", "\\xe6"),
                cut("play", "play", "##ed"), cut("\\", "\\"), cut("", "\\xe6"), cut("", ...[])];
    })()""")
    assert found == [[["a", "a"], ["智", r"\xe6\x99|\xba"], ["b", "b"]], [["智能", "智能"]], [["a��", r"a|\xff|\xe6"]],
                     [["play", "play|##ed"]], [["\\", "\\"]], [["", r"\xe6"]], []]


def test_answers_that_go_wrong(page):
    """A stream without its end, an error within it, an answer of something else than the server, no answer."""
    found = page.tell(r"""(async () => {
        const {stream} = await import("/page/api.js");
        const real = window.fetch;
        const got = async answer => {
            window.fetch = answer;
            const came = [];
            try {
                for await (const one of stream("/v1/completions", {})) came.push(one.a);
            } catch (error) {
                came.push(error.message);
            } finally {
                window.fetch = real;
            }
            return came;
        };
        const event = 'data: {"a": 1}\n\n';
        return [await got(async () => new Response(event + "data: [DONE]\n\n")),
                await got(async () => new Response(event)),
                await got(async () => new Response(event + 'data: {"error": {"message": "it failed"}}\n\n')),
                await got(async () => new Response("<html>", {status: 502, statusText: "Bad Gateway"})),
                await got(async () => { throw new TypeError("Failed to fetch"); })];
    })()""")
    assert found == [[1], [1, "The answer ended too early: the connection to the server was lost."], [1, "it failed"],
                     ["502 Bad Gateway"], ["The server does not answer."]]
