"""GET / and the files of the page, as a browser asks for them. tests/serve/test_page_generation.py uses the page."""

import re
from pathlib import Path

import pytest

import tinyformer

PAGE = Path(tinyformer.__file__).parent / "serve" / "page"


def test_the_page_and_its_files(client):
    page = client.get("/")
    assert page.status == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    html = page.body.decode()
    named = set(re.findall(r'(?:src|href)="(/[^"]*)"', html))
    kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    assert {name.rsplit(".")[-1] for name in named} == set(kinds)
    for name in named | {f"/page/{path.name}" for path in PAGE.glob("*.js")}:
        answer = client.get(name)
        assert answer.status == 200 and answer.headers["content-type"] == kinds[name.rsplit(".")[-1]], name
        assert answer.body == (PAGE / name.removeprefix("/page/")).read_bytes()


def test_the_policy_allows_what_the_page_needs_and_no_more(client):
    headers = client.get("/").headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|https?://", html)
    for path in [*PAGE.glob("*.js"), *PAGE.glob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|innerHTML|\beval\b|setAttribute\(.style", text), path


def test_a_browser_that_has_a_file_is_told_so(client):
    first = client.get("/page/style.css")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, f'"old", W/{tag}'):
        again = client.get("/page/style.css", **{"If-None-Match": known})
        assert again.status == 304 and again.body == b"" and again.headers["etag"] == tag
    assert client.get("/page/style.css", **{"If-None-Match": '"old"'}).status == 200
    assert client.send("HEAD", "/").status == 200


@pytest.mark.parametrize("path", ("/page/", "/page/nothing.js", "/page/../shell.py", "/page/..%2fshell.py",
                                  "/page/%2e%2e/shell.py", "/page/%2fetc%2fpasswd", "/page/main.js/", "/page/words"))
def test_nothing_else_is_read(client, path):
    answer = client.get(path)
    assert answer.status == 404 and answer.body["error"]["type"] == "not_found_error"
    assert client.post("/", {}).status == client.post("/page/main.js", {}).status == 405


def test_the_page_needs_no_key(serving, folder):
    client = serving(folder, api_key="secret")
    assert client.get("/").status == client.get("/page/main.js").status == 200
    assert client.get("/v1/models").status == 401


def test_both_languages_say_the_same_things():
    text = (PAGE / "words.js").read_text(encoding="utf-8")
    english, chinese = (dict(re.findall(r'^        "([\w-]+)": ((?:"[^"]*"|\s*\+ )+),$', part, re.M))
                        for part in text.split('"zh-Hans": {'))
    assert len(english) > 40 and english.keys() == chinese.keys()
    for key in english:
        assert sorted(re.findall(r"\{\w+\}", english[key])) == sorted(re.findall(r"\{\w+\}", chinese[key])), key
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    for key, said in re.findall(r'data-word="([\w-]+)"[^>]*>([^<]+)<', html):       # before its script runs
        words = "".join(re.findall(r'"([^"]*)"', english[key]))
        assert " ".join(said.split()) == words, key
    says = re.compile(r'(?:\bsay\((?:find\("[\w-]+"\)|\w+), |\bword\(|\bsaying\("\w+", )"([\w-]+)"')
    used = {key for path in PAGE.glob("*.js") for key in says.findall(path.read_text(encoding="utf-8"))}
    assert used and used <= english.keys()
