import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyformer.text import BytePairTokenizer, PublishedBPE, load_tokenizer
from tinyformer.text.published import BYTES

TEXT = "the cat the then, 今天天气很好 今天天气 the\n\nthe 12345 don't DON'T 🍌\x00\x1f\x85 "
TRAINED = BytePairTokenizer.train(TEXT * 3, 300)
CHARACTER = {byte: character for character, byte in BYTES.items()}
END = "<|end|>"


def spelled(data):
    return "".join(CHARACTER[byte] for byte in data)


def published(**changes):
    """The merges of ``TRAINED`` as a tokenizer.json whose ids run backwards, so that nothing fits by chance."""
    tokens = list(map(spelled, TRAINED.tokens))
    fields = {"added_tokens": [{"content": END, "id": len(tokens)}], "normalizer": None, "post_processor": None,
              "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
              "model": {"type": "BPE", "vocab": {token: len(tokens) - 1 - id for id, token in enumerate(tokens)},
                        "merges": [f"{tokens[left]} {tokens[right]}" for left, right in TRAINED.merges]}}
    for key, value in changes.items():
        room, _, inner = key.partition("__")
        fields[room] = {**fields[room], inner: value} if inner else value
    return fields


PLAIN = PublishedBPE(published())
LAST = PLAIN.id(END)


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def cut(text, *steps):
    """The pieces that the steps make of a text, before merging."""
    last = [] if steps and steps[-1]["type"] == "ByteLevel" else [{"type": "ByteLevel", "use_regex": False}]
    tokenizer = PublishedBPE(published(pre_tokenizer={"type": "Sequence", "pretokenizers": [*steps, *last]}))
    parts = [text]
    for step in tokenizer._cuts:
        parts = [piece for part in parts for piece in step(part)]
    return parts


@given(st.text() | st.text(alphabet=TEXT))
def test_the_same_merges_give_the_same_pieces_under_other_ids(text):
    expected = [len(TRAINED.tokens) - 1 - id for id in TRAINED.encode(text)]
    ids = PLAIN.encode(text)
    assert ids.tolist() == expected and ids.dtype == np.int64
    assert PLAIN.decode(ids) == text


def test_a_prompt_stands_behind_the_start_token_and_nothing_ends_it():
    marks = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<a>"}}, {"Sequence": {"id": "A"}},
                                                      {"SpecialToken": {"id": END}}],
             "special_tokens": {"<a>": {"ids": [7]}, END: {"ids": [LAST]}}}
    tokenizer = PublishedBPE(published(post_processor=marks))
    ids = PLAIN.encode("the cat")
    np.testing.assert_array_equal(tokenizer.encode("the cat", special=True), [7, *ids, LAST])
    np.testing.assert_array_equal(tokenizer.prompt("the cat"), [7, *ids])
    np.testing.assert_array_equal(PLAIN.prompt("the cat"), ids)


def test_bytes_are_spelled_as_gpt2_does():
    assert spelled(b" a\n\x00\xff") == "ĠaĊĀÿ"
    assert sorted(BYTES.values()) == list(range(256)) and len(BYTES) == 256


def test_added_tokens_stand_whole():
    end = PLAIN.id(END)
    assert PLAIN.vocab_size == end + 1 == len(TRAINED.tokens) + 1
    assert PLAIN.encode(f"{END}the{END}{END}").tolist() == [end, *PLAIN.encode("the"), end, end]
    assert PLAIN.decode([end, *PLAIN.encode(" the")]) == END + " the"
    longer = PublishedBPE(published(added_tokens=[
        {"content": "<a>", "id": 301}, {"content": "<a><b>", "id": 302, "lstrip": True, "rstrip": True}]))
    assert longer.encode("<a> \n<a><b> the<a>").tolist() == [301, 302, *longer.encode("the"), 301]


def test_a_template_goes_around_the_text_on_request():
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": END}}, {"Sequence": {"id": "A"}}],
                "special_tokens": {END: {"id": END, "ids": [LAST], "tokens": [END]}}}
    for fields in (template, {"type": "Sequence", "processors": [{"type": "ByteLevel"}, template]}):
        tokenizer = PublishedBPE(published(post_processor=fields))
        assert tokenizer.encode("the", special=True).tolist() == [LAST, *PLAIN.encode("the")]
        assert tokenizer.encode("the").tolist() == PLAIN.encode("the").tolist()
    around = PublishedBPE(published(post_processor={"type": "RobertaProcessing", "cls": [END, LAST], "sep": ["!", 3]}))
    assert around.encode("", special=True).tolist() == [LAST, 3]


