"""vocab.txt, and vocab.json with merges.txt, as editors and other systems leave them."""

import json

import pytest

from tinyformer.text import load_tokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "今", "\u2028x"]
TEXT = "the cats 今 dog"


def written(tmp_path, data):
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mark", (b"", b"\xef\xbb\xbf"))
@pytest.mark.parametrize("ends", ("\n", "\r\n"))
@pytest.mark.parametrize("last", ("", "end", "end end"))
def test_marks_and_line_ends(tmp_path, mark, ends, last):
    path = written(tmp_path, mark + (ends.join(TOKENS) + last.replace("end", ends).replace(" ", "")).encode())
    tokenizer = load_tokenizer(path)
    assert tokenizer.tokens == TOKENS and tokenizer.encode(TEXT).tolist() == [5, 6, 7, 8, 1]


def test_one_blank_line_keeps_its_id(tmp_path):
    assert load_tokenizer(written(tmp_path,
                                  "\n".join([*TOKENS[:5], "", *TOKENS[5:]]).encode())).encode("the").tolist() == [6]


@pytest.mark.parametrize("lines, said", (
    ([*TOKENS, "cat"], "lines 7 and 11 are both 'cat', expected each token once"),
    ([*TOKENS, "", "a", "", "b"], "lines 11 and 13 are blank, expected each token once"),
))
def test_lines_that_say_the_same(tmp_path, lines, said):
    path = written(tmp_path, "\n".join(lines).encode())
    with pytest.raises(ValueError, match=said) as caught:
        load_tokenizer(path)
    assert str(caught.value).startswith(f"load_tokenizer: {path} ")


@pytest.mark.parametrize("mark", ("", "\ufeff"))
@pytest.mark.parametrize("ends", ("\n", "\r\n"))
@pytest.mark.parametrize("first", ("#version: 0.2", None))
def test_gpt2s_pair(tmp_path, mark, ends, first):
    from tinyformer.text.published import BYTES
    vocab = {character: id for id, character in enumerate([*BYTES, "th", "the"])}
    (tmp_path / "vocab.json").write_text(mark + json.dumps(vocab), encoding="utf-8")
    merges = [*([first] if first else []), "t h", "th e", ""]
    (tmp_path / "merges.txt").write_bytes((mark + ends.join(merges)).encode())
    assert load_tokenizer(tmp_path).encode("the").tolist() == [vocab["the"]]


def test_what_tokenizer_config_says_of_a_vocabulary(tmp_path):
    written(tmp_path, "\n".join([*TOKENS, "The"]).encode())
    config = tmp_path / "tokenizer_config.json"
    assert load_tokenizer(tmp_path).encode("The").tolist() == [5]
    config.write_text(json.dumps({"do_lower_case": False, "unk_token": {"content": "[UNK]"}}))
    assert load_tokenizer(tmp_path).encode("The").tolist() == [10]
    for settings, said in (({"do_basic_tokenize": False}, "do_basic_tokenize is False, expected True"),
                           ({"unk_token": "<unk>"}, "unk_token is '<unk>', expected '.UNK.'"),
                           ({"added_tokens_decoder": {"11": {"content": "<new>"}}},
                            "it adds the tokens <new> to the vocabulary")):
        config.write_text(json.dumps(settings))
        with pytest.raises(ValueError, match=said):
            load_tokenizer(tmp_path)


@pytest.mark.parametrize("settings, said",
                         (({"tokenizer_class": "Qwen2Tokenizer"}, "tokenizer_class is 'Qwen2Tokenizer'"),
                          ({"add_prefix_space": True}, "add_prefix_space is True, expected False")))
def test_a_pair_that_is_cut_in_another_way_than_gpt2s(tmp_path, settings, said):
    from tinyformer.text.published import BYTES
    (tmp_path / "vocab.json").write_text(json.dumps({character: id for id, character in enumerate(BYTES)}),
                                         encoding="utf-8")
    (tmp_path / "merges.txt").write_text("")
    load_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=said):
        load_tokenizer(tmp_path)
