"""What an exercise is: a solution in real code, from which stub and wrong answers are made, and what is said of it."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from dataclasses import dataclass, field

import numpy as np

# The inputs of the first round have coprime sizes, so that a stray factor names itself; those of the second this one size,
# so that a transpose cannot hide behind an error of shapes.
SQUARE_SIZE = 3


@dataclass(frozen=True)
class WrongAnswer:
    """A mistake that people make: what the solution becomes when each old text in ``edits`` is replaced by the new one.

    code        what the doctor must find; "a/b" where either name is right
    name        what was done, in a few words
    hint        what to think about, without the answer
    edits       {old: new}; each old text stands in the solution exactly once
    """

    code: str
    name: str
    hint: str
    edits: dict


@dataclass(frozen=True)
class Exercise:
    """One function to write.

    function    the solution: returns ``(value, vjp)``, and the learner writes vjp; or returns values, and the learner
                writes all of it. The first line of its docstring is the title; the rest has formula and shapes
    chapter     of the book, as "01 Linear model"
    inputs      (rng, N=5, C=3, …) → the arguments; the sizes are replaced by equal ones for the second round
    question    to be answered before writing; ``answer(function)`` works the answer out from the solution
    hints       general ones, the first first
    wrong       named wrong answers
    constant    names of the arguments that get no gradient; what is no floating-point array gets none anyway
    cases       {"zero gradients": rng → the arguments}: further inputs, on which the outcome is compared with the solution's
    """

    function: callable
    chapter: str
    inputs: callable
    question: str
    answer: callable
    hints: tuple
    wrong: tuple
    constant: str = ""
    cases: dict = field(default_factory=dict, hash=False)

    @property
    def name(self):
        return self.function.__name__

    @functools.cached_property
    def title(self):
        return ast.get_docstring(self._tree).splitlines()[0].rstrip(".")      # python -OO keeps no __doc__

    @functools.cached_property
    def source(self):
        return inspect.getsource(self.function)

    @property
    def parameters(self):
        return list(inspect.signature(self.function).parameters)

    @property
    def has_vjp(self):
        return self._vjp is not None

    @functools.cached_property
    def _tree(self):
        return ast.parse(self.source).body[0]

    @functools.cached_property
    def _vjp(self):
        return next((node for node in self._tree.body if isinstance(node, ast.FunctionDef) and node.name == "vjp"), None)

    @property
    def stub(self):
        """The source that the learner gets: the body of vjp, or of the whole function, is left to write."""
        lines = self.source.splitlines()
        if self._vjp is not None:
            first, last = self._vjp.body[0], self._vjp.body[-1]
        else:
            first, last = self._tree.body[1], self._tree.body[-1]       # after the docstring
        lines[first.lineno - 1:last.end_lineno] = [" " * first.col_offset + "raise NotImplementedError"]
        return "\n".join(lines) + "\n"

    @property
    def imports(self):
        """The import lines that the source needs."""
        return ("from math import erf\n\n" * ("(erf)" in self.source) + "import numpy as np\n"
                + "\nfrom tinyformer import ops\n" * ("ops." in self.source))

    def draw(self, seed=0, square=False):
        """Arguments for the function, in its order."""
        sizes = [p.name for p in inspect.signature(self.inputs).parameters.values() if p.default is not p.empty]
        rng = np.random.default_rng([seed, square, 2])      # not the stream that check draws the gradient of the value from
        return self.inputs(rng, **(dict.fromkeys(sizes, SQUARE_SIZE) if square else {}))

    def wanted(self, inputs):
        """The positions of the arguments that get a gradient."""
        return [i for i, (name, value) in enumerate(zip(self.parameters, inputs))
                if name not in self.constant.split() and isinstance(value, np.ndarray) and value.dtype.kind == "f"]

    def selected(self, gradients, wanted):
        """What a vjp returned, reduced to the arguments ``wanted`` if it is something for every argument."""
        every = isinstance(gradients, (tuple, list)) and len(gradients) == len(self.parameters) > len(wanted)
        return tuple(gradients[i] for i in wanted) if every else gradients

    def subject(self, function, inputs, every=False):
        """(g, arrays): ``function`` as one of the arguments that get a gradient alone, under the exercise's names.

        every       whether the vjp of ``function`` returns something for every argument
        """
        wanted = self.wanted(inputs)

        def g(*arrays):
            __tracebackhide__ = True                        # the lines that the doctor points at are the learner's
            arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in inputs]
            for i, array in zip(wanted, arrays):
                arguments[i] = array
            if not every:
                return function(*arguments)
            value, vjp = function(*arguments)

            @functools.wraps(vjp)
            def vjp_of_wanted(*dys):
                __tracebackhide__ = True
                return self.selected(vjp(*dys), wanted)

            return value, vjp_of_wanted

        g.__name__ = self.name
        g.__signature__ = inspect.Signature([inspect.Parameter(self.parameters[i], inspect.Parameter.POSITIONAL_ONLY)
                                             for i in wanted])
        return g, [inputs[i] for i in wanted]

    def build(self, wrong):
        """The function that a wrong answer is."""
        for old in wrong.edits:
            if self.source.count(old) != 1:
                raise ValueError(f"{self.name}, {wrong.name}: {old!r} stands {self.source.count(old)} times in the solution, "
                                 "expected once")
        source = re.sub("|".join(map(re.escape, wrong.edits)), lambda found: wrong.edits[found[0]], self.source)
        names = dict(self.function.__globals__)
        exec(compile(source, f"<{self.name}: {wrong.name}>", "exec"), names)
        return names[self.name]

    def predicted(self, prediction):
        """Whether ``prediction`` is the answer to the question; None where there is none yet."""
        if prediction is ...:
            return None
        answer = self.answer(self.function)
        try:
            return np.shape(answer) == np.shape(prediction) and bool(np.allclose(answer, prediction, atol=1e-6))
        except (TypeError, ValueError):
            return False
