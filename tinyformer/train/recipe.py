"""Recipes: a named training run as a TOML file, every value of which can be set anew from the command line."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ..files import read_text
from ..models import MODELS, trainable
from ..optim import OPTIMIZERS, SCHEDULES
from .tasks import TASKS

FOLDER = Path(__file__).parent.parent / "recipes"
MEASURED = ("minutes", "expected_loss", "expected_accuracy")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class RecipeError(ValueError):
    """A recipe, or a setting of one, that cannot be used."""


@dataclass
class TrainSettings:
    """How it is learned."""

    max_steps: int = 1000
    batch_size: int = 12                # windows in one forward pass
    accumulate: int = 1                 # forward passes whose gradients make one step
    seed: int = 1
    optimizer: str = "adamw"            # a name in optim.OPTIMIZERS; "muon" is AdamW but for the matrices of hidden layers
    schedule: str = "cosine"            # a name in optim.SCHEDULES: after the warm-up; "inverse-sqrt" ignores min_lr
    lr: float = 1e-3                    # the highest; warmed up to, then down along the schedule
    min_lr: float = 1e-4
    muon_lr: float = 0.02               # Muon's own highest rate, warmed up and brought down like the other
    warmup_steps: int = 100
    layer_decay: float = 1.0            # each layer learns at this part of the rate of the one above it; 0: only the head does
    weight_decay: float = 0.1           # not on vectors (biases, norms)
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0                   # bound on the gradient's norm; 0: none
    eval_every: int = 250               # steps between looks at the validation loss
    eval_windows: int = 200             # windows in such a look; the last one is over the whole split
    checkpoint_every: int = 250
    patience: int = 0                   # so many looks that are no better than the best end the run, whose best model is kept


@dataclass
class Recipe:
    """A training run: what it is, its data, its model and how it is trained."""

    name: str = "run"
    about: str = ""
    minutes: float = 0.0                # what to expect on two cores of a laptop; 0, here and below: not measured
    expected_loss: float = 0.0          # validation loss in nats a token (or text)
    expected_accuracy: float = 0.0      # on the test split: of a classifier; the share of exact answers
    model: dict = field(default_factory=lambda: {"architecture": "gpt"})
    data: object = None                 # of the class that the task of the model's architecture has
    train: TrainSettings = field(default_factory=TrainSettings)

    def __post_init__(self):
        if self.data is None:
            self.data = self.task.Data()

    @property
    def model_class(self):
        """The class of its model."""
        return MODELS[self.model["architecture"]]

    @property
    def task(self):
        """What is learned, a class of ``train.tasks``: the model knows."""
        return TASKS[self.model_class.task]

    def model_config(self, **sizes):
        """The config of the model for data of those sizes."""
        return self.model_class.Config(**sizes, **{name: value for name, value in self.model.items() if name != "architecture"})

    def to_toml(self):
        """The recipe as TOML, every setting filled in. What was not measured is left out."""
        table = dataclasses.asdict(self)
        if self.model_class.trained_by_counting:
            del table["train"]
        return tomlkit.dumps({key: value for key, value in table.items() if value or key not in MEASURED})


def names():
    """The names of the recipes that come with tinyformer."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_recipe(name, settings=()):
    """The recipe ``name`` (or in the file of that path) with each "section.key=value" of ``settings`` applied."""
    path = FOLDER / f"{name}.toml" if str(name) in names() else Path(name)
    if path.suffix == ".toml" and not path.exists():
        raise RecipeError(f"{path}: no such file; expected a recipe")
    if path.suffix != ".toml":
        raise RecipeError(f"unknown recipe {name!r}{_nearest(str(name), names())}; expected the path of a .toml file, or one of "
                          f"the {len(names())} names that `tinyformer recipes` shows")
    try:
        text = read_text(path)
    except ValueError as error:                             # it names the file
        raise RecipeError(str(error)) from None
    try:
        table = tomlkit.parse(text).unwrap()
    except (ValueError, TOMLKitError, RecursionError) as error:
        raise RecipeError(f"{path}: damaged or not a recipe in TOML ({error})") from None
    if not table:
        raise RecipeError(f"{path} is empty, expected a recipe")
    table.setdefault("name", path.stem)
    model = table.get("model")
    architecture = model.get("architecture") if isinstance(model, dict) else None
    known = isinstance(architecture, str) and architecture in trainable()
    recipe = Recipe(model={"architecture": architecture if known else "gpt"})
    for key, value in table.items():
        if isinstance(value, dict):
            for inner, item in value.items():
                _assign(recipe, f"{key}.{inner}", item)
        else:
            _assign(recipe, key, value)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise RecipeError(f"--set {setting}: expected section.key=value, such as train.max_steps=500")
        _assign(recipe, key.strip(), _parse(text.strip(), _known(recipe, key.strip())))
    _validate(recipe)
    return recipe


