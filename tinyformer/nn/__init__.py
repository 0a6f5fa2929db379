"""Modules and layers, under PyTorch's names, arguments and state-dict keys."""

from . import functional, init
from .activation import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .attention import MultiheadAttention, ResidualSelfAttention
from .basic import Dropout, Embedding, Linear
from .module import Module, ModuleList, Parameter, Sequential, evaluating
from .normalization import BatchNorm1d, LayerNorm, RMSNorm
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from .transformer import (Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
                          TransformerEncoderLayer)
