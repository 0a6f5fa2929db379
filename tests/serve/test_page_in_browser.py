"""The server's page in a headless Chromium, used as a person uses it: typing, sliders, pointer, keys, a telephone."""

import http.client
import json
import math

import numpy as np
import pytest

from tinyformer.models import GPT, MLP, Bert, BertConfig, GPTConfig, MLPConfig
from tinyformer.models.encoder import EncoderClassifier, EncoderConfig
from tinyformer.text import CharTokenizer, WordPieceTokenizer
from tinyformer.text.ngrams import NGramTokenizer
from tinyformer.train.classes import save_classes

from ..browser import ABSENT, DESK, PHONE, Chromium
from .conftest import sharpened

pytestmark = [pytest.mark.slow, pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")]
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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def letters(serving, tmp_path_factory):
    """A GPT of characters, whose random text has line ends in it."""
    folder = tmp_path_factory.mktemp("models") / "letters"
    tokenizer = CharTokenizer.train("abcdefgh \n")
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=32, n_layer=2, n_head=2, n_embd=32))
    sharpened(model).save_pretrained(folder)
    tokenizer.save(folder / "tokenizer.json")
    return serving(folder)


@pytest.fixture
def page(browser, letters):
    """The page of ``letters``. At the end: all it asked for was the server's, and nothing went wrong unseen."""
    yield opened(browser, letters)
    assert browser.asked and all(url.startswith(letters.url) for url in browser.asked), browser.asked


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


def test_type_and_read(page, letters):
    page.click("#temperature")
    page.press("Home")                                              # the slider's lowest value
    assert text(page, "#temperature-value") == "0.00"
    said = letters.complete("a bad cafe", temperature=0, max_tokens=20)["choices"][0]["text"]
    assert generated(page, "a bad cafe", 20) == said
    assert text(page, "#status").startswith("20 tokens in ") and "maximum" in text(page, "#status")
    assert generated(page, "a bad cafe", 5, keys=False) == said[:5]          # the second text replaces the first
    assert page.tell("document.activeElement.id") == "submit"       # the focus came back from Stop
    assert page.wrong == []


def test_settings_are_sent(page, letters):
    page.write("#seed", "7")
    page.click("#temperature")
    page.press("End")
    page.click("#top-k")
    page.press("Home")
    assert text(page, "#top-k-value") == "all"
    page.press("Right"), page.press("Right"), page.press("Right")
    page.click("#top-p")
    page.press("End"), page.press("Left")
    assert (text(page, "#temperature-value"), text(page, "#top-k-value"), text(page, "#top-p-value")) == (
        "2.00", "3", "0.95")
    said = letters.complete("abc", temperature=2, top_k=3, top_p=0.95, seed=7, max_tokens=30)["choices"][0]["text"]
    assert generated(page, "abc", 30) == said


@pytest.mark.parametrize("how", ("button", "key"))
def test_stop(page, letters, how):
    page.write("#max-tokens", "4096")
    page.write("#text", "a")
    page.click("#submit")
    page.until(f"{OUTPUT}.length > 20")
    assert page.tell("document.querySelector('#submit').disabled && document.activeElement.id === 'stop'")
    assert page.tell("document.querySelector('#output').ariaBusy") == "true"
    page.click("#stop") if how == "button" else page.press("Escape")
    page.until(IDLE)
    stopped = page.tell(OUTPUT)
    assert 20 < len(stopped) < 4096 and "You stopped the model" in text(page, "#status")
    for _ in range(100):                                            # the server drops the text before its next step
        if "tinyformer_requests_running 0.0" in letters.get("/metrics").body.decode():
            break
        page.tell("new Promise(done => setTimeout(done, 50))")
    else:
        pytest.fail("the server still computes")
    assert page.tell(OUTPUT) == stopped


