"""BERT against Hugging Face's transformers: values, every gradient, and folders read there and here."""

import numpy as np
import pytest

from tinyformer.data import cached, fetch, load
from tinyformer.models import Bert, BertClassifier, BertClassifierConfig, BertConfig, BertForPreTraining
from tinyformer.models.bert_heads import UNMASKED, Pairs
from tinyformer.similar import sentence_vectors
from tinyformer.text import load_tokenizer

TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


@pytest.fixture
def transformers(torch):
    return pytest.importorskip("transformers", reason="transformers is the oracle here and is not installed")


def sizes(seed):
    """A random tiny config, in our names."""
    rng = np.random.default_rng(seed)
    H = int(rng.integers(1, 5))
    return dict(vocab_size=int(rng.integers(8, 70)), block_size=int(rng.integers(6, 24)),
                n_layer=int(rng.integers(1, 4)),
                n_head=H, n_embd=H * int(rng.integers(max(2, 8 // H), 10)), n_inner=int(rng.integers(4, 50)),
                n_types=int(rng.integers(2, 4)))


def theirs(transformers, torch, name, dtype, c, **more):
    """A random model of theirs, away from its start, in evaluation mode."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=c["vocab_size"], max_position_embeddings=c["block_size"], num_hidden_layers=c["n_layer"],
        num_attention_heads=c["n_head"], hidden_size=c["n_embd"], intermediate_size=c["n_inner"],
        type_vocab_size=c["n_types"],
        initializer_range=0.2, **more)
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model.to(getattr(torch, dtype))


def examples(c, seed):
    """ids, mask and types (B, T): rows of several lengths, with [PAD] behind; some text of the second type."""
    rng = np.random.default_rng(seed)
    B, T = 3, int(rng.integers(4, c["block_size"] + 1))
    ids, lengths = rng.integers(1, c["vocab_size"], (B, T)), rng.integers(2, T + 1, (B, 1))
    mask = np.arange(T) < lengths
    types = np.where(np.arange(T) >= lengths // 2, rng.integers(1, c["n_types"]), 0)
    return rng, np.where(mask, ids, 0), mask, types


def close(ours, other, tolerance, what):
    other = other.detach().numpy()
    assert ours.shape == other.shape and ours.dtype == other.dtype, what
    error = np.abs(ours - other).max() / max(1, np.abs(other).max())
    assert error < tolerance, f"{what}: {error}"


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("seed", range(20))
def test_logits_loss_and_every_gradient(torch, transformers, seed, dtype):
    c = sizes(seed)
    other = theirs(transformers, torch, "BertForPreTraining", dtype, c)
    model = BertForPreTraining(BertConfig(**c)).to(dtype).eval()
    model.load_state_dict(other.state_dict())
    rng, ids, mask, types = examples(c, seed)
    labels = np.where(mask & (rng.random(ids.shape) < 0.4), rng.integers(0, c["vocab_size"], ids.shape), UNMASKED)
    labels[0, 0], classes = 1, rng.integers(0, 2, len(ids))
    out = other(torch.from_numpy(ids), torch.from_numpy(mask.astype(int)), torch.from_numpy(types),
                labels=torch.from_numpy(labels), next_sentence_label=torch.from_numpy(classes),
                output_hidden_states=True)
    words, following = model(ids, mask, types)
    close(model.bert(ids, mask, types)[0].data, out.hidden_states[-1], TOLERANCE[dtype], "hidden states")
    close(words.data, out.prediction_logits, TOLERANCE[dtype], "logits of the words")
    close(following.data, out.seq_relationship_logits, TOLERANCE[dtype], "logits of the pairs")
    loss = model.loss(Pairs(ids, mask, types), (labels, classes))
    close(loss.data, out.loss, TOLERANCE[dtype], "loss")
    loss.backward()
    out.loss.backward()
    gradients, seen = dict(other.named_parameters()), 0
    largest = max(p.grad.abs().max().item() for p in gradients.values() if p.grad is not None)
    for name, parameter in model.named_parameters():
        g = gradients[name].grad.numpy()
        # The bias of the keys shifts all scores of a query alike: its gradient is zero but for rounding.
        scale = largest if name.endswith("key.bias") else np.abs(g).max()
        assert np.abs(parameter.grad - g).max() < 1e-4 * scale + 1e-12, name
        seen += 1
    assert seen == sum(1 for _ in gradients)                # the tied ones stand there once as well


def test_pooled_output_and_default_mask(torch, transformers):
    c = sizes(3)
    other = theirs(transformers, torch, "BertModel", "float64", c)
    model = Bert(BertConfig(**c)).to("float64").eval()
    model.load_state_dict({f"bert.{name}": array for name, array in other.state_dict().items()})
    _, ids, mask, _ = examples(c, 3)
    out = other(torch.from_numpy(ids), torch.from_numpy(mask.astype(int)))
    hidden, pooled = model(ids)                             # all but [PAD], and the first type
    close(hidden.data, out.last_hidden_state, 1e-10, "hidden")
    close(pooled.data, out.pooler_output, 1e-10, "pooled")


@pytest.mark.parametrize("ours, name", ((Bert, "BertModel"), (BertForPreTraining, "BertForPreTraining")))
def test_saved_there_read_here_and_back(torch, transformers, tmp_path, ours, name):
    c = sizes(5)
    other = theirs(transformers, torch, name, "float32", c)
    other.save_pretrained(tmp_path / "theirs")
    model = ours.from_pretrained(tmp_path / "theirs")
    assert model.config == BertConfig(**c) and not model.training
    model.save_pretrained(tmp_path / "ours")
    again, report = getattr(transformers, name).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    _, ids, mask, types = examples(c, 5)
    arguments = torch.from_numpy(ids), torch.from_numpy(mask.astype(int)), torch.from_numpy(types)
    found = model(ids, mask, types)
    for mine, before, after in zip(found, other(*arguments).to_tuple(), again.eval()(*arguments).to_tuple()):
        close(mine.data, before, 1e-5, "theirs")
        close(mine.data, after, 1e-5, "ours, read there")


def test_a_classifier_there_and_here(torch, transformers, tmp_path):
    c = sizes(8)
    other = theirs(transformers, torch, "BertForSequenceClassification", "float64", c, num_labels=3)
    model = BertClassifier(BertClassifierConfig(**c, n_classes=3)).to("float64").eval()
    model.load_state_dict(other.state_dict())
    _, ids, mask, _ = examples(c, 8)
    labels = np.array([0, 2, 1])
    out = other(torch.from_numpy(ids), torch.from_numpy(mask.astype(int)), labels=torch.from_numpy(labels))
    close(model(ids).data, out.logits, 1e-10, "logits")
    loss = model.loss(ids, labels)
    loss.backward()
    out.loss.backward()
    for name, parameter in other.named_parameters():
        close(dict(model.named_parameters())[name].grad, parameter.grad, 1e-10, f"gradient of {name}")
    model.to("float32").save_pretrained(tmp_path)
    again = transformers.BertForSequenceClassification.from_pretrained(tmp_path).eval()
    assert again.config.num_labels == 3
    close(model(ids).data, again(torch.from_numpy(ids), torch.from_numpy(mask.astype(int))).logits, 1e-5,
          "logits, read there")
    assert BertClassifier.from_pretrained(tmp_path).config == model.config


@pytest.mark.slow
@pytest.mark.skipif(not cached("minilm") or not cached("movie-snippets"),
                    reason="minilm and movie-snippets are not fetched")
def test_minilm_on_100_sentences(torch, transformers):
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is the oracle here and is not installed")
    folder = fetch("minilm")
    model, tokenizer = Bert.from_pretrained(folder), load_tokenizer(folder)
    other = transformers.BertModel.from_pretrained(folder).eval()
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_padding()
    theirs.no_truncation()
    sentences = load("movie-snippets").test.x[:100]
    vectors = sentence_vectors(model, tokenizer, sentences)
    assert vectors.shape == (100, 384)
    for sentence, vector in zip(sentences, vectors):
        ids = tokenizer.encode(sentence, special=True)
        assert ids.tolist() == theirs.encode(sentence).ids
        with torch.no_grad():
            expected = other(torch.from_numpy(ids[None])).last_hidden_state
        assert np.abs(model(ids[None])[0].data - expected.numpy()).max() < 1e-5
        mean = expected[0].mean(dim=0)
        np.testing.assert_allclose(vector, (mean / mean.norm()).numpy(), atol=1e-5)     # read in a batch with others
