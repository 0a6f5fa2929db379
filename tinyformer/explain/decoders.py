"""Inside a decoder: what each layer would predict (the logit lens), and what a head is needed for (ablation).

These read ``blocks``, ``unembed`` and ``head_projections`` of the model, as GPT and Llama have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..number_checks import check_integer
from .scores import evaluation

if TYPE_CHECKING:
    from ..nn import Module
    from ..typing import Array, TensorLike


def logit_lens(model: Any, ids: TensorLike) -> Array:
    """The logits (L + 1, B, T, V) of a decoder after 0, 1, … L layers, for ids (B, T).

        logits_l = unembed(norm(x_l)),   x_0 the embeddings,   x_l the residual stream after layer l

    logits_L are the model's. The final norm and matrix are used at every layer, although they were trained for the last
    one only: early layers may hold the answer in another form. Raises TypeError for a model without blocks.

    Source: nostalgebraist (2020), "Interpreting GPT: the logit lens".
    """
    blocks = _part("logit_lens", model, "blocks")
    with no_grad(), evaluation(model), ExitStack() as stack:
        stream: list[Tensor] = []
        for block in blocks:
            stack.enter_context(_replaced(block, _recording(block.forward, stream)))
        last = model(ids).data
    with no_grad(), evaluation(model):
        return np.stack([*(model.unembed(x).data for x in stream), last])


@contextmanager
def ablate_heads(model: Any, heads: Iterable[tuple[int, int]]) -> Iterator[None]:
    """Within ``with ablate_heads(model, [(layer, head), …]):`` these attention heads of a decoder contribute 0.

    Layers and heads are counted from 0. Parameters stay as they are. Raises ValueError for a head that does not exist,
    TypeError for a model without ``head_projections``.

    Source: Michel, Levy and Neubig (2019), "Are sixteen heads really better than one?".
    """
    projections, H = _part("ablate_heads", model, "head_projections"), model.config.n_head
    removed: dict[int, list[int]] = {}
    for layer, head in heads:
        layer = check_integer("ablate_heads", "layer", layer, 0, len(projections) - 1)
        removed.setdefault(layer, []).append(check_integer("ablate_heads", "head", head, 0, H - 1))
    with ExitStack() as stack:
        for layer, gone in removed.items():
            projection = projections[layer]
            keep = np.ones((H, projection.weight.shape[1] // H), projection.weight.dtype)
            keep[gone] = 0
            stack.enter_context(_replaced(projection, _masking(projection.forward, keep.ravel())))
        yield


def head_importance(model: Any, ids: TensorLike, targets: TensorLike) -> Array:
    """How much the loss of a decoder rises without each head, (L, H) in nats: ids and targets (B, T).

    Near 0: other heads do the same work, or it is not needed for these texts. Negative: the head hurts here.
    """
    L, H = len(_part("head_importance", model, "head_projections")), model.config.n_head
    found = np.zeros((L, H))
    with no_grad(), evaluation(model):
        whole = model.loss(ids, targets).item()
        for layer, head in np.ndindex(L, H):
            with ablate_heads(model, [(layer, head)]):
                found[layer, head] = model.loss(ids, targets).item() - whole
    return found


def _part(owner: str, model: Any, name: str) -> Any:
    part = getattr(model, name, None)
    if part is None:
        raise TypeError(f"{owner}: a {type(model).__name__} has no {name}, expected a decoder with attention, such as "
                        "GPT or Llama")
    return part


def _recording(forward: Any, stream: list[Tensor]) -> Any:
    def run(x, *rest):
        stream.append(x)
        return forward(x, *rest)
    return run


def _masking(forward: Any, keep: Array) -> Any:
    return lambda x: forward(x * keep)


@contextmanager
def _replaced(module: Module, forward: Any) -> Iterator[None]:
    """``module`` runs ``forward`` instead of its own; a forward that another watcher has set comes back afterwards."""
    before = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        del module.forward
        if before is not None:
            module.forward = before
