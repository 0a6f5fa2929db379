"""Models as ONNX files, which ONNX Runtime and other programs run without this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...names import module_attributes

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["export"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def export(model: Any, path: str | PathLike[str]) -> None:
    """Write ``model`` to the file ``path`` in the ONNX format: float32, evaluation mode, any batch size and length.

        ids integers → int64        numbers → float32        lengths of a text from 1 to block_size

    language models         input_ids (batch, sequence) → logits (batch, sequence, V)
    models of pictures      x (batch, n_features) → logits (batch, K)

    Three forward passes at different sizes are recorded. What is equal in all of them becomes a constant, what changes
    with the sizes is computed in the file, and each operation becomes the nodes of its converter in
    ``interop.onnx.table``. The file states opset 20, and holds the weights once under their names in the state dict,
    the model's architecture and the size of its vocabulary. ``onnx.checker`` has checked the file before it is written.

    Raises ImportError without the package ``onnx``, TypeError for a model of another kind, ValueError for one whose
    forward pass has an operation without a converter, or that takes more than the 2 GB of one ONNX file.
    """
    from .writing import write
    write(model, path)
