"""Layers against PyTorch's: state dicts both ways, then values and all gradients for a random cotangent."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn
from tinyformer.nn import functional as F

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def close(ours, theirs, dtype, what):
    """The largest difference, relative to the largest entry, or to 1 (the size of the cotangents) where all are
    smaller."""
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert ours.shape == theirs.shape and str(ours.dtype) == dtype == str(theirs.dtype), (what, ours.shape, ours.dtype)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    there = ~np.isnan(theirs)
    error = np.abs(ours - theirs).max(initial=0, where=there) / max(np.abs(theirs).max(initial=0, where=there), 1)
    assert error < TOLERANCE[dtype], f"{what}: {error}"


def same_state(torch, ours, theirs, rng):
    """Random numbers into PyTorch's layer, its state into ours and ours back, strictly."""
    for name, tensor in theirs.state_dict().items():
        if tensor.is_floating_point():
            values = rng.random(tensor.shape) + 0.5 if "var" in name else rng.normal(0, 0.5, tensor.shape)
            tensor.copy_(torch.from_numpy(values))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})


def compare(torch, rng, ours, theirs, inputs, dtype, options=None,
            call=lambda layer, *xs, **options: layer(*xs, **options)):
    """Value and gradients of inputs and parameters. ``options`` are arrays for both; ``call`` picks the output."""
    theirs = theirs.to(getattr(torch, dtype))
    ours.to(dtype)
    same_state(torch, ours, theirs, rng)
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    options = {k: v.astype(dtype) if getattr(v, "dtype", None) == np.float64 else v for k, v in (options or {}).items()}
    xs = [tfm.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    ts = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    y = call(ours, *xs, **options)
    t = call(theirs, *ts, **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()})
    close(y, t, dtype, "value")
    if not t.requires_grad:
        return
    cotangent = rng.normal(size=y.shape).astype(dtype)
    y.backward(cotangent)
    t.backward(torch.from_numpy(cotangent))
    pairs = [(f"input {i}", x, other) for i, (x, other) in enumerate(zip(xs, ts))]
    pairs += [(name, p, other) for (name, p), other in zip(ours.named_parameters(), theirs.parameters())]
    for name, x, other in pairs:
        if other.grad is None:                              # not used there; used here, with a gradient of zeros
            assert x.grad is None or not x.grad.any(), name
        else:
            assert x.grad is not None, name
            close(x.grad, other.grad, dtype, f"gradient of {name}")


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


# ------------------------------------------------------------------------------------------------ simple layers

@pytest.mark.parametrize("bias", (True, False))
def test_linear(torch, rng, dtype, bias):
    n, m = rng.integers(1, 9, 2)
    for lead in ((), (4,), (2, 3)):
        compare(torch, rng, nn.Linear(n, m, bias=bias), torch.nn.Linear(n, m, bias=bias), [rng.normal(size=(*lead, n))],
                dtype)


@pytest.mark.parametrize("padding_idx", (None, 0, 3, -1))
def test_embedding(torch, rng, dtype, padding_idx):
    ours, theirs = nn.Embedding(7, 4, padding_idx), torch.nn.Embedding(7, 4, padding_idx)
    assert ours.padding_idx == theirs.padding_idx
    compare(torch, rng, ours, theirs, [rng.integers(0, 7, (3, 6))], dtype)


@pytest.mark.parametrize("shape", (5, (5,), (3, 5), (2, 3, 5)))
@pytest.mark.parametrize("options", ({}, {"bias": False}, {"elementwise_affine": False}, {"eps": 1e-2}))
def test_layer_norm(torch, rng, dtype, shape, options):
    compare(torch, rng, nn.LayerNorm(shape, **options), torch.nn.LayerNorm(shape, **options),
            [rng.normal(1, 2, size=(4, 2, 3, 5))], dtype)