def test_how_a_text_is_cut():
    assert cut("ab 12-3", split({"Regex": r"\p{L}+"})) == ["ab", " 12-3"]
    assert cut("ab 12-3", split({"Regex": r"\p{N}+"}, "Removed", True)) == ["12", "3"]
    assert cut("a.b.", split({"String": "."})) == ["a", ".", "b", "."]
    assert cut("a.b..", split({"String": "."}, "Contiguous")) == ["a", ".", "b", ".."]
    assert cut("a.b..", split({"String": "."}, "MergedWithPrevious")) == ["a.", "b.", "."]
    assert cut(".a..b", split({"String": "."}, "MergedWithNext")) == [".a", ".", ".b"]
    assert cut("a b-c ", {"type": "Whitespace"}) == ["a", "b", "-", "c"]
    assert cut("ab12", {"type": "Digits", "individual_digits": True}) == ["ab", "1", "2"]
    assert cut("ab12", {"type": "Digits", "individual_digits": False}) == ["ab", "12"]
    assert cut("ab12 c", split({"Regex": r"\d"}),
               {"type": "ByteLevel", "add_prefix_space": True, "use_regex": False}) == [
        " ab", " 1", " 2", " c"]
    assert cut("ab\n12 c's", {"type": "ByteLevel"}) == ["ab", "\n", "12", " c", "'s"]
    assert cut("") == [""]


def test_normal_forms():
    composed, decomposed = PLAIN.encode("é").tolist(), PLAIN.encode("e\u0301").tolist()
    assert composed != decomposed
    assert PublishedBPE(published(normalizer={"type": "NFC"})).encode("e\u0301").tolist() == composed
    both = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "NFD"}]}
    assert PublishedBPE(published(normalizer=both)).encode("é").tolist() == decomposed


def test_with_ignore_merges_a_whole_piece_goes_first():
    fields = published()
    fields["model"]["vocab"]["Ġcats"] = 301
    assert 301 not in PublishedBPE(fields).encode(" cats")
    fields["model"]["ignore_merges"] = True
    assert PublishedBPE(fields).encode(" cats").tolist() == [301]
    assert PublishedBPE(fields).encode(" cats!")[0] == 301


def test_saved_and_published_files_give_the_same(tmp_path):
    fields = published(model__merges=[merge.split(" ") for merge in published()["model"]["merges"]])
    (tmp_path / "tokenizer.json").write_text(json.dumps(fields), encoding="utf-8")
    PublishedBPE(fields).save(tmp_path / "saved.json")
    gpt2 = tmp_path / "gpt2"
    gpt2.mkdir()
    (gpt2 / "encoder.json").write_text(json.dumps({**fields["model"]["vocab"], "<|endoftext|>": 300}), encoding="utf-8")
    (gpt2 / "vocab.bpe").write_text("#version: 0.2\n" + "\n".join(published()["model"]["merges"]) + "\n",
                                    encoding="utf-8")
    for path in (tmp_path, tmp_path / "tokenizer.json", tmp_path / "saved.json", gpt2):
        assert load_tokenizer(path).encode(TEXT).tolist() == PLAIN.encode(TEXT).tolist()
    assert load_tokenizer(gpt2).encode("a<|endoftext|>").tolist() == [*PLAIN.encode("a"), 300]
    (gpt2 / "vocab.bpe").unlink()
    with pytest.raises(FileNotFoundError, match="gpt2 holds no tokenizer.json, no vocab.txt, and no encoder.json"):
        load_tokenizer(gpt2)


