"""An exercise: its solution as real code, from which the stub and the wrong answers are made, and its texts."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# In the first round all axes have coprime sizes, so that a wrong factor names its axis. In the second round they all
# have this size, so that a transpose does not show as a wrong shape.
SQUARE_SIZE = 3


@dataclass(frozen=True)
class WrongAnswer:
    """A frequent mistake: the solution with each old text in ``edits`` replaced by the new one.

    code        the code that the doctor must report; "a/b" if both are right
    name        the mistake, in a few words
    hint        what to think about, without the answer
    edits       {old: new}; each old text occurs in the solution exactly once
    """

    code: str
    name: str
    hint: str
    edits: dict[str, str]


@dataclass(frozen=True)
class Exercise:
    """One function to write.

    function    the solution. It returns ``(value, vjp)``, and the learner writes vjp; or it returns values, and the
                learner writes the whole body. The first line of its docstring is the title; the rest has the formula
                and the shapes
    chapter     the chapter of the book, such as "01 Linear model"
    inputs      (rng, N=5, C=3, …) → the arguments; in the second round all sizes are equal
    question    a question to answer before writing; ``answer(function)`` computes the answer from the solution
    hints       general hints, in order
    wrong       the named wrong answers
    constant    names of floating-point arguments without a gradient, separated by spaces; other types never have one
    cases       {"zero gradients": rng → the arguments}: special inputs, on which the results must equal the solution's
    """

    function: Callable[..., Any]
    chapter: str
    inputs: Callable[..., Sequence[Any]]
    question: str
    answer: Callable[[Callable[..., Any]], Any]
    hints: tuple[str, ...]
    wrong: tuple[WrongAnswer, ...]
    constant: str = ""
    cases: dict[str, Callable[[np.random.Generator], Sequence[Any]]] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__

    @functools.cached_property
    def title(self) -> str:
        """The first line of the function's docstring, without its period."""
        return (ast.get_docstring(self.tree) or "").splitlines()[0].rstrip(".")      # python -OO removes __doc__

    @functools.cached_property
    def source(self) -> str:
        """The source of the solution."""
        return inspect.getsource(self.function)

    @property
    def parameters(self) -> list[str]:
        """The names of the function's parameters."""
        return list(inspect.signature(self.function).parameters)

    @property
    def has_vjp(self) -> bool:
        """Whether the function returns (value, vjp), so that the learner writes only vjp."""
        return self._vjp is not None

    @functools.cached_property
    def returns_text(self) -> bool:
        """Whether the function returns bytes, which are compared as a text."""
        return not self.has_vjp and isinstance(self.function(*self.draw()), bytes)

    @functools.cached_property
    def tree(self) -> Any:
        """The solution's definition as a syntax tree."""
        return ast.parse(self.source).body[0]

    @functools.cached_property
    def _vjp(self) -> Any:
        return next((node for node in self.tree.body if isinstance(node, ast.FunctionDef) and node.name == "vjp"),
                    None)

    @property
    def stub(self) -> str:
        """The source for the learner: the body of vjp, or of the whole function, raises NotImplementedError."""
        lines = self.source.splitlines()
        if self._vjp is not None:
            first, last = self._vjp.body[0], self._vjp.body[-1]
        else:
            first, last = self.tree.body[1], self.tree.body[-1]       # after the docstring
        lines[first.lineno - 1:last.end_lineno] = [" " * first.col_offset + "raise NotImplementedError"]
        return "\n".join(lines) + "\n"

    @property
    def imports(self) -> str:
        """The import lines that the source needs."""
        return ("from math import erf\n\n" * ("(erf)" in self.source) + "import numpy as np\n"
                + "\nfrom tinyformer import ops\n" * ("ops." in self.source))

    def draw(self, seed: int = 0, square: bool = False) -> Sequence[Any]:
        """Random arguments for the function, in its order. With ``square`` all sizes are equal."""
        sizes = [p.name for p in inspect.signature(self.inputs).parameters.values() if p.default is not p.empty]
        rng = np.random.default_rng([seed, square, 2])      # a stream other than that of check's upstream gradient
        return self.inputs(rng, **(dict.fromkeys(sizes, SQUARE_SIZE) if square else {}))

    def wanted(self, inputs: Sequence[Any]) -> list[int]:
        """The positions of the arguments that have a gradient."""
        return [i for i, (name, value) in enumerate(zip(self.parameters, inputs))
                if name not in self.constant.split() and isinstance(value, np.ndarray) and value.dtype.kind == "f"]

    def selected(self, gradients: Any, wanted: Sequence[int]) -> Any:
        """The result of a vjp. If it has one entry for every argument, only the entries of ``wanted`` are returned."""
        every = isinstance(gradients, (tuple, list)) and len(gradients) == len(self.parameters) > len(wanted)
        return tuple(gradients[i] for i in wanted) if every else gradients

    def differentiable_part(self, function: Callable[..., Any], inputs: Sequence[Any], every: bool = False
                            ) -> tuple[Callable[..., Any], list[Any]]:
        """(g, arrays): ``function`` as a function g of only the arguments that have a gradient.

        The names are the exercise's.

        every       whether the vjp of ``function`` returns an entry for every argument
        """
        wanted = self.wanted(inputs)

        def g(*arrays: Any) -> Any:
            __tracebackhide__ = True                        # the doctor must point to the learner's lines
            arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in inputs]
            for i, array in zip(wanted, arrays):
                arguments[i] = array
            if not every:
                return function(*arguments)
            value, vjp = function(*arguments)

            @functools.wraps(vjp)
            def vjp_of_wanted(*dys: Any) -> Any:
                __tracebackhide__ = True
                return self.selected(vjp(*dys), wanted)

            return value, vjp_of_wanted

        g.__name__ = self.name
        g.__signature__ = inspect.Signature(                # type: ignore[attr-defined]
            [inspect.Parameter(self.parameters[i], inspect.Parameter.POSITIONAL_ONLY) for i in wanted])
        return g, [inputs[i] for i in wanted]

    def build(self, wrong: WrongAnswer) -> Callable[..., Any]:
        """The function of a wrong answer. Raises ValueError if an edit does not fit the solution exactly once."""
        return self.edited(wrong.edits, wrong.name)

    def edited(self, edits: dict[str, str], name: str) -> Callable[..., Any]:
        """The solution with each old text in ``edits`` replaced; tracebacks call it ``name``.

        Raises ValueError if an edit does not fit the solution exactly once.
        """
        for old in edits:
            if self.source.count(old) != 1:
                raise ValueError(f"{self.name}, {name}: "
                                 f"{old!r} occurs {self.source.count(old)} times in the solution, expected once")
        source = re.sub("|".join(map(re.escape, edits)), lambda found: edits[found[0]], self.source)
        names = dict(self.function.__globals__)
        exec(compile(source, f"<{self.name}: {name}>", "exec"), names)
        return names[self.name]

    def predicted(self, prediction: Any) -> bool | None:
        """Whether ``prediction`` is the answer to the question; None if it is still ``...``."""
        if prediction is ...:
            return None
        answer = self.answer(self.function)
        try:
            return np.shape(answer) == np.shape(prediction) and bool(np.allclose(answer, prediction, atol=1e-6))
        except (TypeError, ValueError):
            return False
