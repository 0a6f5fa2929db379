"""The file: recorded forward passes, the graph that they become, and what stands around it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files import replace_file
from ...nn import evaluating
from .cached import PAST, cached_form, encoder_form
from .conversion import convert
from .forms import Form, form_of
from .graph import OPSET, PASSES, Graph, Value, stored
from .library import onnx
from .recording import Recording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

IR_VERSION = 9                                              # of opset 20, so that runtimes of that age read the file
LIMIT = 2**31 - 1                                           # bytes that a protobuf message can have
# Sizes of the three forward passes; no one is a multiple of another.
WANTED = {"batch": (2, 3, 5), "sequence": (7, 11, 5), "decoder_sequence": (4, 13, 9), PAST: (6, 3, 8)}


def write(model: Any, path: str | PathLike[str], cache: bool, encoder: bool) -> None:
    """See ``interop.onnx.export``."""
    library = onnx()
    if cache and encoder:
        raise ValueError("export: cache and encoder are two files; export one after the other")
    form = cached_form(model) if cache else encoder_form(model) if encoder else form_of(model)
    name, weights = type(model).__name__, model.state_dict()
    size = 4 * sum({id(array): array.size for array in weights.values()}.values())
    if size > LIMIT:
        raise ValueError(f"export: {name} has weights of {size:,} bytes in float32, expected at most {LIMIT:,}, "
                         "because one ONNX file holds no more")
    with evaluating(model):
        try:
            proto = model_proto(form, weights, name)
        except ValueError as error:
            raise ValueError(f"export: {name} cannot be written as ONNX: {error}") from None
    facts = {"architecture": model.architecture, "vocab_size": getattr(model.config, "vocab_size", None)}
    library.helper.set_model_props(proto, {name: str(value) for name, value in facts.items() if value is not None})
    library.checker.check_model(proto, full_check=True)
    replace_file(path, proto.SerializeToString())


def model_proto(form: Form, weights: Mapping[str, np.ndarray], name: str) -> Any:
    """The forward pass of ``form`` as ONNX's ModelProto; ``weights`` are the arrays that are stored by their names."""
    helper = onnx().helper
    symbols = _symbols(form)
    recordings = [_recorded(form, weights, {name: sizes[i] for name, sizes in symbols.items()}, seed=i)
                  for i in range(PASSES)]

    @functools.cache
    def longest() -> Recording:
        """A pass over no text at all, whose tables have the greatest length."""
        return _recorded(form, weights, {**dict.fromkeys(symbols, 0), **form.limits}, seed=0)

    graph = Graph(symbols)
    for given, of in form.inputs.items():
        for axis, symbol in enumerate(of.axes):
            if isinstance(symbol, str):
                graph.places.setdefault(symbol, (given, axis))
        if of.default is not None:
            graph.broadcast[given] = next(name for name, other in form.inputs.items() if other.axes == of.axes)
    outputs = convert(recordings, graph, weights, longest)
    for output, value in outputs.items():                   # copied to the output's name, at no cost at run time
        graph.Identity(value)
        graph.nodes[-1].output[0] = graph.nodes[-1].name = output
    for given, of in form.inputs.items():
        if of.default is not None:
            graph.weight(given, of.default)
    used = {name for node in graph.nodes for name in node.input}
    proto = helper.make_graph(
        graph.nodes, name,
        [_info(given, stored(recordings[0].inputs[given]),
               of.axes if of.default is None else [f"{given}_{axis}" for axis in of.axes])      # they may be 1, too
         for given, of in form.inputs.items()],
        [_info(output, stored(value.samples[0]), _axes(graph, value)) for output, value in outputs.items()],
        [_tensor(name, array) for name, array in graph.initializers.items() if name in used])
    return helper.make_model(proto, producer_name="tinyformer", opset_imports=[helper.make_opsetid("", OPSET)],
                             ir_version=IR_VERSION)


def _symbols(form: Form) -> dict[str, tuple[int, ...]]:
    """The sizes of the three forward passes, different ones for each symbol."""
    names = dict.fromkeys(axis for given in form.inputs.values() for axis in given.axes if isinstance(axis, str))
    found = {}
    for turn, name in enumerate(names):
        limit = form.limits.get(name, max(WANTED[name]))
        near = [max(limit - less, 1) for less in range(3)]              # below a small limit: the limit and two less
        found[name] = WANTED[name] if limit >= max(WANTED[name]) else (*near[turn % 3:], *near[:turn % 3])
    if PAST in found:                                       # past and new positions share the room
        new = "decoder_sequence" if "decoder_sequence" in found else "sequence"
        room, found[PAST] = form.limits[new], WANTED[PAST]
        if room < max(map(sum, zip(WANTED[PAST], WANTED[new]))):
            found[PAST], found[new] = (1, room - 2, 1), (room - 1, 2, room - 2)
    return found


def _recorded(form: Form, weights: Mapping[str, np.ndarray], sizes: dict[str, int], seed: int) -> Recording:
    rng = np.random.default_rng(seed)
    inputs = {name: given.draw(rng, tuple(axis if isinstance(axis, int) else sizes[axis] for axis in given.axes))
              for name, given in form.inputs.items()}
    dtype = next((array.dtype for array in weights.values() if array.dtype.kind == "f"), np.dtype(np.float32))
    inputs = {name: array.astype(dtype) if array.dtype.kind == "f" else array for name, array in inputs.items()}
    recording = Recording(inputs, weights)
    recording.run(form.forward)
    return recording


def _axes(graph: Graph, value: Value) -> list[Any]:
    sizes = [graph.size_of(value.lengths(axis)) for axis in range(value.ndim)]
    return [size if isinstance(size, int) else size.symbol for size in sizes]


def _info(name: str, array: np.ndarray, axes: Any) -> Any:
    helper = onnx().helper
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), axes)


def _tensor(name: str, array: np.ndarray) -> Any:
    return onnx().numpy_helper.from_array(np.asarray(array, order="C"), name)