@pytest.mark.parametrize("shape", (5, (3, 5)))
@pytest.mark.parametrize("options", ({}, {"eps": 1e-2}, {"elementwise_affine": False}))
def test_rms_norm(torch, rng, dtype, shape, options):
    compare(torch, rng, nn.RMSNorm(shape, **options), torch.nn.RMSNorm(shape, **options),
            [rng.normal(1, 2, size=(4, 3, 5))], dtype)


@pytest.mark.parametrize("name, options", [
    ("ReLU", {}), ("LeakyReLU", {}), ("LeakyReLU", {"negative_slope": 0.3}), ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}), ("Sigmoid", {}), ("Tanh", {}), ("Softplus", {}), ("Softplus", {"beta": 2.5, "threshold": 4.0}),
    ("Softmax", {"dim": -1}), ("Softmax", {"dim": 1})])
def test_activations(torch, rng, dtype, name, options):
    compare(torch, rng, getattr(nn, name)(**options), getattr(torch.nn, name)(**options),
            [rng.normal(0, 3, size=(3, 4, 5))], dtype)


def test_sequential_and_module_list_have_pytorchs_keys(torch, rng, dtype):
    def build(nn):
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 2)))
    compare(torch, rng, build(nn), build(torch.nn), [rng.normal(size=(5, 4))], dtype)
    ours, theirs = (library.ModuleList([library.Linear(2, 3), library.LayerNorm(3)]) for library in (nn, torch.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())


# ------------------------------------------------------------------------------------------------ batch norm

@pytest.mark.parametrize("shape", ((6, 4), (3, 4, 5)))
@pytest.mark.parametrize("options", ({}, {"momentum": None}, {"momentum": 0.3, "eps": 1e-3}, {"affine": False},
                                     {"track_running_stats": False}))
def test_batch_norm(torch, rng, dtype, shape, options):
    ours, theirs = nn.BatchNorm1d(4, **options), torch.nn.BatchNorm1d(4, **options)
    compare(torch, rng, ours, theirs, [rng.normal(1, 2, size=shape)], dtype)
    for _ in range(3):
        x = rng.normal(1, 2, size=shape).astype(dtype)
        ours(x), theirs(torch.from_numpy(x))
    for name, value in ours.state_dict().items():
        if value.dtype.kind == "f":
            close(value, theirs.state_dict()[name], dtype, name)
        else:
            assert value.dtype == np.int64 and value == theirs.state_dict()[name] == 4
    compare(torch, rng, ours.eval(), theirs.eval(), [rng.normal(1, 2, size=shape)], dtype)


@pytest.mark.parametrize("options", ({}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}))
def test_batch_norm_of_pictures(torch, rng, dtype, options):
    ours, theirs = nn.BatchNorm2d(3, **options), torch.nn.BatchNorm2d(3, **options)
    compare(torch, rng, ours, theirs, [rng.normal(1, 2, size=(3, 3, 4, 5))], dtype)
    for name, value in ours.state_dict().items():
        np.testing.assert_allclose(value, theirs.state_dict()[name], rtol=TOLERANCE[dtype], err_msg=name)
    compare(torch, rng, ours.eval(), theirs.eval(), [rng.normal(1, 2, size=(2, 3, 4, 5))], dtype)


@pytest.mark.parametrize("groups", (1, 2, 6))
@pytest.mark.parametrize("options", ({}, {"affine": False}, {"eps": 1e-2}))
def test_group_norm(torch, rng, dtype, groups, options):
    for shape in ((3, 6, 4, 5), (3, 6, 4), (0, 6, 2, 2)):
        compare(torch, rng, nn.GroupNorm(groups, 6, **options), torch.nn.GroupNorm(groups, 6, **options),
                [rng.normal(1, 2, size=shape)], dtype)


# ------------------------------------------------------------------------------------------------ convolution

MODES = ({}, {"padding_mode": "reflect"}, {"padding_mode": "replicate"}, {"padding_mode": "circular"})


def lengths(rng, axes, low, high):
    """An integer, or one for each axis."""
    return int(rng.integers(low, high)) if rng.random() < 0.5 else tuple(int(n) for n in rng.integers(low, high, axes))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name, axes", [("Conv1d", 1), ("Conv2d", 2)])
