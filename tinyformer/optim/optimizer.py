"""What all optimisers share: groups of parameters, the state of each parameter, and how that state is saved."""

from __future__ import annotations

import math
import numbers

import numpy as np

from ..autograd import FLOATS, Tensor
from ..writes import note


class Optimizer:
    """Base of all optimisers: walks the parameters that have a gradient and applies the rule of the subclass to each.

    parameters      tensors, such as ``model.parameters()``; or groups, each a dictionary with "params" and its own options:
                    ``[{"params": decayed}, {"params": rest, "weight_decay": 0.0}]``
    param_groups    a list of dictionaries, one a group: "params" and every option. A schedule writes "lr" here.

    A subclass has ``update`` (the rule), ``buffers`` (the arrays it keeps) and ``check`` (which options are right).
    A parameter without a gradient is skipped: neither it nor its state changes. A group that gives its own "lr" keeps the
    ratio of it to the optimiser's ("lr_scale") under every schedule.
    """

    def __init__(self, parameters, **options):
        self.defaults = options
        self.check(self.defaults)
        self.param_groups = self._grouped(parameters)
        self.state = [{} for _ in self._parameters()]       # one for each parameter: "step" and the arrays by name

    # -- what a subclass says

    def update(self, theta, g, state, group):
        """Move the array ``theta`` against its gradient ``g``, both as they are; ``state["step"]`` counts from 1."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its update is")

    def update_all(self, moved):
        """``update`` for each (theta, g, state, group) of a step; a rule that can move all parameters at once does it here."""
        for each in moved:
            self.update(*each)

    def buffers(self, group):
        """{name: value that it starts at} of the arrays of the parameter's shape that the rule keeps."""
        return {}

    def check(self, group):
        """Raise ValueError if an option is out of range."""
        self.expect_number(group, "lr")
        self.expect_number(group, "weight_decay")

    def expect_number(self, group, name, below=math.inf):
        """``group[name]`` must be a number of at least 0 and under ``below``."""
        value = group[name]
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value < below:
            limit = "" if below == math.inf else f" and under {below:g}"
            raise ValueError(f"{type(self).__name__}: {name} is {value!r}, expected a finite number of at least 0{limit}")
        group[name] = float(value)                          # a NumPy number would promote float32 arrays

    # -- a step

    def step(self):
        """Apply one update to every parameter that has a gradient."""
        moved = []
        for i, (group, parameter) in enumerate(self._parameters()):
            theta, g = parameter.data, parameter.grad
            if g is None:
                continue
            if g.shape != theta.shape or g.dtype != theta.dtype:
                raise ValueError(f"{type(self).__name__}: parameter {i} is {theta.dtype} {theta.shape}, "
                                 f"but its gradient is {g.dtype} {g.shape}: expected one like the parameter")
            if not theta.flags.writeable:
                raise ValueError(f"{type(self).__name__}: parameter {i} is read-only, expected an array that can change; give "
                                 f"it a copy")
            state = self.state[i]
            if not state:
                state["step"] = 0
                state.update((name, np.full_like(theta, start)) for name, start in self.buffers(group).items())
            for name, array in state.items():
                if name != "step" and array.dtype != theta.dtype:       # the model changed its type: so does what is kept
                    state[name] = array.astype(theta.dtype)
            state["step"] += 1
            moved.append((theta, g, state, group))
        for theta, *_ in moved:
            note(theta)                                     # before the first write, in case one of them fails
        self.update_all(moved)

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for _, parameter in self._parameters():
            parameter.grad = None

    # -- state

    def state_dict(self):
        """All that a later run needs to go on exactly here: fit for JSON, but for "arrays", which is fit for safetensors.

            {"optimizer": "AdamW", "param_groups": [{"lr": 0.001, …, "params": [0, 1]}], "steps": [7, 7],
             "arrays": {"0.exp_avg": array, …}}

        Parameters are known by their place in the groups. The arrays are the optimiser's own: copy what must not change.
        """
        numbers_of = iter(range(len(self.state)))
        groups = [{**{name: list(value) if isinstance(value, tuple) else value for name, value in group.items()},
                   "params": [next(numbers_of) for _ in group["params"]]} for group in self.param_groups]
        arrays = {f"{i}.{name}": array for i, state in enumerate(self.state)
                  for name, array in state.items() if name != "step"}
        return {"optimizer": type(self).__name__, "param_groups": groups,
                "steps": [state.get("step", 0) for state in self.state], "arrays": arrays}

    def load_state_dict(self, state):
        """Go on from ``state``, the ``state_dict`` of an optimiser over parameters of these shapes in these groups.

        The options, learning rates among them, are those of ``state``. Raises ValueError when anything does not fit, and
        then nothing has changed.
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
                    self._refuse(f"{i}.{name} is {array.dtype} {array.shape}, expected {parameter.dtype} {parameter.shape}")
                loaded[i][name] = array
        if arrays:
            self._refuse(f"it has arrays that nothing here uses: {', '.join(arrays)}")

        for own, group in zip(self.param_groups, groups):
            own.update(group)
        self.state = loaded

    def _refuse(self, why):
        raise ValueError(f"load_state_dict: this state does not fit {type(self).__name__}: {why}")

    # -- groups

    def _parameters(self):
        """(group, parameter), in the order of the groups: a parameter's place here is its number."""
        return [(group, parameter) for group in self.param_groups for parameter in group["params"]]

    def _grouped(self, parameters):
        name = type(self).__name__
        if isinstance(parameters, (Tensor, dict)):
            raise TypeError(f"{name}: parameters is a {type(parameters).__name__}, expected a list of tensors or groups")
        given = list(parameters)
        groups = given if given and all(isinstance(group, dict) for group in given) else [{"params": given}]
        result, seen = [], set()
        for i, group in enumerate(groups):
            unknown = set(group) - set(self.defaults) - {"params"}
            if unknown or "params" not in group:
                raise ValueError(f"{name}: group {i} has {', '.join(map(repr, group))}; expected 'params' and any of "
                                 f"{', '.join(self.defaults)}")
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
    def _expect_parameter(which, parameter, seen):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{which} is a {type(parameter).__name__}, expected a Tensor")
        if parameter.dtype not in FLOATS:
            raise TypeError(f"{which} is {parameter.dtype}, expected float32 or float64")
        if not parameter.is_leaf:
            raise ValueError(f"{which} was computed by {parameter.node.operation.__name__}: only leaves can be learned")
        if id(parameter) in seen:
            raise ValueError(f"{which}, of shape {parameter.shape}, is there twice: it would be moved twice a step")
        seen.add(id(parameter))

    def __repr__(self):
        groups = "; ".join(f"{len(group['params'])} parameters, "
                           + ", ".join(f"{k}={v}" for k, v in group.items() if k != "params") for group in self.param_groups)
        return f"{type(self).__name__}({groups})"