@pytest.mark.parametrize("changes, said", [
    ({"model__byte_fallback": True}, "model.byte_fallback is True, expected none"),
    ({"model__continuing_subword_prefix": "##"}, "model.continuing_subword_prefix is '##'"),
    ({"model__merges": ["a b c"]}, "merge 0 is 'a b c', expected two tokens"),
    ({"model__merges": ["a 今"]}, "merge 0 is 'a' and '今', but the vocabulary lacks"),
    ({"model__vocab": {"a": 0}, "model__merges": []}, "the vocabulary has no '.', byte 0x"),
    ({"normalizer": {"type": "Nmt"}}, "the normalizer is 'Nmt', which is not supported"),
    ({"pre_tokenizer": {"type": "Metaspace"}}, "the pre_tokenizer is Metaspace, expected one that ends in ByteLevel"),
    ({"pre_tokenizer": None}, "the pre_tokenizer is None, expected one that ends in ByteLevel"),
    ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Metaspace"}, {"type": "ByteLevel"}]}},
     "the pre_tokenizer is 'Metaspace', expected ByteLevel, Digits"),
    ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, split({"Regex": "a"})]}},
     "the pre_tokenizer is ByteLevel, Split, expected one that ends in ByteLevel"),
    ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split({"Regex": "a"}, "Odd"), {"type": "ByteLevel"}]}},
     "the behavior of a cut is 'Odd'"),
    ({"decoder": {"type": "Metaspace"}}, "the decoder is 'Metaspace', expected 'ByteLevel'"),
    ({"model__color": 1}, "model has the fields color, which are not known"),
    ({"post_processor": {"type": "Odd"}}, "the post_processor is 'Odd'"),
    ({"added_tokens": [{"content": "a", "id": 1, "single_word": 3}]},
     "added token 'a': single_word is 3, expected true or false"),
    ({"added_tokens": [{"content": "a", "id": 1}]}, "added token 'a' has id 1, but \\d+ in the vocabulary"),
    ({"added_tokens": [{"content": "zz", "id": 1, "color": 1}]}, "added token 'zz' has the fields color"),
    ({"added_tokens": [{"content": "a", "id": None}]}, "added_tokens\\[0\\].id is null"),
    ({"added_tokens": [{"id": 1}]}, "has no field 'content'"),
    ({"added_tokens": [{"content": "zz", "id": 10 ** 12}]},
     "an id of the vocabulary is 1000000000000, expected an integer"),
    ({"model__vocab": {"a": -1}}, "an id of the vocabulary is -1, expected an integer below 4,194,304"),
    ({"model__vocab": {"a": "1"}}, "vocab\\['a'\\] is '1', expected an integer"),
    ({"post_processor": {"type": "BertProcessing", "cls": ["a", 1], "sep": ["b", 9999]}},
     "id 9999 at position 0, expected 0…298"),
    ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split({"Regex": "(("}), {"type": "ByteLevel"}]}},
     r"the pattern '\(\(': missing \)"),
])
def test_what_is_not_supported_is_said(tmp_path, changes, said):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(published(**changes)), encoding="utf-8")
    with pytest.raises(ValueError, match=said) as caught:
        load_tokenizer(path)
    assert str(caught.value).startswith(f"load_tokenizer: {path} ")


WORDPIECE = {
    "added_tokens": [{"content": "[MASK]", "id": 4}],
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                   "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing", "special_tokens": {"a": {"ids": [2]}, "b": {"ids": [3]}},
                       "single": [{"SpecialToken": {"id": "a"}}, {"Sequence": {"id": "A"}},
                                  {"SpecialToken": {"id": "b"}}]},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {token: id for id, token in enumerate("[PAD] [UNK] [CLS] [SEP] [MASK] the c ##a ##t".split())}}}
BPE = published(normalizer={"type": "NFC"}, pre_tokenizer={"type": "Sequence", "pretokenizers": [
    split({"Regex": r"\p{L}+"}), {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]},
    post_processor={"type": "BertProcessing", "cls": ["a", 1], "sep": ["b", 2]})


@pytest.mark.parametrize("fields", (BPE, WORDPIECE), ids=("bpe", "wordpiece"))
def test_any_damage_is_refused_in_words_or_harmless(tmp_path, damaged, rng, fields):
    path, refused = tmp_path / "tokenizer.json", 0
    for _ in range(300):
        path.write_text(json.dumps(damaged(fields, rng)))
        try:
            load_tokenizer(path).encode("the cat", special=True)
        except ValueError as error:                         # and nothing else
            assert str(error).startswith(f"load_tokenizer: {path} "), error
            refused += 1
    assert 50 < refused < 300


def test_bad_texts_and_ids():
    with pytest.raises(ValueError, match="PublishedBPE.encode: lone surrogate"):
        PLAIN.encode("\ud800")
    with pytest.raises(ValueError, match="PublishedBPE.decode: id -1 at position 0, expected 0…298"):
        PLAIN.decode([-1])
    with pytest.raises(KeyError):
        PLAIN.id("the")
