"""Folders that transformers writes for each class that stands on BERT, GPT-2, Llama and Qwen: what is there is
loaded."""

import warnings

import numpy as np
import pytest

from tinyformer.cli.fill_mask import fill
from tinyformer.models import GPT, Bert, BertClassifier, BertForPreTraining, Llama, load_model
from tinyformer.text import WordPieceTokenizer

SIZES = {
    "Bert": dict(vocab_size=31, max_position_embeddings=12, num_hidden_layers=2, num_attention_heads=2, hidden_size=12,
                 intermediate_size=20, pad_token_id=None),
    "GPT2": dict(vocab_size=31, n_positions=12, n_layer=2, n_head=2, n_embd=12, pad_token_id=0, bos_token_id=1,
                 eos_token_id=1),
    **{kind: dict(vocab_size=31, max_position_embeddings=16, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2, hidden_size=16, intermediate_size=20, head_dim=4, pad_token_id=0,
                  bos_token_id=1, eos_token_id=1)
       for kind in ("Llama", "Qwen2", "Qwen3")}}
IDS = np.random.default_rng(3).integers(1, 31, (2, 9))


@pytest.fixture
def folder(oracle, tmp_path):
    """A function from a class of transformers to (its random model, the folder that it was saved in)."""
    def make(name, bare=False, **options):
        kind = next(kind for kind in SIZES if name.startswith(kind))
        config = getattr(oracle.transformers, f"{kind}Config")(**{**SIZES[kind], **options})
        cls = getattr(oracle.transformers, name)
        model = oracle.build((lambda config: cls(config, add_pooling_layer=False)) if bare else cls, config, "float32")
        model.save_pretrained(tmp_path)
        return model, tmp_path
    return make


