"""Who looks at whom: the attention weights of a forward pass, watched, added up over the layers, and drawn.

>>> with watch_attention(model) as maps:
...     model(ids)
>>> weights = maps.stacked()                    # (L, B, H, T, S)
>>> draw_attention(weights[:, 0], tokens, "attention.png")
"""

from __future__ import annotations

import textwrap
from contextlib import contextmanager

import numpy as np

from ..ops.attention import watcher
from .figure import new_figure, save_figure
from .fonts import labels

PANEL, WIDEST = (1.9, 14.0), 34.0               # inches: of the smallest and the largest map, and of all maps in a line
SMALLEST = 3.5                                  # points: below, no name of a token can be read


class AttentionMaps(dict):
    """{name of an attention layer in the model: its weights (B, H, T, S)}, in the order in which the layers were called.

    Query t looks at key s with weights[b, h, t, s]; each row sums to 1, or is 0 where a query may look nowhere.
    """

    def kinds(self):
        """{name with * for numbers: [names]}: the layers of a stack are of one kind, such as ``h.*.attn``."""
        kinds = {}
        for name in self:
            kinds.setdefault(".".join("*" if part.isdigit() else part for part in name.split(".")), []).append(name)
        return kinds

    def stacked(self, kind=None):
        """The weights (L, B, H, T, S) of all layers of a ``kind``, which need not be named where there is but one."""
        kinds = self.kinds()
        if kind is None and len(kinds) == 1:
            kind, = kinds
        if kind not in kinds:
            raise ValueError(f"stacked: kind is {kind!r}, expected one of {', '.join(kinds)}" if kinds else
                             "stacked: nothing was watched: no attention layer of the model was called")
        return np.stack([self[name] for name in kinds[kind]])


@contextmanager
def watch_attention(model):
    """Within ``with watch_attention(model) as maps:`` every forward pass of ``model`` leaves its attention weights in ``maps``.

    They are computed beside what the model computes, which stays as it is, from the same queries, keys and masks, before
    dropout. A layer that is called again, by another pass, replaces what it left.
    """
    maps, running, shadowed = AttentionMaps(), [], {}

    def see(weights):
        if running:                                         # otherwise it is another model's
            maps.pop(running[-1], None)                     # so that the order is that of the last pass
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
            if module not in shadowed:                      # one that stands at two places has its first name
                shadowed[module] = vars(module).get("forward")
                module.forward = named(name, module.forward)
        yield maps
    finally:
        watcher.reset(before)
        for module, forward in shadowed.items():
            del module.forward
            if forward is not None:                         # another watcher's
                module.forward = forward


def rollout(weights):
    """How much each output depends on each input through all layers: (…, T, T) from weights (L, …, H, T, T).

        A_l = ½ (mean over heads of P_l) + ½ I, each row divided by its sum
        R_l = A_l R_{l−1},  R_0 = I,  returns R_L

    ½ I stands for the residual connection, which carries a token past the attention. A row sums to 1: where the output at t
    comes from. What is between the layers (the values' matrices, the MLP) is not looked at.

    Source: Abnar & Zuidema (2020), "Quantifying attention flow in transformers".
    """
    weights = np.asarray(weights)
    if weights.ndim < 4 or 0 in weights.shape or weights.shape[-1] != weights.shape[-2]:
        raise ValueError(f"rollout: weights have shape {weights.shape}, expected (L, …, H, T, T), the self-attention of L layers")
    one = np.eye(weights.shape[-1])
    flow = one
    for layer in weights.astype(np.float64).mean(axis=-3) / 2 + one / 2:
        flow = layer / layer.sum(axis=-1, keepdims=True) @ flow
    return flow


def draw_attention(weights, tokens, path, keys=None, titles=None, title="Attention: each row looks at the columns"):
    """Draw attention weights as maps with tokens on their axes, into the PNG file ``path``.

    weights     (T, S), or (heads, T, S), or (layers, heads, T, S): a row of pictures a layer
    tokens      the T tokens that look, from above to below
    keys        the S tokens that are looked at, from left to right; those that look where it is None
    titles      one for each map, in their order; otherwise they are numbered from 0

    The colour is the weight on a square-root scale, so that small ones are seen. Tokens of a script that no installed font
    has are written as their code points, and the picture says so.
    """
    from matplotlib.colors import PowerNorm
    weights, keys = np.asarray(weights, np.float64), tokens if keys is None else keys
    if not 2 <= weights.ndim <= 4 or 0 in weights.shape or weights.shape[-2:] != (len(tokens), len(keys)):
        raise ValueError(f"draw_attention: weights have shape {weights.shape}, expected (layers, heads, {len(tokens)}, "
                         f"{len(keys)}) for {len(tokens)} tokens that look at {len(keys)}, or without the first axis or two")
    titles = titles or {2: [""], 3: [f"head {h}" for h in range(len(weights))],
                        4: [f"layer {l}, head {h}" for l, h in np.ndindex(weights.shape[:2])]}[weights.ndim]
    grid = weights.reshape(1, -1, *weights.shape[-2:]) if weights.ndim < 4 else weights
    rows, columns, T, S = grid.shape
    width, size = _sizes(max(rows, columns), max(T, S))
    (queries, spelled), (seen, also) = labels(tokens), labels(keys)
    left, below = (0.012 * size * min(24, max(len(text) for text, _ in side)) for side in (queries, seen))      # room for names
    across, down = columns * width + left + 1.2, rows * max(width * T / S, 1.4) + below + 0.9
    figure = new_figure(across, down)
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel, one, name in zip(panels.flat, grid.reshape(-1, T, S), titles):
        image = panel.imshow(one, cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="auto")
        panel.set_title(name, fontsize=9)
        panel.tick_params(length=0, labelsize=min(size, 9))
        panel.set(xticks=[], yticks=[])
    if size >= SMALLEST:
        for panel in panels[:, 0]:                          # the same tokens on all: they are named at the edges
            _name(panel.yaxis, queries)
        for panel in panels[-1]:
            _name(panel.xaxis, seen, turned=90)
    bar = figure.colorbar(image, ax=panels, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 1], fraction=0.7 / across, pad=0.15 / across,
                          shrink=min(1, 6 / down), aspect=20)
    bar.ax.tick_params(labelsize=8)
    if size < SMALLEST:
        title += "\ntokens are not named: too many for maps of this size, draw fewer at once"
    elif spelled or also:
        title += "\nU+… are code points: no installed font has these characters"
    figure.suptitle("\n".join(textwrap.fill(line, round(13 * across)) for line in title.splitlines()), fontsize=10)
    save_figure(figure, path)


def _sizes(maps, length):
    """The width of a map in inches where so many ``maps`` stand in a line, and the size of its tokens' names in points."""
    width = min(max(0.17 * length, PANEL[0]), PANEL[1], WIDEST / maps)
    return width, min(9.0, 0.8 * 72 * width / length)


def _name(axis, drawn, turned=0):
    """Write the tokens on an axis, those of several characters turned by so many degrees."""
    axis.set_ticks(range(len(drawn)), [text for text, _ in drawn])
    from matplotlib.font_manager import FontProperties
    for tick, (text, font) in zip(axis.get_ticklabels(), drawn):
        tick.set_parse_math(False)                          # a $ is a $
        tick.set_rotation(turned if len(text) > 1 else 0)
        if font is not None:
            tick.set_fontproperties(FontProperties(fname=font, size=tick.get_fontsize()))
