"""Mistakes that pyright and mypy report, each on its line. ``test_checkers.py`` runs them; nothing here is executed."""

import numpy as np

import tinyformer as tfm
from tinyformer import nn, ops, optim
from tinyformer.explain import shapley_values
from tinyformer.fairness import group_metrics
from tinyformer.gradcheck import check
from tinyformer.models import VAE, GPTConfig
from tinyformer.privacy import DPOptimizer, epsilon

x = tfm.tensor([[1.0, 2.0]], requires_grad=True)
layer = nn.Linear(2, 3)

x.sofmax()                                          # expected: a method that does not exist
ops.softmax(x, dim=0)                               # expected: an option of PyTorch's name
ops.linear(x)                                       # expected: an input is missing
ops.cross_entropy(layer, np.array([0]))             # expected: a layer in place of its output
x["first"]                                          # expected: a text as an index
x + "1"                                             # expected: a text as an operand
y: np.ndarray = x * 2                               # expected: a tensor is no array
nn.Linear(2)                                        # expected: an argument is missing
optim.SGD(layer, lr=0.1)                            # expected: a module in place of its parameters
layer(x).backward(retain=True)                      # expected: an argument that does not exist
check(ops.exp, np.ones(2), rtol="small")            # expected: a text in place of a number
layer(x, x)                                         # expected: an input too many
nn.LSTM(2, 3)(x)[1][2]                              # expected: the state is a pair
nn.Dropout(p="0.5")                                 # expected: a text in place of a number
optim.CosineSchedule(layer, 10, 100)                # expected: a layer in place of an optimizer
GPTConfig(vocab_size="65")                          # expected: a text in place of an integer
nn.Conv2d(1, 8, 3, padding_mod="reflect")           # expected: an option that does not exist
ops.conv2d(x, x, stride=0.5)                        # expected: a fraction in place of an integer
VAE.from_pretrained("folder").sample("ten")         # expected: a text in place of a number
shapley_values(layer, x, return_error=True).mean()   # expected: a pair in place of an array
group_metrics([0, 1], [1, 1], ["a", "b"])           # expected: an argument without its name
DPOptimizer(layer, noise_multiplier=1.0, max_grad_norm=1.0, expected_batch_size=4)      # expected: not an optimizer
total: int = epsilon(1.0, 0.1, 100, 1e-5)           # expected: a floating-point number in place of an integer


@tfm.differentiable                                 # expected: a function without its vjp
def cube(x: np.ndarray) -> np.ndarray:
    return x ** 3
