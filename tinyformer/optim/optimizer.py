"""What all optimizers share: groups of parameters, the state of each parameter, and how that state is saved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import FLOATS, Tensor
from ..names import same_definition
from ..number_checks import check_number
from ..writes import note
from .param_groups import param_groups_by_decay, param_groups_by_level

if TYPE_CHECKING:
    from typing import NoReturn

    from numpy.typing import NDArray
    from typing_extensions import Self

    Group = dict[str, Any]
    State = dict[str, Any]
    Move = tuple[NDArray[Any], NDArray[Any], State, Group]      # θ, its gradient, its state and its group

OPTIMIZERS: dict[str, type[Optimizer]] = {}             # by the name that recipes give in train.optimizer


def register(table: dict[str, type[Any]], name: str, cls: type[Any]) -> None:
    """table[name] = cls. ValueError if another class has the name; the same one again is a cell that ran twice."""
    other = table.get(name, cls)
    if not same_definition(other, cls):
        raise ValueError(f"{cls.__qualname__}: recipe={name!r} is the name of {other.__qualname__} already; choose "
                         f"another one")
    table[name] = cls


class Optimizer:
    """Base of all optimizers: applies the rule of the subclass to every parameter that has a gradient.

    parameters      tensors, such as ``model.parameters()``; or groups, each a dictionary with "params" and its own
                    options: ``[{"params": decayed}, {"params": rest, "weight_decay": 0.0}]``
    options         learning rate ``lr``, ``weight_decay`` and the options of the subclass, for all groups
    param_groups    a list of dictionaries, one for each group: "params" and every option. A schedule writes "lr" here.
    state           a list of dictionaries, one for each parameter: "step" and the arrays by name

    A subclass has ``update`` (the rule), ``buffers`` (the arrays that it keeps) and ``check`` (the ranges of its
    options). With ``class Mine(Optimizer, recipe="mine")`` recipes can name it: ``train.optimizer = "mine"``; then
    ``recipe_options`` says which settings of the recipe it takes.

    A parameter without a gradient is skipped: neither the parameter nor its state changes. A group that gives its own
    "lr" keeps the ratio of its rate to the optimizer's ("lr_scale") under every schedule.

    Raises TypeError for parameters or options of a wrong type, ValueError for values out of range, for a parameter that
    occurs twice and for a tensor that an operation computed.
    """

    def __init_subclass__(cls, recipe: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if recipe is not None:
            register(OPTIMIZERS, recipe, cls)

    def __init__(self, parameters: Iterable[Tensor] | Iterable[Group], *, lr: float, weight_decay: float = 0.0,
                 **options: Any) -> None:
        self.defaults: Group = {"lr": lr, "weight_decay": weight_decay, **options}
        self.check(self.defaults)
        self.param_groups = self._grouped(parameters)
        self.state: list[State] = [{} for _ in self._parameters()]

    # -- what a subclass defines

    def update(self, theta: NDArray[Any], g: NDArray[Any], state: State, group: Group) -> None:
        """Change the array ``theta`` in place by its gradient ``g``.

        ``g`` must not change. ``state["step"]`` counts from 1.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define its update")

    def update_all(self, moved: Sequence[Move]) -> None:
        """``update`` for each (theta, g, state, group) of a step; override it for a rule that updates all at once."""
        for each in moved:
            self.update(*each)

    def buffers(self, group: Group) -> dict[str, float]:
        """{name: initial value} of the arrays that the rule keeps for each parameter, each of the parameter's shape."""
        return {}

    def check(self, group: Group) -> None:
        """Raise TypeError or ValueError if an option of ``group`` is wrong, and make each a Python number."""
        self.check_options(group, "lr", "weight_decay", at_least=0)

    def check_options(self, group: Group, *names: str, **bounds: Any) -> None:
        """Check that the options ``names`` are finite numbers within ``bounds``, as ``check_number`` takes them."""
        for name in names:
            group[name] = check_number(self, name, group[name], **bounds)

    @classmethod
    def from_recipe(cls, parameters: Iterable[Tensor], settings: Any, hidden: Iterable[Tensor] = (),
                    levels: Sequence[Iterable[Tensor]] = ()) -> Self:
        """The optimizer that a recipe's [train] section describes, for a model's ``parameters``.

        settings    lr, weight_decay, layer_decay and what ``recipe_options`` reads
        hidden      the matrices of the model's hidden layers, for rules that treat them differently
        levels      of the model, see ``param_groups_by_level``: level n learns at layer_decayⁿ times the rate
        """
        groups = cls.recipe_groups(parameters, hidden, settings)
        groups = param_groups_by_level(groups, levels, settings.lr, settings.layer_decay)
        return cls(groups, lr=settings.lr, **cls.recipe_options(settings))

    @classmethod
    def recipe_options(cls, settings: Any) -> dict[str, Any]:
        """The options that this optimizer takes from a recipe's [train] section, besides "lr" and "weight_decay"."""
        return {}

    @classmethod
    def recipe_groups(cls, parameters: Iterable[Tensor], hidden: Iterable[Tensor], settings: Any) -> list[Group]:
        """The groups of ``parameters`` in a recipe: weight decay on matrices, none on vectors."""
        return param_groups_by_decay(parameters, settings.weight_decay)

    # -- a step

    def step(self) -> None:
        """Apply one update to every parameter that has a gradient.

        Raises ValueError if a gradient differs from its parameter in shape or type, or if a parameter is read-only.
        """
        moved = []
        for i, (group, parameter) in enumerate(self._parameters()):
            theta, g = parameter.data, parameter.grad
            if g is None:
                continue
            if g.shape != theta.shape or g.dtype != theta.dtype:
                raise ValueError(f"{type(self).__name__}: parameter {i} is {theta.dtype} {theta.shape}, "
                                 f"but its gradient is {g.dtype} {g.shape}: expected one like the parameter")
            if not theta.flags.writeable:
                raise ValueError(f"{type(self).__name__}: parameter {i} is read-only, "
                                 "expected an array that can change; give it a copy")
            state = self.state[i]
            if not state:
                state["step"] = 0
                state.update((name, np.full_like(theta, start)) for name, start in self.buffers(group).items())
            for name, array in state.items():
                if name != "step" and array.dtype != theta.dtype:       # the model changed its type
                    state[name] = array.astype(theta.dtype)
            state["step"] += 1
            moved.append((theta, g, state, group))
        for theta, *_ in moved:
            note(theta)                                     # before the first write, in case one of them fails
        self.update_all(moved)

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for _, parameter in self._parameters():
            parameter.grad = None

    # -- state

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to continue exactly here: "arrays" is fit for safetensors, all else for JSON.

            {"optimizer": "AdamW", "param_groups": [{"lr": 0.001, …, "params": [0, 1]}], "steps": [7, 7],
             "arrays": {"0.exp_avg": array, …}}

        Parameters are numbered in the order of the groups. The arrays are the optimizer's own: copy what must not
        change.
        """
        numbers_of = iter(range(len(self.state)))
        groups = [{**{name: list(value) if isinstance(value, tuple) else value for name, value in group.items()},
                   "params": [next(numbers_of) for _ in group["params"]]} for group in self.param_groups]
        arrays = {f"{i}.{name}": array for i, state in enumerate(self.state)
                  for name, array in state.items() if name != "step"}
        return {"optimizer": type(self).__name__, "param_groups": groups,
                "steps": [state.get("step", 0) for state in self.state], "arrays": arrays}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state``, the ``state_dict`` of an optimizer over parameters of the same shapes and groups.

        The options, learning rates among them, are those of ``state``. Raises ValueError, or TypeError for an option of
        a wrong type, if anything does not fit; the optimizer is then unchanged.
        """
        mine = self.state_dict()
        missing = [name for name in mine if name not in state]
        if missing:
            self._refuse(f"it has no {', '.join(missing)}")
        if state["optimizer"] != mine["optimizer"]:
            self._refuse(f"it is of {state['optimizer']}")
        theirs = [group.get("params") for group in state["param_groups"]]
        if theirs != [group["params"] for group in mine["param_groups"]] or len(state["steps"]) != len(self.state):
            self._refuse(f"its groups have {[len(params or ()) for params in theirs]} parameters, "
                         f"expected {[len(group['params']) for group in mine['param_groups']]}")

        groups = []
        for own, saved in zip(self.param_groups, state["param_groups"]):
            if set(saved) != set(own):
                self._refuse(f"a group has the options {', '.join(sorted(saved))}; expected {', '.join(sorted(own))}")
            group = {name: tuple(value) if isinstance(own[name], tuple) else value for name, value in saved.items()}
            self.check(group)
            groups.append({**group, "params": own["params"]})

        arrays, loaded = dict(state["arrays"]), []
        every = [(group, parameter) for group in groups for parameter in group["params"]]
        for i, ((group, parameter), step) in enumerate(zip(every, state["steps"])):
            loaded.append({"step": int(step)} if step else {})
            for name in self.buffers(group) if step else ():
                array = arrays.pop(f"{i}.{name}", None)
                if array is None:
                    self._refuse(f"the array {i}.{name} is missing")
                array = np.array(array)
                if array.shape != parameter.shape or array.dtype != parameter.dtype:
                    self._refuse(f"{i}.{name} is {array.dtype} {array.shape}, "
                                 f"expected {parameter.dtype} {parameter.shape}")
                loaded[i][name] = array
        if arrays:
            self._refuse(f"it has arrays that nothing here uses: {', '.join(arrays)}")

        for own, group in zip(self.param_groups, groups):
            own.update(group)
        self.state = loaded

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(f"load_state_dict: this state does not fit {type(self).__name__}: {why}")

    # -- groups

    def _parameters(self) -> list[tuple[Group, Tensor]]:
        """(group, parameter) in the order of the groups. The index of a parameter in this list is its number."""
        return [(group, parameter) for group in self.param_groups for parameter in group["params"]]

    def _grouped(self, parameters: Any) -> list[Group]:
        name = type(self).__name__
        if isinstance(parameters, (Tensor, dict)):
            kind = type(parameters).__name__
            raise TypeError(f"{name}: parameters is a {kind}, expected a list of tensors or groups")
        given = list(parameters)
        groups = given if given and all(isinstance(group, dict) for group in given) else [{"params": given}]
        result, seen = [], set()
        for i, group in enumerate(groups):
            unknown = set(group) - set(self.defaults) - {"params"}
            if unknown or "params" not in group:
                raise ValueError(f"{name}: group {i} has {', '.join(map(repr, group))}; "
                                 f"expected 'params' and any of {', '.join(self.defaults)}")
            params = group["params"]
            group = {**self.defaults, **group, "params": [params] if isinstance(params, Tensor) else list(params)}
            self.check(group)
            group["lr_scale"] = group["lr"] / self.defaults["lr"] if self.defaults["lr"] else 1.0
            for j, parameter in enumerate(group["params"]):
                self._expect_parameter(f"{name}: parameter {j} of group {i}", parameter, seen)
            result.append(group)
        if not seen:
            raise ValueError(f"{name}: there are no parameters to learn")
        return result

    @staticmethod
    def _expect_parameter(which: str, parameter: Any, seen: set[int]) -> None:
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{which} is a {type(parameter).__name__}, expected a Tensor")
        if parameter.dtype not in FLOATS:
            raise TypeError(f"{which} is {parameter.dtype}, expected float32 or float64")
        if parameter.node is not None:
            raise ValueError(f"{which} was computed by {parameter.node.operation.__name__}: only leaves can be learned")
        if id(parameter) in seen:
            raise ValueError(f"{which}, of shape {parameter.shape}, is there twice: it would be updated twice a step")
        seen.add(id(parameter))

    def __repr__(self) -> str:
        groups = ["".join([f"{len(group['params'])} parameters",
                           *(f", {k}={v}" for k, v in group.items() if k != "params")]) for group in self.param_groups]
        return f"{type(self).__name__}({'; '.join(groups)})"
