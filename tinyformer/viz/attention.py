"""The attention weights of a forward pass: recorded and drawn.

>>> with watch_attention(model) as maps:
...     model(ids)
>>> weights = maps.stacked()                    # (L, B, H, T, S)
>>> draw_attention(weights[:, 0], tokens, "attention.png")
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ops.attention import watcher
from .figure import label_axis, new_figure, save_figure
from .fonts import labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..nn import Module

PANEL, WIDEST = (1.9, 14.0), 34.0               # inches: of the smallest and the largest map, and of all maps in a line
SMALLEST = 3.5                                  # points: smaller names of tokens cannot be read


class AttentionMaps(dict):
    """{name of an attention layer: its weights (B, H, T, S)}, in the order in which the layers were called.

    weights[b, h, t, s] is the weight of key s for query t. Each row sums to 1, or is 0 where a query may attend to no
    key.
    """

    def kinds(self) -> dict[str, list[str]]:
        """{name with * for numbers: [names]}: the layers of a stack have one kind, such as ``h.*.attn``."""
        kinds = {}
        for name in self:
            kinds.setdefault(".".join("*" if part.isdigit() else part for part in name.split(".")), []).append(name)
        return kinds

    def stacked(self, kind: str | None = None) -> NDArray[Any]:
        """The weights (L, B, H, T, S) of all layers of a ``kind``. None works if there is only one kind.

        Raises ValueError for an unknown kind, and if no attention layer was called.
        """
        kinds = self.kinds()
        if kind is None and len(kinds) == 1:
            kind, = kinds
        if kind not in kinds:
            raise ValueError(f"stacked: kind is {kind!r}, expected one of {', '.join(kinds)}" if kinds else
                             "stacked: nothing was watched: no attention layer of the model was called")
        return np.stack([self[name] for name in kinds[kind]])


@contextmanager
def watch_attention(model: Module) -> Iterator[AttentionMaps]:
    """Within ``with watch_attention(model) as maps:``, each forward pass of ``model`` is recorded in ``maps``.

    ``maps`` holds the attention weights.

    The weights are computed from the model's own queries, keys and masks, before dropout. The output of the model does
    not change. A layer that is called again replaces its weights.
    """
    maps, running, shadowed = AttentionMaps(), [], {}

    def see(weights):
        if running:                                         # otherwise the weights are another model's
            maps.pop(running[-1], None)                     # so that the order is the order of the last pass
            maps[running[-1]] = weights.reshape(-1, *weights.shape[-3:]).copy()

    def named(name, forward):
        def run(*args, **kwargs):
            running.append(name)
            try:
                return forward(*args, **kwargs)
            finally:
                running.pop()
        return run

    before = watcher.set(see)
    try:
        for name, module in model.named_modules():
            if module not in shadowed:                      # a shared module keeps its first name
                shadowed[module] = vars(module).get("forward")
                module.forward = named(name, module.forward)
        yield maps
    finally:
        watcher.reset(before)
        for module, forward in shadowed.items():
            del module.forward
            if forward is not None:                         # another watcher's
                module.forward = forward


def draw_attention(weights: ArrayLike, tokens: Sequence[str], path: str | os.PathLike[str],
                   keys: Sequence[str] | None = None, titles: Sequence[str] | None = None,
                   title: str = "Attention: each row attends to the columns") -> None:
    """Draw attention weights as maps with tokens on their axes, into the PNG file ``path``.

    weights     (T, S), or (heads, T, S), or (layers, heads, T, S): a row of maps for each layer
    tokens      the T tokens of the queries, from top to bottom
    keys        the S tokens of the keys, from left to right; None: the same as ``tokens``
    titles      one for each map, in their order; None: layers and heads are numbered from 0

    Each map has a cell for each query and key. Its color is the weight, from white (0) to blue (1), on a square-root
    scale that makes small weights visible. Characters that no installed font has are written as code points, and the
    picture says so; tokens are left out where they would be too small to read. Raises ValueError for weights that do
    not fit the tokens.
    """
    from matplotlib.colors import PowerNorm
    weights, keys = np.asarray(weights, np.float64), tokens if keys is None else keys
    if not 2 <= weights.ndim <= 4 or 0 in weights.shape or weights.shape[-2:] != (len(tokens), len(keys)):
        raise ValueError(f"draw_attention: weights have shape {weights.shape}, expected (layers, heads, {len(tokens)}, "
                         f"{len(keys)}) for {len(tokens)} queries and {len(keys)} keys, "
                         "or without the first axis or two")
    titles = titles or {2: [""], 3: [f"head {h}" for h in range(len(weights))],
                        4: [f"layer {l}, head {h}" for l, h in np.ndindex(weights.shape[:2])]}[weights.ndim]
    grid = weights.reshape(1, -1, *weights.shape[-2:]) if weights.ndim < 4 else weights
    rows, columns, T, S = grid.shape
    width, size = _sizes(max(rows, columns), max(T, S))
    (queries, spelled), (seen, also) = labels(tokens), labels(keys)
    # room for names
    left, below = (0.012 * size * min(24, max(len(text) for text, _ in side)) for side in (queries, seen))
    across, down = columns * width + left + 1.2, rows * max(width * T / S, 1.4) + below + 0.9
    figure = new_figure(across, down)
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel, one, name in zip(panels.flat, grid.reshape(-1, T, S), titles):
        image = panel.imshow(one, cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="auto")
        panel.set_title(name, fontsize=9)
        panel.tick_params(length=0, labelsize=min(size, 9))
        panel.set(xticks=[], yticks=[])
    if size >= SMALLEST:
        for panel in panels[:, 0]:  # all maps have the same tokens: only the outer ones name them
            label_axis(panel.yaxis, queries)
        for panel in panels[-1]:
            label_axis(panel.xaxis, seen, turned=90)
    bar = figure.colorbar(image, ax=panels, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 1], fraction=0.7 / across,
                          pad=0.15 / across, shrink=min(1, 6 / down), aspect=20)
    bar.ax.tick_params(labelsize=8)
    if size < SMALLEST:
        title += "\ntokens are not named: too many for maps of this size, draw fewer at once"
    elif spelled or also:
        title += "\nU+… are code points: no installed font has these characters"
    figure.suptitle("\n".join(textwrap.fill(line, round(13 * across)) for line in title.splitlines()), fontsize=10)
    save_figure(figure, path)


def _sizes(maps, length):
    """The width of a map in inches, if this number of ``maps`` is in a line, and the size of its tokens in points."""
    width = min(max(0.17 * length, PANEL[0]), PANEL[1], WIDEST / maps)
    return width, min(9.0, 0.8 * 72 * width / length)
