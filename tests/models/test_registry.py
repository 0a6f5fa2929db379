"""The registry of models: one file and its name are a model's whole entry."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyformer
from tinyformer import models
from tinyformer.models import GPT, MODELS, Bert, BertClassifier, BertForPreTraining, load_model, model_class, \
    register, trainable
from tinyformer.models.pretrained import Pretrained
from tinyformer.train.tasks import TASKS

NEW = '''"""A model that repeats the last token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from .config_checks import check_integers
from .decoder import Decoder
from .registry import register

__all__ = ["Parrot", "ParrotConfig"]


@dataclass(frozen=True)
class ParrotConfig:
    """V = vocab_size."""

    vocab_size: int
    block_size: int = 16

    def __post_init__(self):
        check_integers(self, "vocab_size", "block_size")


@register
class Parrot(Decoder):
    """logits = s · onehot(ids), with one number s to learn."""

    architecture, Config = "parrot", ParrotConfig

    def __init__(self, config):
        self.config = config
        self.scale = nn.Parameter(np.ones(1, np.float32))

    def forward(self, ids, cache=None):
        ids, _ = self._checked(ids, cache)
        return self.scale * np.eye(self.config.vocab_size, dtype=np.float32)[ids]
'''

USE = '''
import sys
import numpy as np
import tinyformer
from tinyformer.models import Parrot, load_model, trainable
from tinyformer.train import load_recipe
assert "parrot" in trainable() and "Parrot" in dir(tinyformer.models)
recipe = load_recipe("parrot.toml", ["model.block_size=4"])
model = Parrot(recipe.model_config(vocab_size=7))
model.scale.data[:] = 40
model.save_pretrained("saved")
assert load_model("saved").generate([3, 5], 6).tolist() == [3] + [5] * 7
try:
    load_recipe("parrot.toml", ["model.block_size=0"])
except ValueError as error:
    print(error)
'''


def test_a_new_model_is_one_file(tmp_path):
    """In a copy of the package: nothing but the file is added, and recipes and ``load_model`` know the model."""
    shutil.copytree(Path(tinyformer.__file__).parent, tmp_path / "tinyformer",
                    ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tinyformer/models/parrot.py").write_text(NEW, encoding="utf-8")
    (tmp_path / "parrot.toml").write_text('[model]\narchitecture = "parrot"\n')
    done = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("model.block_size is 0, expected")


@pytest.fixture
def forgotten():
    """What a test registers is gone afterwards."""
    before = dict(MODELS)
    yield
    MODELS.clear()
    MODELS.update(before)


def test_a_users_own_model_is_known_once_it_is_registered(tmp_path, forgotten):
    @register
    class Mine(GPT):
        """A user's GPT."""

        architecture, model_types = "mine", ()

        def published_config(self):
            return {"architecture": "mine", **dataclasses.asdict(self.config)}

        @classmethod
        def read_config(cls, values):
            return cls.Config(**values)

    model = Mine(GPT.Config(vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=4)).eval()
    model.save_pretrained(tmp_path)
    assert "mine" in trainable() and model_class(tmp_path) is Mine
    np.testing.assert_array_equal(load_model(tmp_path)([[1, 2]]).data, model([[1, 2]]).data)


def test_names_are_registered_once(forgotten):
    with pytest.raises(ValueError, match="register: Again has the architecture 'gpt', which GPT has already"):
        @register
        class Again(Pretrained):
            architecture = "gpt"
    with pytest.raises(ValueError, match="register: Nameless has no architecture of its own"):
        @register
        class Nameless(GPT):
            pass
    assert MODELS["gpt"] is GPT
    for _ in range(2):                                      # a notebook's cell that runs twice
        @register
        class Mine(Pretrained):
            architecture = "mine"
    assert MODELS["mine"] is Mine


def test_every_model_is_complete():
    for name, model in MODELS.items():
        assert model.architecture == name and model.recognizes({"architecture": name})
        assert dataclasses.is_dataclass(model.Config) and model.__doc__
        assert getattr(models, model.__name__) is model and getattr(models, model.Config.__name__) is model.Config
        assert not model.task or model.task in TASKS
    assert trainable() == {name: model for name, model in MODELS.items() if model.task} != MODELS


@pytest.mark.parametrize("values, expected", (
    ({"model_type": "bert", "architectures": ["BertModel"]}, Bert),
    ({"model_type": "bert"}, Bert),
    ({"model_type": "bert", "architectures": ["BertForQuestionAnswering"]}, Bert),
    ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, BertForPreTraining),
    ({"model_type": "bert", "architectures": ["BertForSequenceClassification"]}, BertClassifier),
    ({"architecture": "bert-classifier"}, BertClassifier),
    ({"model_type": "gpt2", "architectures": "GPT2Model"}, GPT),
))
def test_the_class_of_a_published_folder(tmp_path, values, expected):
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert model_class(tmp_path) is expected


def test_an_unknown_architecture_is_named_with_those_that_are_known(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ValueError, match=r"config.json: unknown architecture 't5', expected one of .*gpt2.*qwen3"):
        model_class(tmp_path)


def test_type_checkers_are_told_of_every_file_whose_names_are_collected():
    tree = ast.parse(Path(models.__file__).read_text(encoding="utf-8"))
    block, = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imported = {node.module for node in block.body if isinstance(node, ast.ImportFrom) and node.module}
    exported = {ast.unparse(node.value).removesuffix(".__all__") for node in block.body
                if isinstance(node, ast.AugAssign)}
    collected = {path.stem for path in Path(models.__file__).parent.glob("*.py")
                 if path.stem != "__init__" and "\n__all__ = " in path.read_text(encoding="utf-8")}
    assert imported == exported == collected
