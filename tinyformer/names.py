"""Names of PyTorch and NumPy that do not exist here, and what to write instead, for error messages.

``TORCH`` is the one table for all of them: attributes of tensors, of the package, ``ops``, ``nn`` and ``optim``.
An entry says what to write; one that ends with a full stop is a sentence of its own.
``tests/test_names.py`` checks that every name in the advice exists here, and that no name of the table does.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

_TYPE = "types are NumPy's: np.float32, np.float64, np.int64, bool."
_CONVERT = "x.astype(np.float32), or another type"
_DEVICE = "tensors are NumPy arrays in main memory; tfm.backend.use(…) selects the kernels."
_VALUES = "np.{0}(x.data), which has no gradient"
_IN_PLACE = "x {0}= y within tfm.no_grad()"
_ABSENT = "not in the book; use {0}."
_OWN = "tfm.differentiable makes an operation of your own out of a value and its vjp."

TORCH = {
    # shapes
    "permute": "x.transpose(0, 2, 1), which takes the order of all axes", "t": "x.T", "mT": "x.swapaxes(-1, -2)",
    "movedim": "x.transpose(0, 2, 1), which takes the order of all axes", "transpose_": "x.transpose(1, 0)",
    "contiguous": "x itself; NumPy arrays of any layout work", "is_contiguous": "x.data.flags.c_contiguous",
    "view_as": "x.reshape(y.shape)", "reshape_as": "x.reshape(y.shape)", "expand_as": "x.broadcast_to(y.shape)",
    "repeat": "x.broadcast_to(shape), then x.reshape(shape)", "tile": "x.broadcast_to(shape), then x.reshape(shape)",
    "repeat_interleave": "x[np.repeat(np.arange(len(x)), n)]", "chunk": "x.split(n)", "unbind": "tuple(x)",
    "narrow": "x[start:stop]", "select": "x[i]", "roll": "ops.concatenate([x[-n:], x[:-n]])", "numel": "x.size",
    "nelement": "x.size", "ndimension": "x.ndim", "hstack": "ops.concatenate", "vstack": "ops.concatenate",
    # entries
    "gather": "x[indices]", "index_select": "x[indices]", "take": "x[indices]", "masked_select": "x[mask]",
    "masked_fill": "ops.where(mask, value, x)", "masked_fill_": "x[mask] = value within tfm.no_grad()",
    "scatter": "x[indices] = y within tfm.no_grad()",
    "fill_": "x[...] = value within tfm.no_grad()", "copy_": "x[...] = y within tfm.no_grad()",
    "add_": _IN_PLACE.format("+"), "sub_": _IN_PLACE.format("-"), "mul_": _IN_PLACE.format("*"),
    "div_": _IN_PLACE.format("/"), "normal_": "nn.init.normal_(x)", "uniform_": "nn.init.uniform_(x)",
    # arithmetic
    "mm": "x @ y", "bmm": "x @ y", "mv": "x @ y", "dot": "x @ y", "inner": "x @ y", "addmm": "x @ y + b",
    "outer": "x[:, None] * y", "sub": "x - y, or ops.subtract", "mul": "x * y, or ops.multiply",
    "div": "x / y, or ops.divide", "true_divide": "x / y, or ops.divide", "neg": "-x, or ops.negative",
    "pow": "x ** y, or ops.power", "square": "x * x", "rsqrt": "1 / x.sqrt()", "reciprocal": "1 / x",
    "clamp": "x.clip(min, max)", "clamp_min": "x.clip(min)",
    "absolute": "x.abs()", "floor_divide": "x // y", "remainder": "x % y", "eq": "x == y", "ne": "x != y",
    "lt": "x < y", "le": "x <= y", "gt": "x > y", "ge": "x >= y", "logical_not": "~x", "logical_and": "x & y",
    "logical_or": "x | y", "norm": "(x * x).sum().sqrt()", "amax": "x.max(axis)", "amin": "x.min(axis)",
    **{name: _VALUES.format(name) for name in (
        "any", "all", "argmin", "argsort", "sort", "median", "nonzero", "unique", "isnan", "isinf", "isfinite", "prod",
        "floor", "ceil", "sign", "round", "histogram", "bincount", "tril", "triu")},
    "allclose": "np.allclose(x, y)", "isclose": "np.isclose(x, y)", "equal": "np.array_equal(x, y)",
    "multinomial": "np.random.default_rng(seed).choice(n, p=p)",
    "quantile": "np.quantile(x.data, q), which has no gradient",
    "topk": "np.argsort(x.data), which has no gradient",
    # types, devices and the graph
    **dict.fromkeys(("float", "double", "half", "long", "int", "short", "byte", "bool", "type", "type_as"), _CONVERT),
    **dict.fromkeys(("float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64",
                     "FloatTensor", "LongTensor", "get_default_dtype", "set_default_dtype"), _TYPE),
    **dict.fromkeys(("cuda", "cpu", "device", "is_cuda", "get_device", "pin_memory", "mps"), _DEVICE),
    "set_num_threads": "tfm.backend.set_num_threads(n)", "grad_fn": "x.node",
    "register_hook": "x.retain_grad(), then x.grad", "inference_mode": "tfm.no_grad()",
    "set_grad_enabled": "tfm.no_grad()", "enable_grad": "tfm.no_grad() around the rest alone",
    "Function": _OWN, "Generator": "np.random.default_rng(seed)", "get_rng_state": "tfm.manual_seed(n)",
    # new tensors
    "from_numpy": "tfm.Tensor(array), on the array itself, or tfm.tensor(array), a copy",
    "as_tensor": "tfm.Tensor(array)", "asarray": "tfm.Tensor(array)", "empty": "tfm.zeros(2, 3)",
    "zeros_like": "tfm.zeros(x.shape)", "ones_like": "tfm.ones(x.shape)", "full_like": "tfm.full(x.shape, value)",
    "randn_like": "tfm.randn(x.shape)", "rand_like": "tfm.rand(x.shape)", "empty_like": "tfm.zeros(x.shape)",
    "eye": "tfm.tensor(np.eye(n))", "linspace": "tfm.tensor(np.linspace(a, b, n))", "new_zeros": "tfm.zeros(2, 3)",
    "new_ones": "tfm.ones(2, 3)",
    "randint": "tfm.tensor(rng.integers(low, high, size)), with rng = np.random.default_rng(seed)",
    "randperm": "np.random.default_rng(seed).permutation(n)", "one_hot": "np.eye(n)[indices]",
    # layers and losses
    **dict.fromkeys(("Conv3d", "conv3d", "ConvTranspose3d", "LazyConv2d"), _ABSENT.format("nn.Conv2d")),
    **dict.fromkeys(("ConvTranspose1d", "conv_transpose1d"), _ABSENT.format("nn.ConvTranspose2d with a height of 1")),
    **dict.fromkeys(("MaxPool1d", "max_pool1d", "MaxPool3d"), _ABSENT.format("nn.MaxPool2d")),
    **dict.fromkeys(("AvgPool1d", "avg_pool1d", "AvgPool3d"), _ABSENT.format("nn.AvgPool2d")),
    **dict.fromkeys(("AdaptiveAvgPool2d", "adaptive_avg_pool2d"), "x.mean((2, 3), keepdims=True) for the size 1, or "
                                                                  "nn.AvgPool2d"),
    **dict.fromkeys(("AdaptiveMaxPool2d", "adaptive_max_pool2d"), "x.max((2, 3), keepdims=True) for the size 1, or "
                                                                  "nn.MaxPool2d"),
    **dict.fromkeys(("Upsample", "interpolate"), "ops.grid_sample, or nn.ConvTranspose2d"),
    "affine_grid": "an array (N, h, w, 2) of places for ops.grid_sample", "ZeroPad2d": "ops.pad",
    "Unflatten": "x.reshape(shape)",
    **dict.fromkeys(("unfold", "Unfold"), "nn.Conv2d, or np.lib.stride_tricks.sliding_window_view(x, shape, axis)"),
    **{name: _ABSENT.format("nn.BatchNorm2d") for name in ("BatchNorm3d", "SyncBatchNorm")},
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
                    "nn.GroupNorm(C, C, affine=False) for C channels"),
    "instance_norm": "nn.functional.group_norm(x, C) for C channels",
    **{name: _ABSENT.format("nn.GroupNorm") for name in ("LocalResponseNorm", "local_response_norm")},
    **{name: _ABSENT.format("nn.Dropout") for name in ("Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout")},
    **dict.fromkeys(("CosineSimilarity", "cosine_similarity"), "(ops.normalize(x) * ops.normalize(y)).sum(-1)"),
    "cdist": "ops.squared_distances(x, y).sqrt()",
    "LogSoftmax": "ops.log_softmax", "EmbeddingBag": "nn.Embedding, then x.mean(axis)",
    "NLLLoss": "ops.cross_entropy(logits, targets)", "nll_loss": "ops.cross_entropy(logits, targets)",
    "BCELoss": "ops.binary_cross_entropy_with_logits", "binary_cross_entropy": "ops.binary_cross_entropy_with_logits",
    **dict.fromkeys(("HuberLoss", "SmoothL1Loss"),
                    "not in the book; write a function of operations, such as (x - y).abs().mean()."),
    "ParameterDict": "nn.ParameterList, or attributes of the module",
    "L1Loss": "(x - y).abs().mean()", "l1_loss": "(x - y).abs().mean()", "KLDivLoss": "(p * (p.log() - q.log())).sum()",
    **{name: _ABSENT.format("nn.GELU or nn.SiLU, or tfm.differentiable for your own") for name in (
        "ELU", "SELU", "PReLU", "Mish", "Hardswish", "ReLU6")},
    "DataParallel": "kernels use several threads, see tfm.backend.set_num_threads(n).",
    "utils": "optim.clip_grad_norm_",
    # optimizers and schedules
    "lr_scheduler": "optim.CosineSchedule, optim.LinearSchedule or another schedule", "StepLR": "optim.StepSchedule",
    "CosineAnnealingLR": "optim.CosineSchedule", "LinearLR": "optim.LinearSchedule", "LambdaLR": "optim.Schedule",
    "ExponentialLR": "optim.ExponentialSchedule", "ReduceLROnPlateau": "optim.ReduceOnPlateau",
    **{name: _ABSENT.format("optim.AdamW") for name in ("NAdam", "RAdam", "Adamax", "Adadelta", "LBFGS", "Rprop")},
    "DataLoader": "tinyformer.data.Batches", "TensorDataset": "tinyformer.data.Batches",
    "random_split": "tinyformer.data.split", "EarlyStopping": "tinyformer.train.fit(…, patience=3)",
}

# Attributes of PyTorch's modules that modules lack here.
MODULES = {
    "children": "dict(model.named_children()).values()", "modules": "model.named_modules()",
    "get_submodule": "dict(model.named_modules())[name]", "apply": "a loop over model.named_modules()",
    "buffers": "model.state_dict()", "named_buffers": "model.state_dict()", "float": "model.to('float32')",
    "double": "model.to('float64')", "half": "parameters are float32 or float64.", "type": "model.to('float32')",
    "cuda": _DEVICE, "cpu": _DEVICE, "add_module": "model.name = layer", "register_module": "model.name = layer",
    "register_parameter": "model.name = nn.Parameter(array)", "compile": "the kernels are compiled already.",
    "save": "tfm.save(model.state_dict(), path)", "load": "model.load_state_dict(tfm.load(path))",
    "fit": "tinyformer.train.fit(model, batches, optimizer)", "summary": "print(model)",
    "register_forward_hook": "a subclass with a forward of your own",
    "register_full_backward_hook": "x.retain_grad() in forward, then x.grad",
}

# Functions of NumPy that have a gradient here: on a tensor NumPy's own would lose it.
_SAME = ("exp", "log", "sqrt", "tanh", "maximum", "minimum", "where", "concatenate", "stack", "matmul", "einsum",
         "cumsum", "clip", "sum", "mean", "std", "var", "max", "min", "reshape", "transpose", "broadcast_to", "flip",
         "pad", "split")
NUMPY = {
    **{name: f"ops.{name}" for name in _SAME},
    **{name: TORCH[name] for name in ("absolute", "amax", "amin", "dot", "hstack", "inner", "norm", "outer",
                                      "reciprocal", "square")},
    "swapaxes": "x.swapaxes(a, b)", "vdot": "x @ y", "tensordot": "ops.einsum", "average": "ops.mean",
    "vstack": "ops.stack", "squeeze": "x.squeeze()", "expand_dims": "x.unsqueeze(dim)", "ravel": "x.flatten()",
    "fmax": "ops.maximum", "fmin": "ops.minimum", "log1p": "ops.log(1 + x)", "expm1": "ops.exp(x) - 1",
    "logaddexp": "ops.logsumexp", "add.reduce": "ops.sum",
    "multiply.reduce": "ops.exp(ops.log(x).sum())", "maximum.reduce": "ops.max",
    "minimum.reduce": "ops.min", "add.accumulate": "ops.cumsum",
}

# Arguments under PyTorch's names. Methods that only PyTorch has take PyTorch's names: for them it is read backwards.
ARGUMENTS = {"dim": "axis", "keepdim": "keepdims", "dims": "axes", "unbiased": "correction",
             "split_size_or_sections": "sections", "input": "x", "other": "y", "size": "shape"}


def unknown_argument(function: str, unknown: str, known: Sequence[str], nameless: str = "") -> TypeError:
    """The error for an argument called ``unknown`` of ``function``: what to write.

    ``known`` are the names of its arguments, and ``nameless`` is the one that takes no name, as in ``zeros(*shape)``.
    """
    other = {**{here: there for there, here in ARGUMENTS.items()}, **ARGUMENTS}.get(unknown, unknown)
    advice = (f"write {other}" if other in known else f"give the {nameless} without a name" if other == nameless else
              f"expected one of {', '.join(known)}")
    return TypeError(f"{function}: no argument is called {unknown}; {advice}")


def advising_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which answers an argument under an unknown name with advice, as operations do."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    known = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    nameless = "".join(p.name for p in parameters if p.kind is p.VAR_POSITIONAL)

    @functools.wraps(function)
    def advising(*args: P.args, **given: P.kwargs) -> R:
        for name in given:
            if name not in known:
                raise unknown_argument(function.__name__, name, known, nameless)
        return function(*args, **given)

    return advising


def use_instead(function: str) -> TypeError:
    """The error for NumPy's ``function`` on a tensor: what to write for a tensor with a gradient, and for an array."""
    here = NUMPY.get(function.rpartition("linalg.")[2])
    here = f"write {here} for a tensor, or " if here else ""
    return TypeError(f"np.{function} would lose the gradient of a tensor; {here}np.{function} of x.data for an array")


