"""Computation graphs as SVG: a box for each operation, inputs at the top, shapes at the arrows. Graphviz is not needed.

>>> computation_graph(model.loss(ids, targets), model)            # in a notebook: the picture
>>> computation_graph(loss).save("graph.svg")
"""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..autograd import Tensor
from ..graph import topological_order
from ..files import replace_file
from ..nn.module import Parameter

if TYPE_CHECKING:
    from ..graph import Node
    from ..nn import Module

LINE, LETTER, GAP_X, GAP_Y = 14, 6.2, 26, 38  # height of a line, width of a letter, space between boxes, in pixels
RED, BLUE, GRAY, INK = "#D55E00", "#0072B2", "#f2f2f2", "#222"


class Graph:
    """A picture of a graph, which notebooks show. ``svg`` is its text, and so is ``str(graph)``."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def __str__(self) -> str:
        return self.svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture into the SVG file ``path``, whole or not at all.

        Raises ValueError if the name does not end in .svg.
        """
        if Path(path).suffix.lower() != ".svg":
            raise ValueError(f"{path}: a graph is an SVG file, expected a name that ends in .svg")
        replace_file(path, self.svg)


def computation_graph(loss: Tensor, model: Module | None = None, marked: Collection[Node] = ()) -> Graph:
    """The operations that computed ``loss``, as a ``Graph``, from the inputs at the top to the loss at the bottom.

    loss        a tensor whose graph still exists: before ``backward``, or after ``backward(retain_graph=True)``
    model       the Module, for the names of its parameters
    marked      nodes (``graph.Node``) that are drawn in red

    The picture has a box for each operation, with the parameters that it uses, and for each input. An arrow is a
    tensor, with its shape. Results that were computed from constants alone are not part of the graph. Raises ValueError
    for a tensor without a graph.
    """
    if not isinstance(loss, Tensor) or loss.node is None:
        raise ValueError("computation_graph: expected a tensor that was computed from one that requires a gradient")
    names = {id(p): name for name, p in model.named_parameters()} if model is not None else {}
    nodes, edges = {}, []
    for node in topological_order(loss):
        lines = [node.operation.__name__]
        for tensor in node.inputs:
            if isinstance(tensor, Parameter):
                lines.append(f"{names.get(id(tensor), 'parameter')} {tensor.shape}")
            elif tensor is not None:
                key = id(tensor) if tensor.node is None else tensor.node  # (tensors compare by their values)
                if key not in nodes:
                    nodes[key] = (["input" if tensor.requires_grad else "constant", str(tensor.shape)], [""])
                edges.append((key, tensor.slot, node))
        nodes[node] = (lines, [str(shape) for shape, _ in node.outputs])
    return Graph(draw_graph(nodes, list(dict.fromkeys(edges)), marked))


def draw_graph(nodes: Mapping[Hashable, tuple[Sequence[str], Sequence[str]]],
               edges: Sequence[tuple[Hashable, int, Hashable]], marked: Collection[Hashable] = ()) -> str:
    """An SVG picture of a graph, as text.

    nodes       {key: (lines in the box, labels of the outputs)}, sources before their users
    edges       (from, index of its output, to)
    marked      keys that are drawn in red
    """
    sizes = {key: _size(*box) for key, box in nodes.items()}
    places, bends, (width, height) = _places(nodes, edges, sizes)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
             f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="12">',
             f'<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
             f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>',
             f'<rect class="paper" width="{width:g}" height="{height:g}" fill="#fff"/>']
    arriving = {}
    for edge in sorted(edges, key=lambda edge: (bends[edge] or [places[edge[0]]])[-1][0]):
        arriving.setdefault(edge[2], []).append(edge)
    for edge in edges:
        a, port, b = edge
        (x1, y1, floor), (x2, y2, _) = places[a], places[b]
        out = x1 + _port(sizes[a][0], port, len(nodes[a][1]))
        start = [(out, y1 + sizes[a][1])]
        if start[0][1] < floor:                             # first past the taller boxes next to it
            start.append((out, floor))
        end = x2 + _port(0.6 * sizes[b][0], arriving[b].index(edge), len(arriving[b])), y2
        parts.append(_arrow([*start, *bends[edge], end]))
    for key, (lines, outputs) in nodes.items():
        x, y, _ = places[key]
        w, h = sizes[key]
        wrong = key in marked
        parts.append(f'<rect x="{x - w / 2:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="5" '
                     f'fill="{RED if wrong else GRAY}" stroke="{RED if wrong else BLUE}"/>')
        for i, line in enumerate(lines):
            style = 'font-size="10"' if i else 'font-weight="bold"'
            parts.append(f'<text x="{x:g}" y="{y + LINE * (i + 1) + 2:g}" text-anchor="middle" {style} '
                         f'fill="{"#fff" if wrong else INK}">{escape(_short(line))}</text>')
        for port, label in enumerate(outputs):
            left = x + _port(w, port, len(outputs)) + 4
            if label:                                       # on a white patch, or arrows would cross it
                parts.append(f'<path d="M{left - 1:g} {y + h + 3:g}h{0.65 * LETTER * len(label):g}v11H{left - 1:g}z" '
                             f'fill="#fff"/>')
                parts.append(f'<text x="{left:g}" y="{y + h + 12:g}" font-size="10" fill="{BLUE}">'
                             f'{escape(label)}</text>')
    return "".join(parts) + "</svg>"


