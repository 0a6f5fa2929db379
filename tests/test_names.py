"""Advice about names: whatever it says to write exists, and nothing is advised against that exists."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import tinyformer as tfm
import tinyformer.data
import tinyformer.train
from tinyformer import (data, distributed, explain, fairness, generate, gradcheck, interop, learn, models, names, nn,
                        ops, optim, privacy, text, train, viz)
from tinyformer.autograd import Tensor
from tinyformer.train import scores

PLACES = {"model": nn.Module, "tfm": tfm, "ops": ops, "nn": nn, "optim": optim, "np": np, "x": Tensor,
          "tinyformer": tfm}


@pytest.mark.parametrize("advice", sorted({*names.TORCH.values(), *names.NUMPY.values(),
                                           *names.MODULES.values()}))
def test_what_is_advised_exists(advice):
    for place, path in re.findall(r"\b(tfm|ops|nn|optim|np|x|model|tinyformer)\.(\w+(?:\.\w+)*)", advice):
        found = PLACES[place]
        for part in path.split("."):
            if found is np.random and part == "default_rng" or place == "x" and part == "c_contiguous":
                break
            if place == "x" and isinstance(found, property):
                found = np.ndarray.flags if part == "flags" else found
                continue
            if f"{place}.{path} =" in advice:               # what is assigned need not be there
                break
            assert hasattr(found, part), f"{advice}: {place}.{path}"
            found = getattr(found, part)


@pytest.mark.parametrize("place", [tfm, ops, nn, optim, Tensor], ids=["tfm", "ops", "nn", "optim", "Tensor"])
def test_what_exists_is_not_advised_against(place):
    assert not [name for name in names.TORCH if hasattr(place, name)]
    assert not [name for name in names.MODULES if hasattr(nn.Linear(1, 1), name)]


def test_every_operation_that_numpy_has_too_is_advised():
    ours = {name for name in ops.__all__ if hasattr(getattr(ops, name), "raw") and hasattr(np, name)} - {"astype"}
    operators = {"add", "subtract", "multiply", "divide", "negative", "power", "abs"}
    assert ours - operators <= names.NUMPY.keys()


@pytest.mark.parametrize("owner, name, message", [
    (Tensor(np.ones(2)), "permute", "Tensor has no attribute 'permute'; write x.transpose(0, 2, 1)"),
    (Tensor(np.ones(2)), "cuda", "Tensor has no attribute 'cuda'; tensors are NumPy arrays"),
    (Tensor(np.ones(2)), "matmul", "Tensor has no attribute 'matmul'; write ops.matmul$"),
    (Tensor(np.ones(2)), "masked_fill_", "write x[mask] = value within tfm.no_grad()$"),
    (Tensor, "backward_", "Tensor has no attribute 'backward_'; did you mean backward?"),
    (nn.Linear(1, 1), "cuda", "Linear has no attribute 'cuda'; tensors are NumPy arrays"),
    (nn.Linear(1, 1), "float", "Linear has no attribute 'float'; write model.to('float32')"),
    (nn.Linear(1, 1), "wieght", "Linear has no attribute 'wieght'; did you mean weight?$"),
    (nn.Linear(1, 1), "save", "Linear has no attribute 'save'; write tfm.save(model.state_dict(), path)$"),
    (nn.LSTM(1, 1), "paramters", "did you mean parameters or"),
    (nn.Parameter(np.ones(2)), "tan", "Parameter has no attribute 'tan'; did you mean tanh"),
    (Tensor(np.ones(2)), "qqq", "Tensor has no attribute 'qqq'$")])
def test_an_unknown_attribute_of_a_tensor(owner, name, message):
    assert not hasattr(owner, name) and getattr(owner, name, 5) == 5
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    assert message in f"{caught.value}$"


@pytest.mark.parametrize("module, name, message", [
    (tfm, "relu", "tinyformer has no attribute 'relu'; write ops.relu"), (tfm, "Linear", "write nn.Linear"),
    (tfm, "AdamW", "write optim.AdamW"), (tfm, "from_numpy", "write tfm.Tensor(array)"), (tfm, "float32", "np.float32"),
    (tfm, "zeroes", "did you mean zeros"), (tfm, "no_grads", "did you mean no_grad"), (ops, "permute",
    "write x.transpose(0, 2, 1)"),
    (ops, "Linear", "write nn.Linear"), (ops, "softmaks", "did you mean softmax"), (nn, "Conv3d",
    "not in the book; use nn.Conv2d"),
    (nn, "LSTMcell", "did you mean LSTMCell"), (nn, "relu", "write ops.relu"), (optim, "Adamw", "did you mean AdamW"),
    (tfm, "argmax", "write x.argmax$"), (nn.functional, "one_hot", r"write np.eye(n)[indices]$"),
    (nn.functional, "matmul", "write ops.matmul$"), (nn.init, "trunc_normal_", "did you mean normal_?$"),
    (learn, "grades", "did you mean grade?$"), (scores, "acuracy", "did you mean accuracy?$"),
    (tfm, "size", "write x.size$"), (tfm, "saliency", "write tinyformer.explain.saliency$"),
    (optim, "DPOptimizer", "write tinyformer.privacy.DPOptimizer$"),
    (train, "group_metrics", "write tinyformer.fairness.group_metrics$"),
    (tfm, "federated_averaging", "write tinyformer.distributed.federated_averaging$"),
    (nn, "AdaptiveMaxPool2d", "write x.max((2, 3), keepdims=True) for the size 1, or nn.MaxPool2d$"),
    (nn, "InstanceNorm2d", "write nn.GroupNorm(C, C, affine=False) for C channels$"),
    (tfm, "fit", "write tinyformer.train.fit$"), (tfm, "check", "write tinyformer.gradcheck.check$"),
    (tfm, "GPT", "write tinyformer.models.GPT$"), (nn, "DataLoader", "write tinyformer.data.Batches$"),
    (data, "fit", "write tinyformer.train.fit$"), (data, "DataLoader", "write tinyformer.data.Batches$"),
    (train, "confusion_matrix", "write tinyformer.train.scores.confusion_matrix$"),
    (models, "Gpt", "did you mean GPT"), (gradcheck, "chekc", "did you mean check?$"),
    (train, "EarlyStopping", "write tinyformer.train.fit(…, patience=3)$"),
    (optim, "StepLR", "write optim.StepSchedule"), (optim, "qqqqqq", "tinyformer.optim has no attribute 'qqqqqq'$")])
def test_an_unknown_name_of_a_module(module, name, message):
    assert not hasattr(module, name) and getattr(module, name, 5) == 5
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert message in f"{caught.value}$"


def test_a_package_that_is_not_imported_yet():
    code = ("import tinyformer as tfm\ntry: tfm.models\nexcept AttributeError as error: print(error)\n"
            "try: tfm.train\nexcept AttributeError as error: print(error)\n"
            "from tinyformer import models\nprint(tfm.models is models, tfm.nn.functional.__name__)")
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == ["tinyformer has no attribute 'models'; import tinyformer.models first",
                                   "tinyformer has no attribute 'train'; import tinyformer.train first",
                                   "True tinyformer.nn.functional"]


@pytest.mark.parametrize("module", [tfm, ops, nn, optim, data, text, viz, train, gradcheck, generate, models, learn,
                                    interop, scores, nn.functional, nn.init, ops.composed, data.synthetic, tfm.backend,
                                    explain, privacy, fairness, distributed, data.augmentation, data.captions])
def test_dir_lists_the_public_names(module):
    assert [name for name in dir(module) if not name.startswith("__")] == sorted(module.__all__)
    assert "__name__" in dir(module) and all(hasattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match=f"{module.__name__} has no attribute '__wrapped__'"):
        module.__wrapped__


@pytest.mark.parametrize("call, message", [
    (lambda x: x.argmax(dim=1), "argmax: no argument is called dim; write axis"),
    (lambda x: x.argmax(axis=1, keepdim=True), "argmax: no argument is called keepdim; write keepdims"),
    (lambda x: x.sum(dim=1), "sum: no argument is called dim; write axis"),
    (lambda x: x.unsqueeze(axis=0), "unsqueeze: no argument is called axis; write dim"),
    (lambda x: x.to(device="cpu"), "to: no argument is called device; expected one of dtype"),
    (lambda x: x.view(size=(3, 2)), "view: no argument is called size; give the shape without a name"),
    (lambda x: tfm.zeros(size=(3, 2)), "zeros: no argument is called size; give the shape without a name"),
    (lambda x: ops.relu(x, dim=1), "relu: no argument is called dim; expected one of x")])
def test_an_argument_under_another_name(call, message):
    with pytest.raises(TypeError) as caught:
        call(Tensor(np.ones((2, 3))))
    assert str(caught.value) == message


@pytest.mark.parametrize("module, message", [
    (gradcheck, "tinyformer.gradcheck is a module; call tinyformer.gradcheck.check"),
    (generate, "tinyformer.generate is a module; call tinyformer.generate.generate"),
    (ops, "tinyformer.ops is a module")])
def test_a_module_that_is_called(module, message):
    with pytest.raises(TypeError) as caught:
        module(np.tanh, np.ones(3))
    assert str(caught.value) == message


def test_python_adds_no_suggestion_of_its_own():
    code = "import tinyformer as tfm\ntfm.Tensor.backward_"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert output.splitlines()[-1].endswith(": Tensor has no attribute 'backward_'; did you mean backward?")


def test_asking_whether_a_name_exists_costs_no_search(monkeypatch):
    monkeypatch.setattr(names.UnknownName, "__str__", None)
    assert not hasattr(tfm.tensor(1.0), "qqq") and not hasattr(nn.Linear(1, 1), "qqq") and not hasattr(ops, "qqq")


def test_models_can_be_copied_and_pickled():
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    for again in (copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))):
        assert again.state_dict().keys() == model.state_dict().keys()