class UnknownName(AttributeError):
    """``owner`` lacks the attribute ``wanted``: a name of PyTorch, a name of another module, or a misspelled name.

    The advice is computed when the error is shown, so ``hasattr`` stays fast. The first advice found is used: from
    ``elsewhere``, then from ``table``, then a similar name among ``known``, the names that ``owner`` has.
    """

    def __init__(self, owner: str, wanted: str, known: Callable[[], Iterable[str]],
                 elsewhere: Callable[[], str] = str, table: Mapping[str, str] | None = None) -> None:
        super().__init__(owner, wanted, obj=owner)          # obj: or Python adds a suggestion of its own
        self.owner, self.wanted, self.known, self.elsewhere = owner, wanted, known, elsewhere
        self.table = TORCH if table is None else table

    def __str__(self) -> str:
        advice = self.elsewhere() or self._of_the_table() or self._similar()
        return f"{self.owner} has no attribute {self.wanted!r}" + f"; {advice}" * bool(advice)

    def _of_the_table(self) -> str:
        advice = self.table.get(self.wanted, "")
        return f"write {advice}" if advice and not advice.endswith(".") else advice

    def _similar(self) -> str:
        from difflib import get_close_matches
        lower = {name.lower(): name for name in self.known() if not name.startswith("_")}
        close = [lower[name] for name in get_close_matches(self.wanted.lower(), lower, n=3, cutoff=0.7)]
        return f"did you mean {' or '.join(close)}?" if close else ""