def _size(lines, outputs):
    """Width and height of a box, wide enough for the labels of its outputs too. Letters of the first line are wider."""
    title, *rest = (len(_short(line)) for line in lines)
    labels = len(outputs) * max(LETTER * len(label) + 14 for label in outputs)
    return max(1.3 * LETTER * title + 16, *(LETTER * n + 16 for n in rest), labels), LINE * len(lines) + 10


def _port(width, i, n):
    """The position of the i-th of n arrows on a side, measured from its middle."""
    return width * ((i + 0.5) / n - 0.5)


def _short(text, most=44):
    return text if len(text) <= most else "…" + text[1 - most:]             # the end of a parameter's name says more


def _arrow(points):
    """A curve through ``points`` that is vertical at each."""
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        bend = (y2 - y1) / 2
        path += f"C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"
    return f'<path d="{path}" fill="none" stroke="{INK}" marker-end="url(#tip)"/>'


# ------------------------------------------------------------------------------------------------ layout

def _places(nodes, edges, sizes):
    """{key: (middle, top, bottom of its layer)}, {edge: [(x, y) on its path]} and the size of the picture.

    A node's layer is one below its lowest source. An edge that passes other layers has its own position in each of
    them, so that it goes around the boxes.
    """
    layer = _layers(nodes, edges)
    rows = [[] for _ in range(1 + max(layer.values()))]
    width = {key: sizes[key][0] for key in nodes}
    links, chains = [], {}
    for key in nodes:
        rows[layer[key]].append(key)
    for edge in edges:
        a, _, b = edge
        chains[edge] = [(edge, depth) for depth in range(layer[a] + 1, layer[b])]
        for place in chains[edge]:
            rows[place[1]].append(place)
            width[place] = 8
        chain = [a, *chains[edge], b]
        links.append((a, chain[1], _port(width[a], edge[1], len(nodes[a][1]))))
        links.extend((*link, 0) for link in zip(chain[1:], chain[2:]))
    x = _columns(rows, links, width)
    left = min(x[key] - width[key] / 2 for key in x) - GAP_X
    top, tops, heights = GAP_Y / 2, [], []
    for row in rows:
        tops.append(top)
        heights.append(max((sizes[key][1] for key in row if key in sizes), default=0))
        top += heights[-1] + GAP_Y
    places = {key: (x[key] - left, tops[layer[key]], tops[layer[key]] + heights[layer[key]]) for key in nodes}
    bends = {edge: [(x[place] - left, y) for place in chain
                    for y in (tops[place[1]], tops[place[1]] + heights[place[1]])] for edge, chain in chains.items()}
    right = max(x[key] + width[key] / 2 for key in x) + GAP_X
    return places, bends, (right - left, top)


def _layers(nodes, edges):
    """{key: layer}, 0 at the top."""
    parents, users, layer = {key: [] for key in nodes}, {key: [] for key in nodes}, {}
    for a, _, b in edges:
        parents[b].append(a)
        users[a].append(b)
    for key in nodes:
        layer[key] = 1 + max((layer[p] for p in parents[key]), default=-1)
    for key in nodes:                                       # an input is just above its first user
        if not parents[key] and users[key]:
            layer[key] = min(layer[b] for b in users[key]) - 1
    return layer


def _columns(rows, links, width):
    """{key: x of its middle}: near the mean of its neighbors, in three sweeps: down, up and down again.

    Neighbors are weighted by their width, so that boxes stay in a line and the arrows that pass them bend.
    """
    above, below = {}, {}
    for a, b, port in links:
        above.setdefault(b, []).append((a, port))
        below.setdefault(a, []).append((b, -port))
    x = {}
    for sweep, (order, looks) in enumerate(((rows, (above,)), (rows[::-1], (below, above)), (rows, (above, below)))):
        for row in order:
            wanted = {}
            for key in row:
                near = [(x[other] + port, width[other])
                        for look in looks for other, port in look.get(key, ()) if other in x]
                wanted[key] = sum(at * w for at, w in near) / sum(w for _, w in near) if near else x.get(key, 0)
            # The first sweep decides the order in a row; later ones only move the nodes.
            row.sort(key=wanted.get if sweep == 0 else x.get)
            at, end = {}, None
            for key in row:
                at[key] = wanted[key] if end is None else max(wanted[key], end + GAP_X + width[key] / 2)
                end = at[key] + width[key] / 2
            shift = sum((wanted[key] - at[key]) * width[key] for key in row) / sum(width[key] for key in row)
            x.update((key, at[key] + shift) for key in row)
    return x
