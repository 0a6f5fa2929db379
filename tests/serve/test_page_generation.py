"""The page of a language model in a headless Chromium: typing, sliders, stopping, probabilities, errors."""

import http.client
import json
import math

import pytest

from ..browser import ABSENT
from .browsing import IDLE, OUTPUT, READY, generated, opened, text, texts

pytestmark = [pytest.mark.slow, pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")]


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