def test_convolutions(torch, rng, dtype, name, axes, mode):
    groups = int(rng.integers(1, 4))
    sizes = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), lengths(rng, axes, 1, 4)
    for padding in (lengths(rng, axes, 0, 4), "same", "valid"):
        options = {"stride": 1 if padding == "same" else lengths(rng, axes, 1, 4), "padding": padding,
                   "dilation": lengths(rng, axes, 1, 3), "groups": groups, "bias": bool(rng.integers(2)), **mode}
        for shape in ((2, sizes[0], *rng.integers(5, 9, axes)), (sizes[0], *rng.integers(5, 9, axes))):
            ours, theirs = getattr(nn, name)(*sizes, **options), getattr(torch.nn, name)(*sizes, **options)
            compare(torch, rng, ours, theirs, [rng.normal(size=shape)], dtype)


def test_transposed_convolution(torch, rng, dtype):
    groups, stride, dilation = (int(n) for n in rng.integers(1, 4, 3))
    sizes = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), lengths(rng, 2, 1, 4)
    options = {"stride": stride, "dilation": dilation, "padding": lengths(rng, 2, 0, 2), "groups": groups,
               "output_padding": int(rng.integers(max(stride, dilation))), "bias": bool(rng.integers(2))}
    for shape in ((2, sizes[0], 4, 5), (sizes[0], 5, 4)):
        ours, theirs = nn.ConvTranspose2d(*sizes, **options), torch.nn.ConvTranspose2d(*sizes, **options)
        compare(torch, rng, ours, theirs, [rng.normal(size=shape)], dtype)


@pytest.mark.parametrize("name, options", [
    ("MaxPool2d", {"kernel_size": 2}), ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("MaxPool2d", {"kernel_size": (3, 2), "stride": (1, 2), "dilation": 2}), ("AvgPool2d", {"kernel_size": 2}),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("MaxPool2d", {"kernel_size": (9, 12), "ceil_mode": True}),           # one window, larger than the picture
    ("AvgPool2d", {"kernel_size": (9, 12), "ceil_mode": True}),
    ("AvgPool2d", {"kernel_size": 3, "padding": (1, 0), "count_include_pad": False, "stride": (1, 3)}),
    ("AvgPool2d", {"kernel_size": (3, 2), "divisor_override": 4})])
def test_pooling(torch, rng, dtype, name, options):
    for shape in ((2, 3, 7, 8), (3, 8, 7), (0, 3, 6, 6)):
        compare(torch, rng, getattr(nn, name)(**options), getattr(torch.nn, name)(**options), [rng.normal(size=shape)],
                dtype)


@pytest.mark.parametrize("name", ("Conv1d", "Conv2d", "ConvTranspose2d"))
def test_convolutions_start_as_pytorchs(torch, name):
    """Uniform in the same range: the largest of many values is near its end."""
    torch.manual_seed(0)
    for sizes in ((8, 4, 5), (4, 16, 3)):
        ours, theirs = ([getattr(module, name)(*sizes) for _ in range(60)] for module in (nn, torch.nn))
        assert ours[0].weight.shape == tuple(theirs[0].weight.shape)
        for part in ("weight", "bias"):
            mine = max(np.abs(getattr(layer, part).data).max() for layer in ours)
            other = max(getattr(layer, part).abs().max().item() for layer in theirs)
            assert 0.97 < mine / other < 1.03


# ------------------------------------------------------------------------------------------------ attention

def masks(rng, B, H, T, S, batched=True):
    """Masks of every kind; key 0 stays open to all, so that PyTorch gives no NaN."""
    blocked = rng.random((T, S)) < 0.4
    heads = rng.random((B * H, T, S)) < 0.4
    padding = rng.random((B, S) if batched else (S,)) < 0.4
    blocked[:, 0] = heads[..., 0] = padding[..., 0] = False
    added = rng.normal(size=(T, S))
    return [{}, {"attn_mask": blocked}, {"attn_mask": heads}, {"attn_mask": added},
            {"attn_mask": rng.normal(size=(B * H, T, S))}, {"key_padding_mask": padding},
            {"attn_mask": blocked, "key_padding_mask": padding},
            {"attn_mask": added, "key_padding_mask": np.where(padding, -np.inf, 0.0)}]