def loaded(folder, cls=None):
    """(the model, what was left out) of a folder."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = cls.from_pretrained(folder) if cls else load_model(folder)
    return model, " ".join(str(one.message) for one in told)


def near(ours, theirs):
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=0, atol=1e-5)


def test_a_masked_language_model_alone(torch, folder):
    theirs, path = folder("BertForMaskedLM")
    ours, told = loaded(path)
    assert type(ours) is BertForPreTraining and not told and ours.config.pad is None
    near(ours.words(IDS), theirs(torch.from_numpy(IDS)).logits)
    words, following = ours(IDS)
    near(words, theirs(torch.from_numpy(IDS)).logits)
    assert following is None
    with pytest.raises(ValueError, match="has no head for pairs of texts|has no pooler"):
        ours.loss((IDS, None, None), (IDS, np.array([0, 1])))


def test_fill_mask_from_a_masked_language_model(torch, folder):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    theirs, path = folder("BertForMaskedLM")
    tokenizer = WordPieceTokenizer(tokens)
    ids = tokenizer.encode("a [MASK] c", special=True)
    p = theirs(torch.from_numpy(ids[None])).logits.softmax(-1)[0, 2]
    guesses = fill(loaded(path)[0], tokenizer, "a [MASK] c", top=3)
    assert [token for token, _ in guesses[0]] == [tokens[i] for i in p.topk(3).indices]
    np.testing.assert_allclose([share for _, share in guesses[0]], p.topk(3).values.detach().numpy(), atol=1e-5)


def test_next_sentence_prediction_alone(torch, folder):
    theirs, path = folder("BertForNextSentencePrediction")
    ours, told = loaded(path)
    words, following = ours(IDS)
    assert words is None and not told
    near(following, theirs(torch.from_numpy(IDS)).logits)
    with pytest.raises(ValueError, match=r"model.safetensors has no head for masked words \(cls.predictions.bias"):
        ours.words(IDS)


@pytest.mark.parametrize("cls", (None, Bert))
def test_a_bert_without_a_pooler(torch, folder, cls):
    theirs, path = folder("BertModel", bare=True)
    ours, told = loaded(path, cls)
    hidden, pooled = ours(IDS)
    assert type(ours) is Bert and pooled is None and not told
    near(hidden, theirs(torch.from_numpy(IDS)).last_hidden_state)
    with pytest.raises(ValueError, match="model.safetensors has no pooler"):
        ours.pooler(hidden)


def test_a_classifier(torch, folder):
    theirs, path = folder("BertForSequenceClassification", num_labels=3)
    ours, told = loaded(path)
    assert type(ours) is BertClassifier and ours.config.n_classes == 3 and not told
    near(ours(IDS), theirs(torch.from_numpy(IDS)).logits)
    bare, told = loaded(path, Bert)
    assert "model.safetensors: left out classifier: Bert has no such head" in told
    near(bare(IDS)[0], theirs.bert(torch.from_numpy(IDS)).last_hidden_state)


@pytest.mark.parametrize("name, head",
                         (("BertForTokenClassification", "classifier"), ("BertForQuestionAnswering", "qa_outputs"),
                          ("BertForMultipleChoice", "classifier")))
def test_other_heads_on_bert(torch, folder, name, head):
    theirs, path = folder(name)
    ours, told = loaded(path)
    assert type(ours) is Bert and f"left out {head}: Bert has no such head" in told
    near(ours(IDS)[0], theirs.bert(torch.from_numpy(IDS)).last_hidden_state)


@pytest.mark.parametrize("name, head",
                         (("GPT2Model", ""), ("GPT2LMHeadModel", ""), ("GPT2ForSequenceClassification", "score"),
                          ("GPT2DoubleHeadsModel", "multiple_choice_head.summary"),
                          ("GPT2ForTokenClassification", "classifier"), ("GPT2ForQuestionAnswering", "qa_outputs")))
def test_heads_on_gpt2(torch, folder, name, head):
    theirs, path = folder(name)
    ours, told = loaded(path)
    assert type(ours) is GPT and told.endswith(head
                                               and f"left out {head}: GPT has no such head") \
                                                   and bool(told) == bool(head)
    trunk = getattr(theirs, "transformer", theirs)
    near(ours(IDS), trunk(torch.from_numpy(IDS)).last_hidden_state @ trunk.wte.weight.T)


@pytest.mark.parametrize("kind", ("Llama", "Qwen2", "Qwen3"))
@pytest.mark.parametrize("name, head", (("Model", ""), ("ForCausalLM", ""), ("ForSequenceClassification", "score"),
                                        ("ForTokenClassification", "score"), ("ForQuestionAnswering", "qa_outputs")))
@pytest.mark.parametrize("tie", (False, True))
def test_heads_on_llama(torch, folder, kind, name, head, tie):
    theirs, path = folder(kind + name, tie_word_embeddings=tie)
    ours, told = loaded(path)
    assert type(ours) is Llama and (f"left out {head}: Llama has no such head" if head
                                    else "") in told and bool(told) == bool(head)
    trunk = theirs if name == "Model" else getattr(theirs, theirs.base_model_prefix)
    hidden = trunk(torch.from_numpy(IDS)).last_hidden_state
    near(ours.model(IDS, ours.angles(0, IDS.shape[1])), hidden)
    if tie:
        near(ours(IDS), hidden @ trunk.embed_tokens.weight.T)
    elif name == "ForCausalLM":
        near(ours(IDS), theirs(torch.from_numpy(IDS)).logits)
    else:
        with pytest.raises(ValueError, match="has no head that predicts the next token"):
            ours(IDS)


@pytest.mark.parametrize("name, second", (("GPT2LMHeadModel", "lm_head.weight"), ("LlamaForCausalLM", "lm_head.weight"),
                                          ("BertForMaskedLM", "cls.predictions.decoder.weight"),
                                          ("BertForMaskedLM", "cls.predictions.decoder.bias")))
def test_a_second_matrix_where_the_config_says_one(folder, name, second):
    """transformers then computes with the second one."""
    from safetensors.numpy import load_file, save_file
    theirs, path = folder(name, tie_word_embeddings=True)
    state = load_file(path / "model.safetensors")
    whole = {**state, second: theirs.state_dict()[second].numpy().copy()}
    save_file(whole, path / "model.safetensors", {"format": "pt"})
    load_model(path)
    save_file({**state, second: whole[second] + 1}, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError,
                       match=f"{second} differs from .*, but config.json says that one array serves as both"):
        load_model(path)