def param_groups_by_decay(parameters, weight_decay):
    """Two groups: matrices and tables with ``weight_decay``; biases and norms' weights, which are vectors, with none.

    >>> AdamW(param_groups_by_decay(model.parameters(), 0.1), lr=1e-3)

    Decay pulls towards zero, which for the weight of a norm means towards an output of zero. Parameters that require no
    gradient and a group that would be empty are left out.   Source: the split of nanoGPT's published recipe.
    """
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [{"params": [p for p in learned if p.ndim >= 2], "weight_decay": weight_decay},
              {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def param_groups_by_level(groups, levels, lr, decay):
    """``groups``, each parted by the levels of a model from the top down: level n learns at decayⁿ times the rate of its group.

    levels      lists of parameters; those in none learn at the full rate
    lr          the rate of groups that do not give their own

    Lower layers of a trained network hold what every task needs, and change less.   Source: Howard and Ruder (2018), ULMFiT.
    """
    level = {id(parameter): n for n, parameters in enumerate(levels) for parameter in parameters}
    parted = []
    for group in groups:
        for n in range(max(len(levels), 1)):
            params = [p for p in group["params"] if level.get(id(p), 0) == n]
            if params:
                parted.append({**group, "params": params, "lr": group.get("lr", lr) * decay ** n})
    return parted
