"""The page in a headless Chromium: attention, classifiers, sentence vectors."""

import json

import numpy as np
import pytest

from tinyformer.models import MLP, Bert, BertConfig, MLPConfig
from tinyformer.models.encoder import EncoderClassifier, EncoderConfig
from tinyformer.text import WordPieceTokenizer
from tinyformer.text.ngrams import NGramTokenizer
from tinyformer.train.classes import save_classes

from ..browser import ABSENT, PHONE
from .browsing import LOOK, choose, opened, text, texts
from .conftest import sharpened

pytestmark = [pytest.mark.slow, pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")]


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
