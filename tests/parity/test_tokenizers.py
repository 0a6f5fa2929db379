"""Token ids against Hugging Face's ``tokenizers``: of files made here, and of MiniLM's and GPT-2's where they are
fetched."""

import json
import random

import pytest

from tinyformer.data import cached, data_folder
from tinyformer.text import WordPieceTokenizer, load_tokenizer

# English, Chinese and other scripts, emoji with joiners, combining marks, control characters, all sorts of spaces and
# numbers.
ODD = ("abcXYZ sStTéÉßİΣσς'''’.,!?$+<=>^`|~-_#[]{}()\t\n\r\x00\x01\x1c\x7f\x85\xa0\xad\u200b\u200d\u2028\u3000\ufeff\ufffd今天天气很好"  # noqa: E501
       "，。「」🍌👩‍👩‍👧🇬🇧①½²Ⅷ١٢3456éñöe\u0301\u0327한국어日本語カタカナᄀ")
PLAIN = ("It's the cat's pyjamas; we'll see, they've 2,000 of them.\n\n    def f(x_1):\n\treturn x + 1\n"
         "话说天下大势，分久必合，合久必分。今天天气很好，适合户外活动。 DON'T I'LL naïve 👍🏽 ")
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


@pytest.fixture(scope="module")
def texts():
    rng = random.Random(0)
    return [PLAIN, *("".join(rng.choices(ODD, k=rng.randint(0, 40))) for _ in range(3000)), "x" * 100, "x" * 101, "",
            " "]


def need(name):
    if not cached(name):
        pytest.skip(f"{name} is not fetched; `tinyformer data fetch {name}` brings it")
    return data_folder() / name


def same_ids(ours, theirs, texts, **options):
    for text in texts:
        assert ours.encode(text,
                           **options).tolist() == theirs.encode(text, add_special_tokens=bool(options)).ids, repr(text)


@pytest.mark.parametrize("lowercase, strip_accents, chinese",
                         [(True, None, True), (False, None, True), (True, False, False),
                          (False, True, True)])
def test_wordpiece_of_a_vocabulary_learned_here(tokenizers, texts, tmp_path, lowercase, strip_accents, chinese):
    vocabulary = WordPieceTokenizer.train(PLAIN * 3 + ODD, 400, lowercase).tokens
    theirs = tokenizers.BertWordPieceTokenizer(vocab={token: id for id, token in enumerate(vocabulary)},
                                               lowercase=lowercase,
                                               strip_accents=strip_accents, handle_chinese_chars=chinese)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = load_tokenizer(tmp_path)
    assert ours.to_dict() == WordPieceTokenizer(vocabulary, lowercase, strip_accents, chinese, cleanup=True).to_dict()
    same_ids(ours, theirs, [*texts, "[CLS] a [MASK]b[SEP] [mask]"], special=True)
    pair, which = ours.encode_pair(PLAIN, "今天 ok")
    expected = theirs.encode(PLAIN, "今天 ok")
    assert (pair.tolist(), which.tolist()) == (expected.ids, expected.type_ids)


def test_wordpiece_of_minilm(tokenizers, texts):
    folder = need("minilm")
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_padding()
    theirs.no_truncation()
    ours = load_tokenizer(folder)
    same_ids(ours, theirs, texts, special=True)
    assert ours.to_dict() == {**load_tokenizer(folder / "vocab.txt").to_dict(), "cleanup": True}


def test_gpt2_on_100_000_characters(tokenizers, texts):
    folder = need("gpt2-bpe")
    theirs = tokenizers.ByteLevelBPETokenizer(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    theirs.add_special_tokens(["<|endoftext|>"])
    ours, rng = load_tokenizer(folder), random.Random(1)
    text = "".join(texts) + "<|endoftext|>" \
        + " ".join(rng.choices(PLAIN.split() + ["🍌", "天气\x00", "\u2028"], k=8000))
    assert len(text) > 100_000
    ids = ours.encode(text)
    assert ids.tolist() == theirs.encode(text).ids
    assert ours.decode(ids) == text
    assert ours.vocab_size == 50257 and ours.encode("Hello world").tolist() == [15496, 995]


@pytest.mark.parametrize("normalizer, behavior, ignore_merges", [(None, "isolated", True), ("NFC", "isolated", False),
                                                                 (None, "removed", False)])
def test_bpe_of_a_tokenizer_json_like_llamas_and_qwens(tokenizers, texts, tmp_path, normalizer, behavior,
                                                       ignore_merges):
    levels = tokenizers.pre_tokenizers
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    if normalizer:
        theirs.normalizer = getattr(tokenizers.normalizers, normalizer)()
    theirs.pre_tokenizer = levels.Sequence([levels.Split(tokenizers.Regex(LLAMA), behavior,
                                                         invert=behavior == "removed"),
                                            levels.ByteLevel(add_prefix_space=False, use_regex=False)])
    theirs.train_from_iterator([PLAIN * 3, ODD * 2], tokenizers.trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=levels.ByteLevel.alphabet(), show_progress=False))
    theirs.add_special_tokens(["<|begin_of_text|>",
                               tokenizers.AddedToken("<|eot|>", lstrip=True, rstrip=True, special=True)])
    fields = json.loads(theirs.to_str())
    begin = fields["added_tokens"][0]["id"]
    fields["post_processor"] = {
        "type": "TemplateProcessing",
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [begin],
                                                 "tokens": ["<|begin_of_text|>"]}}}
    if ignore_merges:                                   # leave out merges, so that no merge makes a whole word
        fields["model"]["ignore_merges"] = True
        fields["model"]["merges"] = [merge for merge in fields["model"]["merges"] if "e" not in "".join(merge)]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(fields), encoding="utf-8")
    theirs, ours = tokenizers.Tokenizer.from_file(str(path)), load_tokenizer(path)
    same_ids(ours, theirs, [*texts, "the<|eot|>", "the <|eot|> \n<|begin_of_text|> see"], special=True)
    assert ours.encode("the").tolist() == theirs.encode("the", add_special_tokens=False).ids