def test_probabilities_under_the_pointer_and_by_keys(page, letters):
    page.write("#seed", "3")
    said = generated(page, "abc", 12)
    found = letters.complete("abc", temperature=0.8, seed=3, max_tokens=12, logprobs=5)["choices"][0]
    assert found["text"] == said and texts(page, "#output .token") == list(said)

    def shown(i):
        page.until(f"document.querySelector('#token').textContent.includes('Token {i + 1} of 12')")
        top = found["logprobs"]["top_logprobs"][i]
        chosen = found["logprobs"]["tokens"][i]
        values = sorted({**top, chosen: found["logprobs"]["token_logprobs"][i]}.values(), reverse=True)
        numbers = [float(cell.rstrip("%")) for cell in texts(page, "#token td.number")]
        assert numbers == pytest.approx([100 * math.exp(value) for value in values], abs=0.06)
        taken, = texts(page, "#token tr.taken")
        assert "✓" in taken and taken[0] == {" ": "␣", "\n": "↵"}.get(chosen, chosen)

    page.point("#output .token:nth-child(5)")
    shown(4)
    assert text(page, "#token-said") == ""                          # not read aloud while a pointer passes
    page.tell("document.querySelector('#output').focus()")
    page.press("Right")
    shown(5)
    assert text(page, "#token-said").startswith("Token 6: ")
    page.press("Left"), page.press("Left")
    shown(3)
    page.press("End")
    shown(11)
    assert page.tell("document.querySelector('#next').disabled")
    page.press("Home")
    shown(0)
    page.click("#next")
    shown(1)
    page.click("#previous")
    shown(0)
    assert page.tell("document.activeElement.id") == "next"         # the other button, now that this one is disabled


def test_characters_of_several_tokens(browser, client):
    """Bytes of a Chinese character come as one piece, whose panel has a table for each token."""
    opened(browser, client)
    browser.write("#seed", "1")
    said = generated(browser, "人工智能", 40)
    found = client.complete("人工智能", temperature=0.8, seed=1, max_tokens=40, logprobs=5)["choices"][0]
    assert said == found["text"] and text(browser, "#status").startswith(f"{len(found['logprobs']['tokens'])} tokens")
    assert "".join(texts(browser, "#output .token")) == said


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


def test_attention(page, letters):
    page.write("#text", "bad cafe")
    choose(page, "#head", "1")
    page.click("#attend")
    page.until("document.querySelector('#weights li')")
    choose(page, "#layer", "1")                                     # asks again automatically
    page.until("document.querySelector('#weights p').textContent.includes('Layer 1, head 1')")
    weights = letters.post("/v1/attention", {"prompt": "bad cafe", "layer": 1, "head": 1}).body["weights"]

    def row(i):
        written = [0 if one == "–" else int(one.rstrip("%")) for one in texts(page, "#weights .number")]
        assert written == pytest.approx([100 * weight for weight in weights[i]], abs=0.51)

    row(7)
    page.click("#weights li:nth-child(3) button")
    row(2)
    assert page.tell("document.activeElement.textContent") == "d" and "token 3 of 8" in text(page, "#weights p")
    page.click("#weights summary")
    cells = texts(page, "#weights table td.weight")
    assert [float(cell or 0) for cell in cells] == pytest.approx(sum(weights, []), abs=0.0051)
    assert cells[1] == ""                                           # a token that the mask hides


def test_errors_are_the_servers_sentences(page, letters):
    for prompt in ("abc#", "a" * 40):
        refused = letters.post("/v1/completions", {"prompt": prompt}).body["error"]["message"]
        page.write("#text", prompt)
        page.press("Enter", ctrl=True)
        page.until("!document.querySelector('#notice').hidden && !document.querySelector('#submit').disabled")
        assert text(page, "#notice") == refused and page.tell("document.querySelector('#notice').role") == "alert"
    assert generated(page, "abc", 3) and page.tell("document.querySelector('#notice').hidden")


def test_a_server_that_is_busy(browser, serving, letters):
    client = serving(letters.service.folder, max_batch=1, queue=0)
    opened(browser, client)
    other = http.client.HTTPConnection(*client.address)
    other.request("POST", "/v1/completions", json.dumps({"prompt": "a", "max_tokens": 4096, "stream": True}))
    assert other.getresponse().status == 200
    browser.write("#text", "abc")
    browser.click("#submit")
    browser.until("document.querySelector('#notice').textContent")
    said = text(browser, "#notice")
    assert "Try again in 1 s." in said, said
    other.close()


def test_a_server_with_a_key(browser, serving, folder):
    client = serving(folder, api_key="secret")
    browser.go(client.url + "/")
    for key in ("wrong", "secret"):
        browser.until("!document.querySelector('#key-form').hidden")
        assert "key" in text(browser, "#notice") and browser.tell("document.activeElement.id") == "key"
        browser.do("Input.insertText", text=key)
        browser.press("Enter")
    browser.until(READY)
    assert generated(browser, "The", 3) and browser.tell("document.querySelector('#key-form').hidden")
    opened(browser, client)                                         # the tab remembers the key
    assert browser.tell("document.querySelector('#key-form').hidden")


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


