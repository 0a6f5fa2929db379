"""Computation graphs as SVG: boxes in layers, inputs at the top. No Graphviz."""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT, GAP_X, GAP_Y = 132, 38, 22, 36              # of a box and between boxes, in pixels
RED, BLUE, GREY, INK = "#D55E00", "#0072B2", "#f2f2f2", "#222"


def draw_graph(nodes, edges, marked=()):
    """An SVG picture (text) of a graph.

    nodes       {key: (title, subtitle)} in an order in which each stands after those that it comes from
    edges       (from, to) pairs of keys
    marked      keys that are drawn in red
    """
    places, size = _places(nodes, edges)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}" '
             f'font-family="sans-serif" font-size="12">',
             f'<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
             f'<path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>']
    for a, b in edges:
        (x1, y1), (x2, y2) = places[a], places[b]
        x1, x2, y1 = x1 + WIDTH / 2, x2 + WIDTH / 2, y1 + HEIGHT
        bend = (y2 - y1) / 2
        parts.append(f'<path d="M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}" fill="none" stroke="{INK}" '
                     f'marker-end="url(#tip)"/>')
    for key, (title, subtitle) in nodes.items():
        x, y = places[key]
        wrong = key in marked
        parts.append(f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{RED if wrong else GREY}" '
                     f'stroke="{RED if wrong else BLUE}"/>')
        for text, dy, style in ((title, 16, 'font-weight="bold"'), (subtitle, 30, 'font-size="10"')):
            parts.append(f'<text x="{x + WIDTH / 2:g}" y="{y + dy:g}" text-anchor="middle" {style} fill="{"#fff" if wrong else INK}">'
                         f'{escape(_short(text))}</text>')
    return "".join(parts) + "</svg>"


def _short(text):
    return text if len(text) <= 20 else text[:19] + "…"


def _places(nodes, edges):
    """{key: (x, y)} and the size of the picture: a layer is one below the lowest that it comes from; within it, boxes stand
    near the middle of those that they come from."""
    parents = {key: [a for a, b in edges if b == key] for key in nodes}
    layer = {}
    for key in nodes:
        layer[key] = 1 + max((layer[p] for p in parents[key]), default=-1)
    for key in nodes:                                       # an input stands just above the first that uses it
        users = [layer[b] for a, b in edges if a == key]
        if not parents[key] and users:
            layer[key] = min(users) - 1
    rows = {}
    for key in nodes:
        rows.setdefault(layer[key], []).append(key)
    places, slot = {}, {}
    for depth in sorted(rows):
        row = sorted(rows[depth], key=lambda key: sum(slot[p] for p in parents[key]) / len(parents[key]) if parents[key] else 0)
        slot.update((key, i - len(row) / 2) for i, key in enumerate(row))
    widest = max(map(len, rows.values()), default=1)
    for key in nodes:
        places[key] = (GAP_X + (slot[key] + widest / 2) * (WIDTH + GAP_X), GAP_Y / 2 + layer[key] * (HEIGHT + GAP_Y))
    return places, (GAP_X + widest * (WIDTH + GAP_X), (max(rows, default=0) + 1) * (HEIGHT + GAP_Y))
