"""Modules and layers, under PyTorch's names, arguments and state-dict keys.

A layer is made with its sizes and called with its input; ``functional`` has the same operations as functions, ``init``
the rules for initial weights.

>>> model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
>>> logits = model(x)                               # x (N, 784), logits (N, 10)
>>> loss = nn.CrossEntropyLoss()(logits, targets)   # targets integers (N,)
>>> loss.backward()                                 # the gradients are in parameter.grad of model.parameters()
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from . import functional, init
from .activation import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .attention import MultiheadAttention, ResidualSelfAttention
from .containers import ModuleDict, ModuleList, ParameterList, Sequential
from .convolution import Conv1d, Conv2d, ConvTranspose2d
from .dropout import Dropout
from .embedding import Embedding
from .linear import Linear
from .losses import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from .module import Module, Parameter, evaluating, frozen
from .normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, RMSNorm
from .pooling import AvgPool2d, MaxPool2d
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from .reshaping import Flatten, Identity
from .transformer import (Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
                          TransformerEncoderLayer)

__all__ = ["AvgPool2d", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d", "ConvTranspose2d",
           "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "GELU", "GRU", "GRUCell", "GroupNorm", "Identity",
           "LSTM", "LSTMCell", "LayerNorm", "LeakyReLU", "Linear", "MSELoss", "MaxPool2d", "Module", "ModuleDict",
           "ModuleList", "MultiheadAttention", "Parameter", "ParameterList", "RMSNorm", "RNN", "RNNCell", "ReLU",
           "ResidualSelfAttention", "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh", "Transformer",
           "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
           "evaluating", "frozen", "functional", "init"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