@pytest.fixture(scope="module")
def classifier(serving, tmp_path_factory):
    """A Transformer that gives texts of a few words one of two classes."""
    folder = tmp_path_factory.mktemp("models") / "films"
    words = NGramTokenizer.train(["a good film that moves", "a bad and dull film"], "words", 1, 1)
    model = EncoderClassifier(EncoderConfig(words.vocab_size, 2, 16, 16, n_head=2, n_layer=1, n_inner=16))
    sharpened(model).save_pretrained(folder)
    words.save(folder / "tokenizer.json")
    save_classes(folder, ["bad", "good"])
    return serving(folder)


def test_a_classifier(browser, classifier):
    opened(browser, classifier)
    assert text(browser, "#submit") == "Classify" and text(browser, "#text-label") == "Text to classify"
    for hidden in ("#stop", "#settings", "#generation", "#probabilities", "#classification"):
        assert not browser.tell(f"document.querySelector({json.dumps(hidden)}).checkVisibility()"), hidden
    browser.write("#text", "a good and dull film")
    browser.press("Enter", ctrl=True)
    browser.until("document.querySelector('#attributions li')")
    found, = classifier.post("/v1/classify", {"input": "a good and dull film", "explain": True}).body["data"]
    assert text(browser, "#classes .answer") == f"{found['label']} {100 * found['probability']:.1f}%"
    assert texts(browser, "#attributions .name") == found["tokens"] == "a good and dull film".split()
    shown = [float(number) for number in texts(browser, "#attributions .number")]
    assert shown == pytest.approx(found["attributions"], abs=0.0051)
    signs = browser.tell("[...document.querySelectorAll('#attributions li')].map(item => item.className)")
    assert signs == ["against" if value < 0 else "for" for value in found["attributions"]]
    assert browser.tell(LOOK)["faint"] == []
    browser.click("#attend")
    browser.until("document.querySelectorAll('#weights li').length === 5")
    browser.write("#text", "good")                                  # one token: a class without attributions
    browser.click("#submit")
    browser.until("!document.querySelector('#explained').checkVisibility()")
    assert browser.tell("document.querySelector('#notice').hidden")
    browser.write("#text", " ")
    browser.click("#submit")
    browser.until("document.querySelector('#notice').textContent")


def test_sentence_vectors(browser, serving, tmp_path):
    lines = ["a cat sat", "a cat", "the dog ran off"]
    tokenizer = WordPieceTokenizer.train(" ".join(lines) * 5, 60)
    model = Bert(BertConfig(vocab_size=tokenizer.vocab_size, block_size=32, n_layer=1, n_head=2, n_embd=16, n_inner=32))
    model.save_pretrained(tmp_path / "bert")
    tokenizer.save(tmp_path / "bert" / "tokenizer.json")
    client = serving(tmp_path / "bert")
    opened(browser, client)
    browser.write("#text", lines[0])
    browser.click("#submit")
    browser.until("document.querySelector('#notice').textContent === 'Write at least two sentences, one on each line.'")
    browser.write("#text", "\n\n".join(lines))
    browser.click("#submit")
    browser.until("document.querySelector('#similarities td')")
    data = client.post("/v1/embeddings", {"input": lines}).body["data"]
    vectors = np.array([one["embedding"] for one in data])
    shown = [float(cell) for cell in texts(browser, "#similarities td.weight")]
    assert shown == pytest.approx((vectors @ vectors.T).ravel(), abs=0.0051)
    assert text(browser, "#similarities .answer").startswith("Most similar: sentences ")
    browser.show(PHONE)
    assert browser.tell(LOOK)["width"] <= PHONE[0] and browser.tell(LOOK)["faint"] == []


def test_a_model_that_the_page_has_nothing_for(browser, serving, tmp_path):
    MLP(MLPConfig(4, 2)).save_pretrained(tmp_path / "mlp")
    client = serving(tmp_path / "mlp")
    browser.go(client.url + "/")
    browser.until("document.querySelector('#notice').textContent.includes('architecture is mlp')")
    assert not browser.tell("document.querySelector('#form').checkVisibility()")


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
