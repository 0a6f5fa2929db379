"""From checkpoint to service: a graph of ONNX operators, prompts in one batch, a stream of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..exercise import Exercise, WrongAnswer

CHAPTER = "21 From checkpoint to service"


# ------------------------------------------------------------------------------------------------ softmax_graph

def _over(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction of ONNX, opset 18: the axes are an input, without them all axes; keepdims is 1 by default."""
    return lambda x, axes=None, keepdims=1: reduce(
        x, axis=None if axes is None else tuple(np.ravel(axes).tolist()), keepdims=bool(keepdims))


# The operators of ONNX that a linear layer and a softmax may need, in NumPy: arrays in, an array out.
OPERATORS: dict[str, Callable[..., Any]] = {
    "MatMul": np.matmul, "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide,
    "Exp": np.exp, "Neg": np.negative, "Max": np.maximum, "Reciprocal": np.reciprocal,
    "Transpose": lambda x, perm=None: np.transpose(x, perm),
    "Reshape": lambda x, shape: np.reshape(x, shape.tolist()),
    "ReduceMax": _over(np.max), "ReduceMin": _over(np.min), "ReduceMean": _over(np.mean), "ReduceSum": _over(np.sum),
}


def _batches(*batches: np.ndarray) -> Callable[..., Any]:
    """``run`` of the exercise: a graph computed for each of the batches, (N, K), the results one below the other."""
    def run(nodes: Sequence[tuple], constants: Mapping[str, Any]) -> np.ndarray:
        results = []
        for x in batches:
            try:
                results.append(np.asarray(_computed(nodes, {**constants, "x": x})))
            except ValueError:                              # the graph works only for the size of the first batch
                if not results:
                    raise
                results.append(np.full((len(x), *results[0].shape[1:]), np.nan))
        return np.concatenate(results)

    return run


def _computed(nodes: Sequence[tuple], values: dict[str, Any]) -> Any:
    """The output of the last node."""
    output = ""
    for operator, inputs, output, attributes in nodes:
        if operator not in OPERATORS:
            raise KeyError(f"operator {operator!r}: expected one of {', '.join(OPERATORS)}")
        if missing := [name for name in inputs if name not in values]:
            raise KeyError(f"{operator} reads {missing[0]!r}, which no earlier node writes and no constant holds")
        values[output] = OPERATORS[operator](*(np.asarray(values[name]) for name in inputs), **attributes)
    return values[output]


def softmax_graph(run, W, b):
    """A stable softmax as a graph of ONNX operators.

        p = exp(s − max s) / Σ exp(s − max s) in each row,   s = x Wᵀ + b, a linear layer

    A node is (operator, names of the inputs, name of the output, attributes). Operators: MatMul, Add, Sub, Mul, Div,
    Exp, Transpose (attribute perm), Reshape (inputs x, shape), ReduceMax, ReduceMin, ReduceMean and ReduceSum (inputs
    x, axes; without axes they reduce all axes; the axes stay with size 1).
    W (K, C)    b (K,)    The graph's input "x" is (N, C), with any N: your function does not see it.
    Returns run(nodes, constants), the output of the last node; constants {name: array} has all arrays but x.
    """
    nodes = [
        ("Transpose", ["W"], "W_t", {"perm": [1, 0]}),
        ("MatMul", ["x", "W_t"], "product", {}),
        ("Add", ["product", "b"], "s", {}),
        ("ReduceMax", ["s", "last"], "top", {}),
        ("Sub", ["s", "top"], "shifted", {}),
        ("Exp", ["shifted"], "e", {}),
        ("ReduceSum", ["e", "last"], "total", {}),
        ("Div", ["e", "total"], "p", {}),
    ]
    return run(nodes, {"W": W, "b": b, "last": np.array([1])})


