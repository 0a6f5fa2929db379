"""MLP: linear layers with activations, and optional batch norm, dropout and penalties, that classify vectors.

    h = x;   h = dropout(activation(norm(W h + b)))   n_layer times;   logits = W h + b

Source: Rumelhart, Hinton and Williams (1986).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import nn, ops
from ..nn import init
from .config_checks import check_at_least_zero, check_flags, check_fractions, check_integers, check_one_of
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["MLP", "MLPConfig"]

ACTIVATIONS = {"relu": nn.ReLU, "leaky-relu": nn.LeakyReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh,
               "sigmoid": nn.Sigmoid, "softplus": nn.Softplus}
INITS = {                                                   # of the matrices; biases start at 0 except with "default"
    "default": None,                                        # nn.Linear's own
    "kaiming": init.kaiming_normal_,
    "xavier": init.xavier_normal_,
    "normal": lambda weight: init.normal_(weight, std=0.01),
    "zeros": init.zeros_,                                   # all units of a layer stay equal, so training fails
}


@dataclass(frozen=True)
class MLPConfig:
    """x has n_features numbers and one of n_classes; n_layer hidden layers have n_hidden units.

    Without hidden layers (0) the classifier is linear.

    activation      relu, leaky-relu, gelu, silu, tanh, sigmoid or softplus
    batch_norm      batch norm before each activation
    init            kaiming, xavier, normal (N(0, 0.01²)), zeros, or default: the initialization of nn.Linear
    l1, l2          weights of the penalties Σ |W| and ½ Σ W² over the matrices, which the training loss includes
    """

    n_features: int
    n_classes: int
    n_layer: int = 2
    n_hidden: int = 256
    activation: str = "relu"
    batch_norm: bool = False        # batch normalization before each activation
    dropout: float = 0.0
    init: str = "kaiming"
    l1: float = 0.0                 # strength of the penalty l1 · Σ |W| in training
    l2: float = 0.0                 # strength of the penalty l2/2 · Σ W² in training

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes", "n_hidden")
        check_integers(self, "n_layer", least=0)
        check_one_of(self, activation=ACTIVATIONS, init=INITS)
        check_flags(self, "batch_norm")
        check_fractions(self, "dropout")
        check_at_least_zero(self, "l1", "l2")


@register
class MLP(Pretrained):
    """``logits = model(x)``: x (N, n_features), logits (N, n_classes). ``model.loss(x, y)`` is a scalar."""

    architecture, task, Config = "mlp", "pictures", MLPConfig
    config: MLPConfig

    @classmethod
    def least_batch(cls, config: MLPConfig) -> int:
        """Batch norm needs two examples."""
        return 2 if config.batch_norm and config.n_layer else 1

    def __init__(self, config: MLPConfig) -> None:
        self.config = config
        layers, width = [], config.n_features
        for _ in range(config.n_layer):
            layers.append(nn.Linear(width, config.n_hidden))
            if config.batch_norm:
                layers.append(nn.BatchNorm1d(config.n_hidden))
            layers.append(ACTIVATIONS[config.activation]())
            if config.dropout:
                layers.append(nn.Dropout(config.dropout))
            width = config.n_hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, config.n_classes))
        if INITS[config.init]:
            for matrix in self._matrices():
                weight, bias = matrix.parameters()
                INITS[config.init](weight)
                init.zeros_(bias)

    def _matrices(self):
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def features(self, x: TensorLike) -> Tensor:
        """The last hidden layer (N, n_hidden), from which the logits are a linear layer away."""
        for layer in list(self.layers)[:-1]:
            x = layer(x)
        return x                                            # type: ignore[return-value]

    def forward(self, x: TensorLike) -> Tensor:
        """The logits (N, n_classes)."""
        return self.layers(x)

    def loss(self, x: TensorLike, y: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of the classes ``y``, integers (N,), plus the penalties in training."""
        loss = ops.cross_entropy(self(x), y)
        if self.training and self.config.l1:
            loss = loss + self.config.l1 * sum(ops.sum(ops.abs(matrix.weight)) for matrix in self._matrices())
        if self.training and self.config.l2:
            loss = loss + 0.5 * self.config.l2 * sum(ops.sum(matrix.weight * matrix.weight)
                                                     for matrix in self._matrices())
        return loss

    def predict(self, x: TensorLike) -> Array:
        """The most likely class of each row of x: (N,)."""
        return self(x).data.argmax(axis=1)