def _parse(text, kind):
    """``text`` as a TOML value; as it stands where it is none, or where text is wanted (a word, a path, not in quotes)."""
    try:
        value = tomlkit.parse(f"value = {text}").unwrap()["value"]
    except (ValueError, TOMLKitError, RecursionError):
        return text
    return text if kind is str and not isinstance(value, str) else value


def _nearest(word, known):
    match = difflib.get_close_matches(word, known, 1, 0.5)
    return f" (did you mean {match[0]}?)" if match else ""


def _fields(recipe):
    """{dotted key: type} of all that can be set. A model's keys are its config's, without the sizes that the data decide."""
    known = {key: type(getattr(recipe, key)) for key in ("name", "about", *MEASURED)}
    for section in ("data", "train")[:1 if recipe.model_class.trained_by_counting else 2]:
        settings = getattr(recipe, section)
        known.update((f"{section}.{f.name}", type(getattr(settings, f.name))) for f in dataclasses.fields(settings))
    known["model.architecture"] = str
    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    for f in dataclasses.fields(recipe.model_class.Config):
        if f.name not in recipe.task.Sizes:
            known[f"model.{f.name}"] = kinds[f.type]
    return known


def _known(recipe, key):
    """The type of what ``key`` names."""
    known = _fields(recipe)
    if recipe.model_class.trained_by_counting and key.startswith("train."):
        raise RecipeError(f"{key}: the model {recipe.model['architecture']!r} is counted, not trained in steps; expected no "
                          f"settings of a training")
    if key not in known:
        section = [name for name in known if name.startswith(f"{key.partition('.')[0]}.")]
        raise RecipeError(f"unknown setting {key!r}{_nearest(key, list(known))}; "
                          f"known are {', '.join(section or (name for name in known if '.' in name))}")
    return known[key]


def _assign(recipe, key, value):
    """recipe.key = value, checked; a whole number will do where a fraction is expected."""
    kind = _known(recipe, key)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise RecipeError(f"{key}: got {value!r}, expected {KINDS[kind]}")
    if key == "model.architecture" and value not in trainable():
        raise RecipeError(f"{key}: got {value!r}, expected one of {', '.join(sorted(trainable()))}")
    if key == "model.architecture" and MODELS[value].task != recipe.task.name:
        raise RecipeError(f"{key}: got {value!r}, which is for the task {MODELS[value].task!r}; expected one for the "
                          f"recipe's task {recipe.task.name!r}")
    section, _, inner = key.rpartition(".")
    if section == "model":
        recipe.model[inner] = value
    else:
        setattr(getattr(recipe, section) if section else recipe, inner, value)


def _validate(recipe):
    for key in MEASURED:
        most = 1 if key == "expected_accuracy" else float("inf")
        if not 0 <= getattr(recipe, key) <= most or getattr(recipe, key) == float("inf"):
            bound = f" and at most {most}" * (most == 1)
            raise RecipeError(f"{key}: got {getattr(recipe, key)}, expected a finite number of at least 0{bound}")
    train = recipe.train
    limits = {"max_steps": 1, "batch_size": 1, "accumulate": 1, "eval_every": 1, "eval_windows": 1, "checkpoint_every": 1,
              "warmup_steps": 0, "seed": 0, "lr": 0, "min_lr": 0, "muon_lr": 0, "weight_decay": 0, "clip": 0,
              "patience": 0}
    for key, least in limits.items():
        if not least <= getattr(train, key) < float("inf"):
            raise RecipeError(f"train.{key}: got {getattr(train, key)}, expected a finite number of at least {least}")
    for key in ("beta1", "beta2"):
        if not 0 <= getattr(train, key) < 1:
            raise RecipeError(f"train.{key}: got {getattr(train, key)}, expected at least 0 and less than 1")
    if not 0 <= train.layer_decay <= 1:
        raise RecipeError(f"train.layer_decay: got {train.layer_decay}, expected 0…1")
    if train.layer_decay < 1 and not hasattr(recipe.model_class, "levels"):
        raise RecipeError(f"train.layer_decay: got {train.layer_decay}, but a {recipe.model['architecture']} knows no levels; "
                          f"expected 1")
    if train.min_lr > train.lr:
        raise RecipeError(f"train.min_lr: got {train.min_lr}, expected at most train.lr, which is {train.lr}")
    for key, known in {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}.items():
        if getattr(train, key) not in known:
            raise RecipeError(f"train.{key}: got {getattr(train, key)!r}, expected one of {', '.join(sorted(known))}")
    try:
        recipe.data.check()
        recipe.model_config(**dict.fromkeys(recipe.task.Sizes, 2))
    except ValueError as error:                             # a config says "GPTConfig: n_layer is 0, expected …"
        raise RecipeError(str(error).replace(f"{recipe.model_class.Config.__name__}: ", "model.", 1)) from None
