"""Interoperability: files that other programs write and read.

    read_weights, write_weights     a safetensors file: the arrays and the metadata, as they are
    read_state                      the arrays of a published model, in one file or in several with an index
    weights_file, read_config       where these arrays are, and the model's config, in a folder of Hugging Face
    onnx.export                     a model as an ONNX file, for ONNX Runtime

Models read such folders with ``from_pretrained``, and ``tinyformer.load`` reads a single file into memory.
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from . import onnx
from .published import read_config, read_state, weights_file
from .weights import read_weights, write_weights

__all__ = ["onnx", "read_config", "read_state", "read_weights", "weights_file", "write_weights"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
