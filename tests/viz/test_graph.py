"""Computation graphs as SVG: what stands in them, and where."""

import re
import xml.etree.ElementTree as xml

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, no_grad, ops
from tinyformer.models.gpt import GPT, GPTConfig
from tinyformer.viz import computation_graph
from tinyformer.viz.graph import RED, draw_graph

SVG = "{http://www.w3.org/2000/svg}"


def boxes(svg):
    """(left, top, width, height) of each box."""
    return [tuple(float(rect.get(name)) for name in ("x", "y", "width", "height"))
            for rect in xml.fromstring(svg).iter(SVG + "rect") if rect.get("class") != "paper"]


def texts(svg):
    """All texts, in their order."""
    return [text.text for text in xml.fromstring(svg).iter(SVG + "text")]


def arrows(svg):
    """The points of each arrow where it is vertical."""
    for path in xml.fromstring(svg).iter(SVG + "path"):
        if path.get("fill") == "none":
            numbers = [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", path.get("d"))]
            points = list(zip(numbers[::2], numbers[1::2]))
            yield points[::3]


def check_layout(svg):
    """No box covers another, all lie on the paper, arrows go down and through no box."""
    paper = xml.fromstring(svg)
    width, height, all_boxes = float(paper.get("width")), float(paper.get("height")), boxes(svg)
    for i, (x, y, w, h) in enumerate(all_boxes):
        assert 0 <= x and x + w <= width and 0 <= y and y + h <= height
        for x2, y2, w2, h2 in all_boxes[i + 1:]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    for points in arrows(svg):
        assert all(a[1] < b[1] for a, b in zip(points, points[1:]))
        for (x1, y1), (x2, y2) in zip(points, points[1:]):
            for x, y, w, h in all_boxes:
                inside = y < y2 - 1 and y + h > y1 + 1 and x < max(x1, x2) and x + w > min(x1, x2)
                assert not inside, (points, (x, y, w, h))


def test_operations_inputs_and_shapes(rng):
    w, b = tfm.tensor([1.0, 2.0], requires_grad=True), tfm.tensor(0.5, requires_grad=True)
    y = (w * tfm.tensor([3.0, 4.0])).sum() + b
    graph = computation_graph((y * y).tanh())
    assert sorted(texts(graph.svg)) == sorted(
        ["input", "(2,)", "constant", "(2,)", "multiply", "(2,)", "sum", "()", "input", "()", "add", "()", "multiply",
         "()",
         "tanh", "()"])
    assert len(boxes(graph.svg)) == 8 and len(list(arrows(graph.svg))) == 7                 # y * y is one arrow
    assert str(graph) == graph.svg == graph._repr_svg_()
    check_layout(graph.svg)


def test_parameters_stand_by_their_names_where_they_are_used(rng):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    loss = ops.cross_entropy(model(rng.normal(size=(5, 3)).astype(np.float32)), np.zeros(5, int))
    found = texts(computation_graph(loss, model).svg)
    assert found[:6] == ["constant", "(5, 3)", "linear", "0.weight (4, 3)", "0.bias (4,)", "(5, 4)"]
    assert "2.weight (2, 4)" in found
    assert "parameter (4, 3)" in texts(computation_graph(loss).svg)
    loss.backward()
    with pytest.raises(RuntimeError, match="the graph below cross_entropy was freed"):
        computation_graph(loss)


@pytest.mark.parametrize("n_layer", (1, 3))
def test_a_gpt(rng, n_layer):
    model, ids = GPT(GPTConfig(11, 8, n_layer, 2, 8)), rng.integers(0, 11, (2, 5))
    svg = computation_graph(model.loss(ids[:, :-1], ids[:, 1:]), model).svg
    check_layout(svg)
    found = texts(svg)
    assert found.count("scaled_dot_product_attention") == n_layer and found.count("add") == 1 + 2 * n_layer
    assert found.count("wte.weight (11, 8)") == 2                               # tied
    assert found.count("split") == n_layer and len(list(arrows(svg))) == 2 + 23 * n_layer + 3
    for name, parameter in model.named_parameters():
        assert f"{name} {parameter.shape}" in found


def test_any_graph_is_laid_out(rng):
    for n in (1, 2, 5, 12, 30):
        nodes, edges = {}, []
        for key in range(n):
            outputs = [f"({i},)" for i in range(rng.integers(1, 4))]
            nodes[key] = ([f"<operation> & {key}", *["a.long.name (3, 4)"] * rng.integers(0, 3)], outputs)
            for parent in rng.permutation(key)[:rng.integers(0, 3)]:
                edges.append((int(parent), int(rng.integers(len(nodes[parent][1]))), key))
        svg = draw_graph(nodes, edges, {0})
        assert svg.count(RED) == 2 and len(boxes(svg)) == n and len(list(arrows(svg))) == len(edges)
        check_layout(svg)


def test_saved_whole(tmp_path):
    graph = computation_graph(tfm.tensor(2.0, requires_grad=True) * 3)
    path = tmp_path / "graph.svg"
    path.write_text("old")
    graph.save(path)
    assert path.read_text(encoding="utf-8") == graph.svg and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="expected a name that ends in .svg"):
        graph.save(tmp_path / "graph.png")


def test_what_has_no_graph():
    with no_grad():
        y = tfm.tensor(2.0, requires_grad=True) * 3
    for nothing in (y, tfm.tensor(1.0), 3.0):
        with pytest.raises(ValueError, match="computation_graph: expected a tensor that was computed from one"):
            computation_graph(nothing)
