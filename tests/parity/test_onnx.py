"""ONNX Runtime computes from an exported file what the model computes: within 1e-5 of the largest output."""

import dataclasses

import numpy as np
import pytest

from tinyformer import interop, models
from tinyformer.autograd import no_grad
from tinyformer.data.sparse import SparseRows
from tinyformer.models import GPT, MLP, Bert, BertClassifier, BertForPreTraining, GPTConfig, Llama, MLPConfig, Seq2Seq

pytest.importorskip("onnx", reason="needs the package onnx")
runtime = pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")


def assert_equal(model, path, batches, forward=None):
    """One session gives the model's outputs for every one of ``batches``, {name: array} each."""
    model.eval()
    interop.onnx.export(model, path)
    session = opened(path)
    for batch in batches:
        with no_grad():
            expected = (forward or model)(*batch.values())
        assert_close(session.run(None, batch), expected if isinstance(expected, tuple) else (expected,))


def opened(path):
    """A session without warnings, as for an input that has a default."""
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(path, options)


def assert_close(found, expected):
    for one, wanted in zip(found, map(np.asarray, expected), strict=True):
        assert one.shape == wanted.shape
        assert np.abs(one - wanted).max() <= 1e-5 * max(np.abs(wanted).max(), 1e-3)


def sizes(block_size):
    """(B, T) of texts, none the size of a recorded forward pass."""
    return (1, 1), (4, block_size), (1, max(block_size // 2, 1)), (6, max(block_size - 1, 1))


def texts(rng, config, pad=None):
    """Ids; with ``pad`` texts end in it, and some have nothing else."""
    for B, T in sizes(config.block_size):
        ids = rng.integers(0, config.vocab_size, (B, T))
        if pad is not None:
            ids[np.arange(T) >= rng.integers(0, T + 1, (B, 1))] = pad
        yield {"input_ids": ids}


def drawn(rng, Config, **fixed):
    """A random config: sizes that fit each other, whatever the model has of them."""
    heads = int(rng.choice([1, 2, 4]))
    given = {"vocab_size": int(rng.integers(3, 60)), "block_size": int(rng.choice([1, 2, 3, 8, 33])), "n_classes": 3,
             "n_layer": int(rng.integers(1, 4)), "n_head": heads, "n_embd": heads * 2 * int(rng.integers(1, 6)),
             "n_inner": int(rng.integers(1, 20)), "n_hidden": int(rng.integers(1, 9)), "dropout": 0.1, **fixed}
    names = {field.name for field in dataclasses.fields(Config)}
    return Config(**{name: value for name, value in given.items() if name in names})


@pytest.mark.parametrize("seed", range(6))
def test_gpt(tmp_path, seed):
    rng = np.random.default_rng(seed)
    config = drawn(rng, GPTConfig, bias=bool(seed % 2), n_inner=int(rng.choice([0, 5])))
    assert_equal(GPT(config), tmp_path / "m.onnx", texts(rng, config))


@pytest.mark.parametrize("family", ({}, {"qkv_bias": True}, {"qk_norm": True, "head_dim": 6}),
                         ids=("Llama", "Qwen2.5", "Qwen3"))
@pytest.mark.parametrize("seed", range(4))
def test_llama_and_qwen(tmp_path, family, seed):
    rng = np.random.default_rng(seed)
    heads = int(rng.choice([2, 4]))
    config = drawn(rng, Llama.Config, n_head=heads, n_kv_head=int(rng.choice([1, heads // 2, heads])),
                   n_embd=4 * heads, tied=bool(seed % 2), rope_factor=float(rng.choice([1, 8])), rope_original=16,
                   **family)
    model = Llama(config)
    for name, parameter in model.named_parameters():        # biases and norms other than 0 and 1
        if parameter.ndim == 1:
            parameter.data += rng.standard_normal(parameter.shape).astype(np.float32) / 10
    assert_equal(model, tmp_path / "m.onnx", texts(rng, config))


@pytest.mark.parametrize("options", ({"kind": "rnn"}, {"kind": "gru"}, {"kind": "lstm", "n_layer": 2}, {}), ids=str)
def test_other_language_models(tmp_path, options):
    rng = np.random.default_rng(0)
    kind = models.Recurrent if options else models.NeuralNGram
    config = drawn(rng, kind.Config, block_size=17, n_context=4, **options)
    assert_equal(kind(config), tmp_path / "m.onnx", texts(rng, config))


@pytest.mark.parametrize("name", ("Average", "EncoderClassifier", "LSTMClassifier", "SigmoidLSTM", "VectorLSTM",
                                  "AttentionLSTM"))
@pytest.mark.parametrize("seed", range(3))
def test_classifiers_of_texts(tmp_path, name, seed):
    rng, kind = np.random.default_rng(seed), getattr(models, name)
    config = drawn(rng, kind.Config, n_classes=2 if "torLSTM" in name or "Sigmoid" in name else 3)
    assert_equal(kind(config), tmp_path / "m.onnx", texts(rng, config, pad=0))


@pytest.mark.parametrize("kind", (Bert, BertForPreTraining, BertClassifier))
@pytest.mark.parametrize("seed", range(3))
def test_bert_and_its_heads(tmp_path, kind, seed):
    rng = np.random.default_rng(seed)
    config = drawn(rng, kind.Config)

    def batches():
        for i, batch in enumerate(texts(rng, config)):
            shape = batch["input_ids"].shape
            batch["attention_mask"] = (np.arange(shape[1]) < rng.integers(0, shape[1] + 1, (shape[0], 1))).astype(int)
            if i == 1:
                batch["attention_mask"][:] = 1
            if i and kind is not BertClassifier:            # the first leaves the types out
                batch["token_type_ids"] = rng.integers(0, 2, shape)
            yield batch

    assert_equal(kind(config), tmp_path / "m.onnx", batches())


def test_a_published_bert_without_some_of_its_parts(tmp_path):
    from tinyformer.models.pretrained import Absent
    rng = np.random.default_rng(0)
    ids = {"input_ids": rng.integers(0, 20, (3, 5)), "attention_mask": np.ones((3, 5), int)}
    sizes = dict(vocab_size=20, block_size=8, n_layer=1, n_head=2, n_embd=8, n_inner=9)
    bert, masked = Bert(Bert.Config(**sizes)), BertForPreTraining(Bert.Config(**sizes))
    bert.pooler = Absent("it has no pooler")
    assert_equal(bert, tmp_path / "m.onnx", [ids], lambda *batch: bert(*batch)[0])
    assert [entry.name for entry in opened(tmp_path / "m.onnx").get_outputs()] == ["last_hidden_state"]
    masked.cls.seq_relationship = Absent("it has no head for pairs")
    assert_equal(masked, tmp_path / "m.onnx", [ids], lambda *batch: masked(*batch)[0])
    assert [entry.name for entry in opened(tmp_path / "m.onnx").get_outputs()] == ["prediction_logits"]


@pytest.mark.parametrize("seed", range(4))
def test_seq2seq(tmp_path, seed):
    rng = np.random.default_rng(seed)
    config = drawn(rng, Seq2Seq.Config, norm_first=bool(seed % 2))
    batches = [{**batch, "decoder_input_ids": rng.integers(0, config.vocab_size, (len(batch["input_ids"]), T))}
               for batch, (_, T) in zip(texts(rng, config, pad=0), reversed(sizes(config.block_size)))]
    assert_equal(Seq2Seq(config), tmp_path / "m.onnx", batches)


@pytest.mark.parametrize("activation", ("relu", "leaky-relu", "gelu", "silu", "tanh", "sigmoid", "softplus"))
@pytest.mark.parametrize("batch_norm", (False, True))
def test_mlp(tmp_path, activation, batch_norm):
    rng = np.random.default_rng(0)
    model = MLP(MLPConfig(7, 3, n_layer=2, n_hidden=9, activation=activation, batch_norm=batch_norm, dropout=0.2))
    model.train()
    for _ in range(3):                                      # running statistics other than 0 and 1
        model(3 * rng.standard_normal((16, 7), np.float32) + 1)
    assert_equal(model, tmp_path / "m.onnx", [{"x": 30 * rng.standard_normal((n, 7), np.float32)} for n in (1, 4, 9)])


@pytest.mark.parametrize("name, sizes", (("LeNet", {}), ("ViT", {"n_layer": 1}), ("PrototypeNetwork", {}),
                                         ("SimCLR", {}), ("LinearRegression", {}), ("LogisticRegression", {})))
def test_models_of_rows(tmp_path, name, sizes):
    rng, kind = np.random.default_rng(0), getattr(models, name)
    names = {field.name for field in dataclasses.fields(kind.Config)}
    model = kind(kind.Config(n_features=784, **({"n_classes": 10} if "n_classes" in names else {}), **sizes))
    for parameter in model.parameters():
        parameter.data += 0.01 * rng.standard_normal(parameter.shape).astype(parameter.dtype)
    dtype = next(model.parameters()).dtype
    assert_equal(model, tmp_path / "m.onnx", [{"x": rng.random((n, 784), np.float32)} for n in (1, 4, 9)],
                 lambda x: model(x.astype(dtype)))


@pytest.mark.parametrize("conditional", (False, True))
@pytest.mark.parametrize("name, sizes", (("VAE", {"n_hidden": 20}), ("GAN", {"n_hidden": 9, "batch_norm": True}),
                                         ("GAN", {"layers": "convolutional"})))
def test_what_makes_pictures_of_noise(tmp_path, name, sizes, conditional):
    rng, kind = np.random.default_rng(0), getattr(models, name)
    model = kind(kind.Config(n_latent=16, conditional=conditional, **sizes))
    batches = [{"z": rng.standard_normal((n, 16), np.float32), **({"y": rng.integers(0, 10, n)} if conditional else {})}
               for n in (1, 4, 9)]
    assert_equal(model, tmp_path / "m.onnx", batches, model.decode if name == "VAE" else model)


@pytest.mark.parametrize("name", ("BagOfWords", "BayesBag"))
def test_bags_of_words(tmp_path, name):
    rng, kind = np.random.default_rng(0), getattr(models, name)
    model = kind(kind.Config(20, 3))
    for array in model.state_dict().values():
        array[:] = rng.standard_normal(array.shape)

    def sparse(x):
        return model(SparseRows.of([(np.flatnonzero(row), row[np.flatnonzero(row)]) for row in x]))

    batches = [{"x": np.float32(rng.integers(0, 3, (n, 20)) * rng.integers(0, 2, (n, 1)))} for n in (1, 4, 9)]
    assert_equal(model, tmp_path / "m.onnx", batches, sparse)


def past_of(session, B):
    """No positions yet."""
    return {entry.name: np.zeros((B, entry.shape[1], 0, entry.shape[3]), np.float32)
            for entry in session.get_inputs() if entry.name.startswith("past_key_values.")}


def steps(session, past, ids, name, **rest):
    """The logits of ``ids``, read a few positions at a time, each with the present of those before as its past."""
    names, at, logits = [entry.name for entry in session.get_outputs()], 0, []
    for T in (2, 1, 3, *[1] * ids.shape[1]):
        if at < ids.shape[1]:
            outputs = dict(zip(names, session.run(None, {name: ids[:, at:at + T], **rest, **past})))
            logits.append(outputs.pop("logits"))
            past = {key.replace("present", "past_key_values"): value for key, value in outputs.items()}
            at += T
    return np.concatenate(logits, axis=1)


@pytest.mark.parametrize("kind", (GPT, Llama))
@pytest.mark.parametrize("block_size", (4, 5, 8, 40))
def test_a_decoder_with_a_cache(tmp_path, kind, block_size):
    rng = np.random.default_rng(block_size)
    config = drawn(rng, kind.Config, n_head=2, n_embd=8, block_size=block_size,
                   **({"n_kv_head": 1} if kind is Llama else {}))
    model = kind(config).eval()
    interop.onnx.export(model, tmp_path / "m.onnx", cache=True)
    session, ids = opened(tmp_path / "m.onnx"), rng.integers(0, config.vocab_size, (3, block_size))
    assert_close([steps(session, past_of(session, 3), ids, "input_ids")], [model(ids)])
    assert [entry.shape for entry in session.get_outputs()][-1] == ["batch", 1 if kind is Llama else 2,
                                                                    "past_sequence + sequence", 4]


@pytest.mark.parametrize("block_size", (4, 9))
def test_an_encoder_and_the_steps_of_its_decoder(tmp_path, block_size):
    rng = np.random.default_rng(0)
    config = drawn(rng, Seq2Seq.Config, block_size=block_size)
    model = Seq2Seq(config).eval()
    interop.onnx.export(model, tmp_path / "encoder.onnx", encoder=True)
    interop.onnx.export(model, tmp_path / "decoder.onnx", cache=True)
    encoder, decoder = opened(tmp_path / "encoder.onnx"), opened(tmp_path / "decoder.onnx")
    for batch in texts(rng, config, pad=0):
        source = batch["input_ids"]
        memory = dict(zip([entry.name for entry in encoder.get_outputs()], encoder.run(None, batch)))
        target = rng.integers(0, config.vocab_size, (len(source), block_size))
        assert_close([steps(decoder, past_of(decoder, len(source)), target, "decoder_input_ids", **memory)],
                     [model(source, target)])


def test_a_cache_is_refused_where_there_is_none(tmp_path):
    for model, options, message in (
            (MLP(MLPConfig(4, 2)), {"cache": True}, "MLP has no cache"),
            (models.Recurrent(models.RecurrentConfig(9)), {"cache": True}, "Recurrent has no cache"),
            (GPT(GPTConfig(9, 8, 1, 1, 4)), {"encoder": True}, "GPT has no encoder"),
            (GPT(GPTConfig(9, 3, 1, 1, 4)), {"cache": True}, "block_size of 3, expected at least 4"),
            (GPT(GPTConfig(9, 8, 1, 1, 4)), {"cache": True, "encoder": True}, "two files")):
        with pytest.raises((TypeError, ValueError), match=message):
            interop.onnx.export(model, tmp_path / "m.onnx", **options)
    assert not [*tmp_path.iterdir()]