SOFTMAX_GRAPH = Exercise(
    softmax_graph, CHAPTER,
    inputs=lambda rng, C=4, K=3: (_batches(rng.normal(size=(5, C)), rng.normal(size=(7, C))),
                                  rng.normal(size=(K, C)), rng.normal(size=K)),
    cases={"logits of ±2000": lambda rng: (_batches(np.array([[2000.0, -2000], [-2000, 2000], [1, 2]])),
                                           np.eye(2), np.zeros(2)),
           "one row with logits 1000 and one with -1000": lambda rng: (
               _batches(np.array([[1000.0, 999], [-1000, -999]])), np.eye(2), np.zeros(2))},
    question="x = [0, 0], and W and b are 0 with K = 4. What is the sum of the first two probabilities?",
    answer=lambda f: f(_batches(np.zeros((1, 2))), np.zeros((4, 2)), np.zeros(4))[0, :2].sum(),
    hints=("Write the formula as a list of single steps, and give each result a name. Each step is a node.",
           "The axes of a reduction are an input: a constant array with the number of the last axis.",
           "No node may contain N. Reductions keep their axis with size 1, and Sub and Div broadcast it."),
    wrong=(
        WrongAnswer("formula", "wrong axis", "Each row is one distribution: the sum runs over the classes, the last "
                    "axis, not over the batch.", {'["e", "last"], "total"': '["e", "first"], "total"',
                                                  '"last": np.array([1])': '"last": np.array([1]), '
                                                                           '"first": np.array([0])'}),
        WrongAnswer("formula", "static batch", "The graph has the size of one batch built in, and fails for another "
                    "size. Leave N out: broadcasting needs no Reshape.",
                    {'("Div", ["e", "total"], "p", {}),':
                     '("Reshape", ["total", "shape"], "column", {}), ("Div", ["e", "column"], "p", {}),',
                     '"last": np.array([1])': '"last": np.array([1]), "shape": np.array([5, 1])'}),
        WrongAnswer("formula", "sum over the whole batch", "Without axes, a reduction runs over all axes, also "
                    "over the batch.", {'["e", "last"], "total"': '["e"], "total"'}),
        WrongAnswer("formula", "bias forgotten", "s = x Wᵀ + b has a bias.",
                    {'("Add", ["product", "b"], "s", {})': '("Add", ["product", "zero"], "s", {})',
                     '"last": np.array([1])': '"last": np.array([1]), "zero": np.zeros(1)'}),
        WrongAnswer("formula", "not divided by the sum", "The probabilities of a row have the sum 1.",
                    {'("Div", ["e", "total"], "p", {}),': ""}),
        WrongAnswer("formula", "logits in place of probabilities", "The last node's output is p, not s.",
                    {'("ReduceMax", ["s", "last"], "top", {}),': "", '("Sub", ["s", "top"], "shifted", {}),': "",
                     '("Exp", ["shifted"], "e", {}),': "", '("ReduceSum", ["e", "last"], "total", {}),': "",
                     '("Div", ["e", "total"], "p", {}),': ""}),
        WrongAnswer("case", "not shifted by the row's own maximum", "exp(2000) overflows, and with one maximum for all "
                    "rows, a row of small logits becomes 0/0. Subtract the largest logit of each row.",
                    {'"shifted", {}': '"unused", {}', '["shifted"], "e"': '["s"], "e"'}),
    ))


# ------------------------------------------------------------------------------------------------ micro_batch

def micro_batch(prompts, pad):
    """Prompts of different lengths as one batch.

    Shorter prompts are padded on the left: the next token of every row is predicted in the last column.
    prompts a list of B arrays of integers, with at least one token each    pad the id of the padding
    Returns ids (B, T), T the largest length;
            positions (B, T): 0, 1, 2, … from the first token of the prompt on, 0 at padding;
            attended (B, T, T): 1 where the token of a row may attend to the token of a column, otherwise 0. A token
            of a prompt attends to itself and to the tokens before it, never to padding. Rows of padding are 0.
    """
    B, T = len(prompts), max(len(prompt) for prompt in prompts)
    ids = np.full((B, T), pad)
    positions = np.zeros((B, T), int)
    attended = np.zeros((B, T, T), int)
    for row, prompt in enumerate(prompts):
        start = T - len(prompt)
        ids[row, start:] = prompt
        positions[row, start:] = np.arange(len(prompt))
        attended[row, start:, start:] = np.tri(len(prompt))
    return ids, positions, attended


def _prompts(rng, B=5, T=4):
    lengths = 1 + rng.permutation(np.arange(B) % T)
    return [rng.integers(10, 90, size=n) for n in lengths], 7