KINDS = range(8)


@pytest.mark.parametrize("batch_first", (True, False))
@pytest.mark.parametrize("need_weights", (True, False))
@pytest.mark.parametrize("kind", KINDS)
def test_attention_across(torch, rng, dtype, batch_first, need_weights, kind):
    B, T, S, H, D = rng.integers(1, 5, 5)
    E = H * D
    shapes = [(B, T, E), (B, S, E), (B, S, E)]
    inputs = [rng.normal(size=shape if batch_first else (shape[1], shape[0], E)) for shape in shapes]
    bias = bool(rng.integers(2))
    compare(torch, rng, nn.MultiheadAttention(E, H, bias=bias, batch_first=batch_first),
            torch.nn.MultiheadAttention(E, H, bias=bias, batch_first=batch_first), inputs, dtype,
            masks(rng, B, H, T, S)[kind] | {"need_weights": need_weights}, lambda layer, *xs, **o: layer(*xs, **o)[0])


@pytest.mark.parametrize("need_weights", (True, False))
@pytest.mark.parametrize("kind", KINDS)
def test_attention_to_itself(torch, rng, dtype, need_weights, kind):
    B, T, H, D = rng.integers(1, 5, 4)
    ours, theirs = (library.MultiheadAttention(H * D, H, batch_first=True) for library in (nn, torch.nn))
    compare(torch, rng, ours, theirs, [rng.normal(size=(B, T, H * D))], dtype,
            masks(rng, B, H, T, T)[kind] | {"need_weights": need_weights},
            lambda layer, x, **o: layer(x, x, x, **o)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_attention_on_one_sequence(torch, rng, dtype, kind):
    T, S, H, D = rng.integers(1, 5, 4)
    compare(torch, rng, nn.MultiheadAttention(H * D, H), torch.nn.MultiheadAttention(H * D, H),
            [rng.normal(size=(n, H * D)) for n in (T, S, S)], dtype, masks(rng, 1, H, T, S, batched=False)[kind],
            lambda layer, *xs, **o: layer(*xs, **o)[0])


@pytest.mark.parametrize("average", (True, False))
@pytest.mark.parametrize("batched", (True, False))
def test_attention_weights(torch, rng, dtype, average, batched):
    inputs = [rng.normal(size=(n, 3, 8) if batched else (n, 8)) for n in (4, 5, 5)]
    compare(torch, rng, nn.MultiheadAttention(8, 2), torch.nn.MultiheadAttention(8, 2), inputs, dtype,
            {"average_attn_weights": average}, lambda layer, *xs, **o: layer(*xs, **o)[1])


def test_attention_is_causal(torch, rng, dtype):
    causal = np.triu(np.ones((5, 5), bool), 1)
    x = [rng.normal(size=(2, 5, 6))]
    for need_weights in (True, False):
        ours, theirs = (library.MultiheadAttention(6, 3, batch_first=True) for library in (nn, torch.nn))
        compare(torch, rng, ours, theirs, x, dtype,
                {"is_causal": True, "attn_mask": causal, "need_weights": need_weights},
                lambda layer, x, **o: layer(x, x, x, **o)[0])


# ------------------------------------------------------------------------------------------------ transformer

LAYER_OPTIONS = [{}, {"norm_first": True}, {"activation": "gelu"}, {"bias": False},
                 {"batch_first": True, "layer_norm_eps": 1e-3},
                 {"norm_first": True, "bias": False, "batch_first": True, "activation": "gelu"}]


def sequence(rng, T, options):
    return rng.normal(size=(2, T, 8) if options.get("batch_first") else (T, 2, 8))


def padding(rng, S):
    blocked = rng.random((2, S)) < 0.4
    blocked[:, 0] = False
    return blocked


@pytest.mark.parametrize("train", (True, False))
@pytest.mark.parametrize("options", LAYER_OPTIONS)
def test_encoder_layer(torch, rng, dtype, options, train):
    p = 0.0 if train else 0.2
    ours, theirs = (library.TransformerEncoderLayer(8, 2, 12, p, **options).train(train) for library in (nn, torch.nn))
    for masks in ({}, {"src_mask": np.triu(np.ones((5, 5), bool), 1), "src_key_padding_mask": padding(rng, 5)}):
        compare(torch, rng, ours, theirs, [sequence(rng, 5, options)], dtype, masks)


@pytest.mark.parametrize("train", (True, False))
@pytest.mark.parametrize("options", LAYER_OPTIONS)
def test_decoder_layer(torch, rng, dtype, options, train):
    p = 0.0 if train else 0.2
    ours, theirs = (library.TransformerDecoderLayer(8, 2, 12, p, **options).train(train) for library in (nn, torch.nn))
    full = {"tgt_mask": np.triu(np.ones((4, 4), bool), 1), "memory_mask": rng.normal(size=(4, 5)),
            "tgt_key_padding_mask": padding(rng, 4), "memory_key_padding_mask": np.where(padding(rng, 5), -np.inf, 0.0)}
    for masks in ({}, full):
        compare(torch, rng, ours, theirs, [sequence(rng, 4, options), sequence(rng, 5, options)], dtype, masks)


@pytest.mark.parametrize("final", (True, False))
def test_encoder_and_decoder_stacks(torch, rng, dtype, final):
    def build(library, **more):
        encoder, decoder = library.TransformerEncoderLayer(8, 2, 6, 0.0), library.TransformerDecoderLayer(8, 2, 6, 0.0)
        norms = [library.LayerNorm(8) if final else None for _ in range(2)]
        return library.TransformerEncoder(encoder, 2, norms[0],
                                          **more), library.TransformerDecoder(decoder, 2, norms[1])
    ours, theirs = build(nn), build(torch.nn, enable_nested_tensor=False)
    compare(torch, rng, ours[0], theirs[0], [rng.normal(size=(5, 2, 8))], dtype,
            {"src_key_padding_mask": padding(rng, 5)})
    compare(torch, rng, ours[1], theirs[1], [rng.normal(size=(4, 2, 8)), rng.normal(size=(5, 2, 8))], dtype)


@pytest.mark.parametrize("options",
                         ({}, {"norm_first": True, "batch_first": True, "activation": "gelu", "bias": False}))
@pytest.mark.filterwarnings("ignore::UserWarning")          # PyTorch's, about its fast path
def test_transformer(torch, rng, dtype, options):
    ours, theirs = (library.Transformer(8, 2, 2, 2, 12, 0.0, **options) for library in (nn, torch.nn))
    causal = nn.Transformer.generate_square_subsequent_mask(4)
    np.testing.assert_array_equal(causal, torch.nn.Transformer.generate_square_subsequent_mask(4).numpy())
    compare(torch, rng, ours, theirs, [sequence(rng, 5, options), sequence(rng, 4, options)], dtype,
            {"tgt_mask": causal, "src_key_padding_mask": padding(rng, 5), "memory_key_padding_mask": padding(rng, 5)})


# ------------------------------------------------------------------------------------------------ functional

def twin(torch, rng, name, arrays, dtype, *args, **options):
    """The function of one name in both libraries, as if it were a layer without parameters."""
    class Twin(nn.Module):
        def forward(self, *xs):
            return getattr(F, name)(*xs, *args, **options)

    class Theirs(torch.nn.Module):
        def forward(self, *xs):
            return getattr(torch.nn.functional, name)(*xs, *args, **options)

    compare(torch, rng, Twin(), Theirs(), arrays, dtype)


@pytest.mark.parametrize("name", ("relu", "leaky_relu", "gelu", "silu", "sigmoid", "tanh", "softplus"))
def test_functional_activations(torch, rng, dtype, name):
    twin(torch, rng, name, [rng.normal(0, 3, size=(4, 5))], dtype)


@pytest.mark.parametrize("name", ("softmax", "log_softmax"))
@pytest.mark.parametrize("dim", (0, 1, -1))
def test_functional_softmax(torch, rng, dtype, name, dim):
    twin(torch, rng, name, [rng.normal(size=(4, 5, 3))], dtype, dim=dim)


def test_functional_linear_and_embedding(torch, rng, dtype):
    twin(torch, rng, "linear", [rng.normal(size=(2, 4, 5)), rng.normal(size=(3, 5)), rng.normal(size=3)], dtype)
    twin(torch, rng, "embedding", [rng.integers(0, 5, (3, 4)), rng.normal(size=(5, 2))], dtype, padding_idx=2)


def test_functional_normalization(torch, rng, dtype):
    x, weight, bias = rng.normal(size=(4, 3, 5)), rng.normal(size=(3, 5)), rng.normal(size=(3, 5))

    def norm(name):
        return lambda library: lambda x, *parameters: getattr(library, name)(x, (3, 5), *parameters)

    for name, arrays in (("layer_norm", [x, weight, bias]), ("layer_norm", [x]), ("rms_norm", [x, weight]),
                         ("rms_norm", [x])):
        xs = [tfm.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
        ts = [torch.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
        y, t = norm(name)(F)(*xs), norm(name)(torch.nn.functional)(*ts)
        dy = rng.normal(size=x.shape).astype(dtype)
        y.backward(dy), t.backward(torch.from_numpy(dy))
        close(y, t, dtype, name)
        for a, b in zip(xs, ts):
            close(a.grad, b.grad, dtype, f"{name} gradient")


@pytest.mark.parametrize("training", (True, False))
def test_functional_batch_norm(torch, rng, dtype, training):
    x = rng.normal(size=(6, 3)).astype(dtype)
    running = [rng.normal(size=3).astype(dtype), rng.random(3).astype(dtype) + 1]
    theirs = [torch.tensor(r) for r in running]
    y = F.batch_norm(x, *running, training=training, momentum=0.2)
    close(y, torch.nn.functional.batch_norm(torch.from_numpy(x), *theirs, training=training, momentum=0.2), dtype,
          "value")
    for a, b in zip(running, theirs):
        close(a, b, dtype, "running statistics")


@pytest.mark.parametrize("shape", ((5,), (4, 5), (4, 5, 3), (2, 5, 3, 2)))
@pytest.mark.parametrize("options", ({}, {"reduction": "sum"}, {"reduction": "none"}, {"label_smoothing": 0.1},
                                     {"ignore_index": 2}, {"ignore_index": 2, "label_smoothing": 0.1}))
def test_functional_cross_entropy(torch, rng, dtype, shape, options):
    targets = np.asarray(rng.integers(0, 5, shape[:-1] if len(shape) < 3 else (shape[0], *shape[2:])))
    twin(torch, rng, "cross_entropy", [rng.normal(size=shape), targets], dtype, **options)


@pytest.mark.parametrize("reduction", ("mean", "sum", "none"))
def test_functional_losses(torch, rng, dtype, reduction):
    x, t, p = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), rng.random((4, 5))
    twin(torch, rng, "mse_loss", [x, t], dtype, reduction=reduction)
    twin(torch, rng, "binary_cross_entropy_with_logits", [x, p], dtype, reduction=reduction)


@pytest.mark.parametrize("causal", (True, False))
def test_functional_attention(torch, rng, dtype, causal):
    q, k, v = (rng.normal(size=(2, 3, n, 4)) for n in (5, 6, 6))
    twin(torch, rng, "scaled_dot_product_attention", [q, k, v], dtype, is_causal=causal, scale=0.3)
    if not causal:
        twin(torch, rng, "scaled_dot_product_attention", [q, k, v, rng.normal(size=(5, 6))], dtype)
