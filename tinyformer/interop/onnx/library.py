"""The package ``onnx``, which this room shares its name with, so that a type checker would take one for the other."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def onnx() -> Any:
    """The package. Raises ImportError with what to install where it is missing."""
    try:
        return import_module("onnx")
    except ImportError:
        raise ImportError("export: the package onnx is missing; pip install 'tinyformer[onnx]' installs it") from None