MICRO_BATCH = Exercise(
    micro_batch, CHAPTER, inputs=_prompts,
    cases={"one prompt": lambda rng: ([np.array([5, 6, 7])], 0),
           "equal lengths": lambda rng: ([np.array([5, 6]), np.array([7, 8])], 0)},
    question="Prompts of 2 and 5 tokens. In which column is the first token of the shorter prompt?",
    answer=lambda f: f([np.array([1, 1]), np.arange(5)], 9)[1][0].argmax() - 1,
    hints=("Where does the model predict the next token? All prompts must end in the same column.",
           "The shorter prompt starts in the column T − len(prompt). This start occurs in all three arrays.",
           "Within its own columns, each prompt has the causal triangle of np.tri. Everything else is 0."),
    wrong=(
        WrongAnswer("formula", "padding on the right", "With padding behind it, a short prompt's last column is "
                    "padding, and the model continues the padding.", {"start = T - len(prompt)": "start = 0",
                    "ids[row, start:] = prompt": "ids[row, :len(prompt)] = prompt",
                    "positions[row, start:] = np.arange(len(prompt))":
                    "positions[row, :len(prompt)] = np.arange(len(prompt))",
                    "attended[row, start:, start:] = np.tri(len(prompt))":
                    "attended[row, :len(prompt), :len(prompt)] = np.tri(len(prompt))"}),
        WrongAnswer("formula", "padding attended", "Padding is no text: a prompt would get another continuation in a "
                    "batch than alone.", {"attended[row, start:, start:] = np.tri(len(prompt))":
                                          "attended[row, start:] = np.tri(T)[start:]"}),
        WrongAnswer("formula", "positions counted from the padding", "The first token of every prompt has position 0, "
                    "as when it is alone.", {"np.arange(len(prompt))": "np.arange(start, T)"}),
        WrongAnswer("formula", "ids left, mask right", "The mask and the ids must agree on where the padding is.",
                    {"attended[row, start:, start:]": "attended[row, :len(prompt), :len(prompt)]"}),
        WrongAnswer("formula", "not causal", "A token must not attend to later tokens.",
                    {"np.tri(len(prompt))": "1"}),
        WrongAnswer("formula", "the triangle upside down", "Rows are the tokens that attend, columns the tokens that "
                    "are attended to.", {"np.tri(len(prompt))": "np.tri(len(prompt)).T"}),
        WrongAnswer("formula", "padding in the place of 0", "The padding's id is the argument pad.",
                    {"np.full((B, T), pad)": "np.zeros((B, T), int)"}),
    ))


# ------------------------------------------------------------------------------------------------ sse_events

def sse_events(pieces):
    r"""Server-sent events of a text that arrives in pieces.

        event = "data: " line "\n" for each line of the text, then "\n"

    pieces  a list of bytes: together they are UTF-8, but a piece may end inside a character, as tokens do
    Each piece gives one event with all characters that are complete by then, and no event if there is none. Bytes of
    an incomplete character wait for the next piece. Lines are separated by "\n". The last event is "data: [DONE]".
    Returns the whole stream as bytes.
    """
    stream, held = "", b""
    for piece in pieces:
        held += piece
        text = held.decode(errors="ignore")                 # without the character that is incomplete
        held = held[len(text.encode()):]
        if text:
            for line in text.split("\n"):
                stream += "data: " + line + "\n"
            stream += "\n"
    return (stream + "data: [DONE]\n\n").encode()


def _pieces(rng, N=5):
    text = "".join(rng.permutation(list("好a天é\n😀b气\n语"))) + "好ab\nc"
    data = text.encode()
    cuts = np.sort(rng.choice(np.arange(1, len(data)), size=2 * N, replace=False))
    return ([data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)])],)


SSE_EVENTS = Exercise(
    sse_events, CHAPTER, inputs=_pieces,
    cases={"no pieces": lambda rng: ([],), "an empty line": lambda rng: ([b"a\n\nb", b"", b"c"],),
           "a byte a piece": lambda rng: ([bytes([b]) for b in "好😀é".encode()],)},
    question="好 is three bytes, and each arrives as a piece of its own. How many events are there, with [DONE]?",
    answer=lambda f: f([bytes([b]) for b in "好".encode()]).count(b"\n\n"),
    hints=("Keep the bytes that are not decoded yet in a variable, and add each piece to it.",
           "bytes.decode(errors=\"ignore\") leaves out an incomplete character at the end. Encode the text again: its "
           "length says how many bytes are done.",
           "A blank line ends an event. A line break inside of a text must therefore begin a new data line."),
    wrong=(
        WrongAnswer("formula", "no blank line", "The blank line ends an event. Without it, the client waits for more "
                    "and shows nothing.", {'            stream += "\\n"\n': ""}),
        WrongAnswer("formula", "a character split", "A piece that ends inside of 好 is not UTF-8 alone. Hold its bytes "
                    "back until the rest arrives.",
                    {'held += piece': 'held = piece', 'errors="ignore"': 'errors="replace"',
                     'held = held[len(text.encode()):]': 'pass'}),
        WrongAnswer("formula", "incomplete characters lost", "The bytes that are not decoded yet must wait.",
                    {"held[len(text.encode()):]": 'b""'}),
        WrongAnswer("formula", "line breaks inside of an event", "A line without \"data: \" is no part of the text. "
                    "Each line of the text needs its own.", {'text.split("\\n")': "[text]"}),
        WrongAnswer("formula", "everything sent again", "An event has only what is new: remove what was sent from the "
                    "bytes held back.", {"held = held[len(text.encode()):]": "pass"}),
        WrongAnswer("formula", "everything at the end", "A stream sends each piece when it arrives, not the whole text "
                    "at once.", {"for piece in pieces:": 'for piece in [b"".join(pieces)]:'}),
        WrongAnswer("formula", "no [DONE]", "The client learns from the last event that the text is complete.",
                    {' + "data: [DONE]\\n\\n"': ""}),
        WrongAnswer("formula", "events without text", "An incomplete character gives no event yet.",
                    {"if text:": "if True:"}),
    ))
