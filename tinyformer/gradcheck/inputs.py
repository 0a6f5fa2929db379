"""Find the shapes of a function's inputs, for ``tinyformer check``: annotations, docstring, defaults, layers."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

GUESS = "BC"                            # for a single input of which nothing is known
INTEGERS = re.compile(r"\b(int(eger)?s?|labels?|ind(ex|ices)|ids|classes)\b", re.IGNORECASE)


class Unknown(Exception):
    """The shape of an input cannot be found. The message says which one, and how to state it."""


class Inputs:
    """The inputs of a function, as texts for ``sample`` or as values.

    texts       for each positional input its text, or a function without arguments that makes it
    source      where the shapes were found, in words
    guessed     whether they are only a guess, which may not fit
    """

    def __init__(self, texts: Sequence[Any], source: str, guessed: bool = False) -> None:
        self.texts, self.source, self.guessed = list(texts), source, guessed


def find_inputs(target: Any, stated: Mapping[str, str]) -> Inputs:
    """The inputs of ``target``, a function of any accepted form.

    stated      {parameter: text}, from the command line: "3,4", "BC", "N<C"

    Raises ``Unknown`` if the shape of a parameter without a default is neither stated nor found.
    """
    signature, words = signature_of(target)
    scope = getattr(target, "__globals__", {})
    parameters = [p for p in signature if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    wrong = [name for name in stated if name not in [p.name for p in parameters]]
    if wrong:
        raise Unknown(f"--shape {wrong[0]}: there is no such input; it has {', '.join(p.name for p in parameters)}")
    texts, sources, missing = [], [], []
    for i, p in enumerate(parameters):
        text, source = _text(p, stated, words, scope)
        if text is None and i == 0:
            text, source = _from_layer(target)
        if text is None and p.default is not p.empty:
            break                                           # the rest keep their defaults
        texts.append(text)
        sources.append(source)
        if text is None:
            missing.append(p.name)
    if missing and len(texts) == 1 and not stated:
        return Inputs([GUESS], "a guess: nothing says which shape", guessed=True)
    if missing:
        raise Unknown(f"its inputs are unknown: {', '.join(missing)}. Say their shapes, one letter or number per axis, "
                      f"as in --shape {missing[0]}=N,C; or annotate them, as in def f({missing[0]}: \"NC\", …); "
                      f"or add a function inputs() that returns the arrays")
    return Inputs(texts, ", ".join(dict.fromkeys(filter(None, sources))) or "its defaults")


def signature_of(target: Any) -> tuple[list[inspect.Parameter], str]:
    """(the parameters of a function of any form, without self and ctx; its docstrings)"""
    if isinstance(target, (tuple, list)):
        target = target[0]
    called, skip = target, 0
    if callable(getattr(target, "backward", None)) or hasattr(target, "named_parameters"):
        called = getattr(target, "forward", target)
        if isinstance(target, type):
            static = any(isinstance(vars(base).get("forward"), staticmethod) for base in target.__mro__)
            skip = 1
            if static and _has_setup(target):
                skip = 0
    words = "\n".join(filter(None, (getattr(target, "__doc__", None), getattr(called, "__doc__", None))))
    try:
        parameters = list(inspect.signature(called).parameters.values())[skip:]
    except (TypeError, ValueError):
        return [], words
    return parameters, words


def _has_setup(target: Any) -> bool:
    """Whether a torch Function keeps its context in ``setup_context``, so that forward takes none."""
    own = getattr(target, "setup_context", None)
    return own is not None and not getattr(own, "__module__", "torch").startswith("torch")


def _text(p: inspect.Parameter, stated: Mapping[str, str], words: str, scope: Mapping[str, Any]) -> tuple[Any, str]:
    if p.name in stated:
        return stated[p.name], "--shape"
    note = p.annotation
    if isinstance(note, str) and note[:1] in "'\"" and note:                # under `from __future__ import annotations`
        try:
            note = ast.literal_eval(note)
        except (SyntaxError, ValueError):
            pass
    note = scope[note] if isinstance(note, str) and isinstance(scope.get(note), type) else note
    if typing.get_origin(note) is typing.Annotated or hasattr(note, "__metadata__"):
        note = next((m for m in note.__metadata__ if isinstance(m, str)), None)
    note = ",".join(note.dim_str.split()) if isinstance(getattr(note, "dim_str", None), str) else note   # jaxtyping
    if isinstance(note, str) and re.fullmatch(r"[\w,\s]*([+?]|<\w+)?", note) and not _is_name(note):
        return note, "the annotations"
    if note is float or note == "float":
        return "", "the annotations"
    if isinstance(note, type) and callable(getattr(note, "backward", None)) and note.__module__ != "torch":
        return lambda: note(0.5), "the annotations"                         # micrograd's Value
    found = _from_words(p.name, words)
    return (found, "the docstring") if found is not None else (None, "")


def _is_name(note: str) -> bool:
    """Whether an annotation names a type, such as "ndarray" or "Tensor", and no axes."""
    return note in ("ndarray", "array", "Array", "Tensor", "int", "bool", "str", "list", "dict", "tuple", "None")


def _from_words(name: str, words: str) -> str | None:
    """The shape that a docstring gives a parameter: "x: (N, D)", "x (B, T, C)", "w: weights of shape (D, M)"."""
    for line in words.splitlines():
        found = re.search(rf"(?<![\w.]){re.escape(name)}\b\s*[:—–-]?([^()\n]*?)\(([\w\s,]*)\)", line)
        if found and (not found[1].strip() or "shape" in found[1] or ":" in line):
            axes = [a.strip() for a in found[2].split(",") if a.strip()]
            if axes and all(re.fullmatch(r"[A-Za-z]\w*|\d+", a) for a in axes):
                text = ",".join(axes) + ","
                below = re.search(rf"{re.escape(name)}\[\w+\]\s*<\s*(\w+)", words)
                if below:
                    return f"{text}<{below[1]}"
                return f"{text}<3" if INTEGERS.search(line[found.start():]) else text
    return None


def _from_layer(target: Any) -> tuple[str | None, str]:
    """The first input of a module by the sizes of its first layer."""
    modules = target.modules() if callable(getattr(target, "modules", None)) and not isinstance(target, type) else ()
    for module in modules:
        module = module[1] if isinstance(module, tuple) else module
        for attribute, text in (("in_features", "B,{}"), ("num_embeddings", "B,T<{}"), ("num_features", "B,{}"),
                                ("in_channels", "2,{},6,5"), ("input_size", "2,3,{}")):
            size = getattr(module, attribute, None)
            if isinstance(size, int):
                return text.format(size), f"the layer {type(module).__name__}"
        shape = getattr(module, "normalized_shape", None)
        if shape:
            return "B," + ",".join(map(str, shape)), f"the layer {type(module).__name__}"
    return None, ""


def positive(texts: Sequence[Any]) -> list[Any]:
    """The same inputs with positive numbers."""
    return [f"{t}+" if isinstance(t, str) and "<" not in t and t[-1:] not in ("+", "?") else t for t in texts]


def letters_of(texts: Sequence[Any]) -> bool:
    """Whether some axis is named by a letter, so that its length is free."""
    return any(re.search(r"[A-Za-z]", t) for t in texts if isinstance(t, str))


