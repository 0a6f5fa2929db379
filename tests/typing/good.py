"""A user's program, which pyright and mypy accept. ``test_checkers.py`` runs them; nothing here is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import tinyformer as tfm
from tinyformer import Tensor, nn, ops, optim
from tinyformer.explain import integrated_gradients, occlusion, rollout, shapley_values
from tinyformer.fairness import Swaps, counterfactual, group_metrics, reweighing
from tinyformer.generate import generate
from tinyformer.gradcheck import check
from tinyformer.learn import check as check_exercise
from tinyformer.models import CLIP, GPT, VAE, CLIPConfig, GPTConfig, VAEConfig
from tinyformer.privacy import DPOptimizer, epsilon, gradient_factors, per_example_gradients
from tinyformer.train import fit
from tinyformer.typing import Array, TensorLike, ValueAndVjp

# ------------------------------------------------------------------------------------------------ the engine

x = tfm.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
weight = tfm.tensor(np.ones((2, 2), np.float32), requires_grad=True)
y: Tensor = 2 * x @ weight - x / 3 + np.ones(2, np.float32) * x ** 2
first: Tensor = -y[0] + abs(y[:, None, 0]) - y[y > 0].sum() + y[..., -1]
total: Tensor = (y.relu() + y.softmax(-1) + y.T.reshape(2, 2).transpose(1, 0)).sum(axis=(0, 1)).mean()
total.backward()
gradient: Array = x.grad
data: Array = x.data * 2
shape: tuple[int, ...] = x.shape
print(f"{total:.3f}", float(total), x.grad.sum(), x.dtype, len(x), np.asarray(x).mean(), y == 1, x.is_leaf)
halves = x.split(2, axis=-1)
left: Tensor = halves[0]
vectors: Tensor = tfm.cat([tfm.zeros(2, 2), tfm.randn(2, 2)]).flatten().view(2, -1).unsqueeze(0)
for row in x:
    print(row.detach().numpy().tolist(), row.item() if row.size == 1 else None)
with tfm.no_grad():
    x -= 0.1 * x.grad
    x[0] = 0.0
x.grad = None

# ------------------------------------------------------------------------------------------------ operations

loss: Tensor = ops.cross_entropy(ops.linear(x, weight), np.array([0, 1]), label_smoothing=0.1)
states, last = ops.rnn(x[None], x[:1], weight, weight)
joined: Tensor = ops.concatenate([x, y], axis=0) + ops.concatenate(x, y)
value, vjp = ops.softmax.raw(x.data, axis=0)
print(ops.softmax.__name__, ops.linear.input_name(1), ops.exp(1.0) + ops.where(x > 0, x, 0.0), vjp(value))


@tfm.differentiable
def cube(x):
    """y = x³.   dx = 3x² dy."""
    return x ** 3, lambda dy: 3 * x ** 2 * dy


@tfm.differentiable(method="scaled")
def scaled(x: TensorLike, *, factor: float = 2.0) -> ValueAndVjp:
    """y = a x.   dx = a dy."""
    return np.multiply(x, factor), lambda dy: dy * factor


total = cube(x).sum() + scaled(x, factor=3.0).sum()
report = check(cube, np.linspace(-1, 1, 5))
print(report, report.ok, report.inputs[0].error)

# ------------------------------------------------------------------------------------------------ modules and training


class Network(nn.Module):
    """Two layers with an activation between them."""

    def __init__(self, inputs: int, classes: int, width: int = 32) -> None:
        self.hidden = nn.Linear(inputs, width)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(width, classes, bias=False)
        self.scale = nn.Parameter(np.ones(classes, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.drop(self.norm(ops.gelu(self.hidden(x))))) * self.scale

    def loss(self, x: Tensor, targets: Array) -> Tensor:
        return ops.cross_entropy(self(x), targets)


model = Network(2, 3)
optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
schedule = optim.CosineSchedule(optimizer, warmup_steps=10, total_steps=100)
batches = [(x.data, np.array([0, 1]))]
for inputs, targets in batches:
    loss = model.loss(tfm.tensor(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    norm: float = optim.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
history = fit(model, batches, optimizer, epochs=2, schedule=schedule, show_progress=False)
history = fit(model, batches, optimizer, loss=nn.CrossEntropyLoss(), epochs=2, show_progress=False)

logits: Tensor = model(x)
print(logits.data.argmax(axis=-1), model.num_parameters(), [name for name, _ in model.named_parameters()])
for parameter in model.parameters():
    parameter.data *= 0.5
    with tfm.no_grad():
        parameter -= 0.1 * parameter
        parameter *= 2
stacked: Tensor = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))(x)

sequence: Tensor = tfm.randn(5, 2, 3)
output, (hidden, cell) = nn.LSTM(3, 4, num_layers=2)(sequence)
attended, attention = nn.MultiheadAttention(4, 2, kdim=3, vdim=3)(output, sequence, sequence)
encoded: Tensor = nn.TransformerEncoderLayer(4, 2,
                                             8)(output + attended) + nn.GRU(3, 4)(sequence)[0] + hidden[0] + cell[0]
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
loss = criterion(nn.Flatten()(nn.BatchNorm1d(2)(logits)), np.array([0, 1])) + nn.MSELoss()(logits, logits.data)
parts = nn.ModuleDict({"embedding": nn.Embedding(9, 4, padding_idx=0), "identity": nn.Identity()})
embedded: Tensor = parts["identity"](nn.Embedding(9, 4)(np.array([1, 2])))
scales = nn.ParameterList([nn.Parameter([1.0])])
print(scales[0].grad, len(parts), nn.Linear(2, 3).bias, nn.Linear(2, 3).train().to(np.float64).in_features + 1)


class SignDescent(optim.Optimizer, recipe="sign"):
    """θ ← θ − η sign g."""

    def update(self, theta: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        theta -= group["lr"] * np.sign(g)


class Constant(optim.Schedule, recipe="constant"):
    """η(n) = max_lr."""

    def at(self, n: int) -> float:
        return self.max_lr


rate: float = Constant(SignDescent(model.parameters(), lr=0.1)).lr

state: dict[str, Array] = model.eval().state_dict()
tfm.save(state, Path("model.safetensors"))
model.load_state_dict(tfm.load("model.safetensors"))

# ------------------------------------------------------------------------------------------------ a language model

gpt = GPT(GPTConfig(vocab_size=65, block_size=32, n_layer=2, n_head=2, n_embd=32))
tokens = np.array([1, 2, 3])
loss = gpt.loss(tokens[None, :-1], tokens[None, 1:])
print(gpt(tokens[None]).shape, generate(gpt, tokens, 5, temperature=0.8, top_k=10, rng=0))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return p, lambda dp: p * (dp - (p * dp).sum(axis=-1, keepdims=True))


print(check_exercise("softmax", softmax).ok)

# ------------------------------------------------------------------------------------------------ pictures


class ConvNet(nn.Module):
    """Two convolutions, a normalization, pooling, and a linear layer."""

    def __init__(self, classes: int) -> None:
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding="same", bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                                  nn.MaxPool2d(2), nn.Conv2d(8, 8, (3, 3), stride=(1, 2), padding=1, groups=2),
                                  nn.GroupNorm(2, 8), nn.LeakyReLU(0.2), nn.AvgPool2d(2), nn.Flatten())
        self.out = nn.Linear(8, classes)

    def forward(self, x: TensorLike) -> Tensor:
        return self.out(self.body(x))

    def loss(self, x: TensorLike, y: Array) -> Tensor:
        return ops.cross_entropy(self(x), y)


pictures: Array = np.zeros((4, 1, 8, 8), np.float32)
classes = np.array([0, 1, 0, 1])
network = ConvNet(2)
patches: Tensor = ops.conv2d(pictures, np.ones((2, 1, 3, 3), np.float32), stride=2, padding=(1, 1))
larger: Tensor = nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1)(patches)
smaller: Tensor = ops.avg_pool2d(ops.max_pool2d(larger, kernel_size=2), kernel_size=(2, 1))

vae = VAE(VAEConfig(n_features=64, n_latent=2))
mean, log_variance = vae.encode(pictures)
z: Tensor = ops.reparametrize(mean, log_variance, np.zeros(mean.shape, np.float32))
elbo: Tensor = (ops.gaussian_kl(mean, log_variance) + vae.losses(pictures, rng=0)[0]).mean() + vae.decode(z).mean()
drawn: Array = vae.sample(3, rng=np.random.default_rng(0))

clip = CLIP(CLIPConfig(vocab_size=20, n_features=64))
loss = clip.loss(pictures, np.array([[1, 2], [1, 3], [2, 1], [4, 0]]))
cosines: Tensor = clip.similarity(pictures, ["a digit", "the digit zero"])

# ------------------------------------------------------------------------------------------------ what a model learned

attributions, delta = integrated_gradients(network, pictures, target=classes, n_steps=20)
fall: Array = occlusion(lambda x: network(x)[:, 0], pictures, (1, 2, 2))
values: Array = shapley_values(network, pictures[:, :, :2, :2], target=1, n_samples=10, rng=0)
values, errors = shapley_values(network, pictures, target=1, n_samples=10, return_error=True)
shares: Array = rollout(np.full((2, 4, 5, 5), 0.2))

private = DPOptimizer(optim.SGD(network.parameters(), lr=0.1), noise_multiplier=1.0, max_grad_norm=1.0,
                      expected_batch_size=4, rng=0)
private.step(gradient_factors(network, pictures, classes))
rows: list[Array] = per_example_gradients(lambda x, y: (model(x)[:, 0] - y) ** 2, model.parameters(), x.data, classes)
spent: float = epsilon(1.0, 0.1, 100, 1e-5)

rates = group_metrics(classes, [0, 1, 1, 1], sensitive_features=["a", "a", "b", "b"])
example_weights: Array = reweighing(classes, sensitive_features=["a", "a", "b", "b"])
swapped: str = Swaps({"he": "she"})("He is here.")
gap = counterfactual(lambda texts: np.zeros(len(texts)), ["he is here"], {"he": "she", "his": ["her", "hers"]})
print(rates["a"]["accuracy"], gap.mean, gap.flips(0.5), swapped, attributions.shape, delta.max(), errors.max())