class _Module(ModuleType):
    """A module that says which of its functions to call, when it is called itself."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        own = self.__name__.rpartition(".")[2]
        function = own if own in dir(self) else {"gradcheck": "check"}.get(own)
        advice = f"; call {self.__name__}.{function}" if function else ""
        raise TypeError(f"{self.__name__} is a module{advice}")


def module_attributes(module: str, public: Iterable[str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for the package ``module``: advice for unknown names, and the public names."""
    sys.modules[module].__class__ = _Module

    def get(name: str) -> Any:
        raise UnknownName(module, name, lambda: public, lambda: _elsewhere(module, name))

    def listed() -> list[str]:
        dunder = (name for name in vars(sys.modules[module]) if name.startswith("__"))
        return sorted({*public, *dunder})

    return get, listed


def _elsewhere(module: str, name: str) -> str:
    """Advice when ``name`` is public in another package: what to write there, or what to import.

    This may import packages that ``import tinyformer`` does not, but only when an error is shown.
    """
    package = module.partition(".")[0]
    for place in ("ops", "nn", "optim"):
        if name in getattr(sys.modules.get(f"{package}.{place}"), "__all__", ()):
            return f"write {place}.{name}"
    here = Path(__file__).parent
    if module == package and not name.startswith("_") and ((here / name).is_dir() or (here / f"{name}.py").is_file()):
        return f"import {module}.{name} first"
    if name in TORCH:
        return ""
    if not name.startswith("_") and hasattr(getattr(sys.modules.get(package), "Tensor", None), name):
        return f"write x.{name}"
    for place in ("train", "train.scores", "data", "gradcheck", "models", "text", "generate", "viz",
                  "explain", "privacy", "fairness", "distributed", "serve"):
        if place != module.partition(".")[2] and name in import_module(f"{package}.{place}").__all__:
            return f"write {package}.{place}.{name}"
    return ""


def _operation(name: str) -> str:
    """Advice when ``name``, which tensors lack, is an operation."""
    ops = f"{__package__}.ops"
    return f"write ops.{name}" if name not in TORCH and name in getattr(sys.modules.get(ops), "__all__", ()) else ""


class Advising(type):
    """Metaclass: an unknown attribute of the class, or of its objects, raises ``UnknownName`` with advice."""

    if not TYPE_CHECKING:                                   # to a type checker an unknown attribute is an error
        def __getattr__(cls, name):
            raise UnknownName(cls.__name__, name, lambda: dir(cls), lambda: _operation(name))


def same_definition(one: type[Any], other: type[Any]) -> bool:
    """Whether two classes are the same definition: a notebook's cell that runs twice makes a new class each time."""
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)
