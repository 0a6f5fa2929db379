"""Recipes: a named training run as a TOML file. The command line can change every value of it."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ..files import read_text
from ..models import MODELS, trainable
from ..optim import OPTIMIZERS, SCHEDULES
from .private import PrivacySettings
from .settings import NAMES, TYPES, check_settings, setting, type_name
from .tasks import TASKS

if TYPE_CHECKING:
    from ..models.pretrained import Pretrained
    from .tasks import Task

FOLDER = Path(__file__).parent.parent / "recipes"
MEASURED = ("minutes", "expected_loss", "expected_accuracy")


class RecipeError(ValueError):
    """A recipe, or a setting of one, that cannot be used."""


@dataclass
class TrainSettings:
    """The section [train] of a recipe: number of steps, optimizer, schedule, evaluations and checkpoints."""

    max_steps: int = setting(1000, "The number of updates of the parameters.", at_least=1)
    batch_size: int = setting(12, "Examples in one forward pass: "
                                  "windows of a text, lines, texts or pictures.", at_least=1)
    accumulate: int = setting(1, "Forward passes whose gradients are averaged into one update.", at_least=1)
    seed: int = setting(1, "Seed of the initial weights, the batches and dropout.", at_least=0)
    optimizer: str = setting("adamw", "The update rule. muon is for the matrices of hidden layers; "
                                      "AdamW then updates the rest.",
                             one_of=OPTIMIZERS)
    schedule: str = setting("cosine", "The learning rate after the warm-up. cosine and linear end at min_lr; "
                                      "inverse-sqrt falls with the inverse square root "
                                      "of the step and ignores min_lr.", one_of=SCHEDULES)
    lr: float = setting(1e-3, "The highest learning rate, at the end of the warm-up.", at_least=0)
    min_lr: float = setting(1e-4, "The learning rate at the last step; not above lr.", at_least=0)
    muon_lr: float = setting(0.02, "The highest learning rate "
                                   "of the matrices that muon updates; it follows the schedule.",
                             at_least=0)
    warmup_steps: int = setting(100, "Steps in which the learning rate rises linearly to lr.", at_least=0)
    layer_decay: float = setting(1.0, "Learning rate of a layer divided by that of the layer above, for BERT "
                                      "classifiers. With 0 only the head is trained.", at_least=0, at_most=1)
    weight_decay: float = setting(0.1, "Weight decay of matrices. Vectors (biases, norms) have none.", at_least=0)
    beta1: float = setting(0.9, "Decay of the mean of gradients (Adam and similar).", at_least=0, below=1)
    beta2: float = setting(0.99, "Decay of the mean of squared gradients (Adam and similar).", at_least=0, below=1)
    clip: float = setting(1.0, "Upper bound on the norm of the gradient; 0 for none.", at_least=0)
    eval_every: int = setting(250, "Steps between two evaluations on the validation split.", at_least=1)
    eval_windows: int = setting(200, "Windows or texts in an evaluation. The last evaluation, "
                                     "and every evaluation with patience, uses the whole split.", at_least=1)
    checkpoint_every: int = setting(250, "Steps between two checkpoints.", at_least=1)
    patience: int = setting(0, "Stop after this many evaluations "
                               "without improvement and keep the best model; 0: never.",
                            at_least=0)


@dataclass
class Recipe:
    """A training run: what it is, its data, its model and how it is trained."""

    name: str = setting("run", "The name, by default that of the file.")
    about: str = setting("", "What is trained, in one line.")
    minutes: float = setting(0.0, "Duration in minutes on two cores of a laptop; 0: not measured.", at_least=0)
    expected_loss: float = setting(0.0, "Validation loss at the end, "
                                        "in nats per token or text; 0: not measured.", at_least=0)
    expected_accuracy: float = setting(0.0, "Share of right answers "
                                            "on the test split; 0: not measured.", at_least=0, at_most=1)
    model: dict[str, Any] = field(default_factory=lambda: {"architecture": "gpt"})
    data: Any = None                    # an instance of task.Data
    train: TrainSettings = field(default_factory=TrainSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)

    def __post_init__(self) -> None:
        if self.data is None:
            self.data = self.task.Data()

    @property
    def model_class(self) -> type[Pretrained]:
        """The class of the model."""
        return MODELS[self.model["architecture"]]

    @property
    def task(self) -> type[Task]:
        """The task that the model is for, a class of ``train.tasks``."""
        return TASKS[self.model_class.task]

    def model_config(self, **sizes: int) -> Any:
        """The config of the model for data of the given ``sizes``, such as vocab_size.

        ValueError for a value out of its range.
        """
        chosen = {name: value for name, value in self.model.items() if name != "architecture"}
        return self.model_class.Config(**sizes, **chosen)

    def to_toml(self) -> str:
        """The recipe as TOML, with every setting. Figures that were not measured are left out."""
        table = dataclasses.asdict(self)
        if self.model_class.trained_by_counting:
            del table["train"]
        if not self.privacy.active:
            del table["privacy"]
        elif self.privacy.noise_multiplier is None:         # TOML has no None
            del table["privacy"]["noise_multiplier"]
        return tomlkit.dumps({key: value for key, value in table.items() if value or key not in MEASURED})


def names() -> list[str]:
    """The names of the recipes that come with tinyformer."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_recipe(name: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """The recipe ``name``, or the one in the file of that path, with each "section.key=value" of ``settings`` applied.

    >>> load_recipe("pydocs-char", ["train.max_steps=500"])

    RecipeError, which names the setting or the file, for an unknown recipe or setting, a value of the wrong type or out
    of its range, and a damaged file.
    """
    path = FOLDER / f"{name}.toml" if str(name) in names() else Path(name)
    if path.suffix == ".toml" and not path.exists():
        raise RecipeError(f"{path}: no such file; expected a recipe")
    if path.suffix != ".toml":
        raise RecipeError(f"unknown recipe {name!r}{_nearest(str(name), names())}; expected the path of a .toml file, "
                          f"or one of the {len(names())} names that `tinyformer recipes` shows")
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
    for assignment in settings:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise RecipeError(f"--set {assignment}: expected section.key=value, such as train.max_steps=500")
        _assign(recipe, key.strip(), _parse(text.strip(), _known(recipe, key.strip())))
    _validate(recipe)
    return recipe


def check_recipe(function: str, recipe: Any) -> None:
    """TypeError unless ``recipe`` is a Recipe, as for the name of one."""
    if not isinstance(recipe, Recipe):
        raise TypeError(f"{function}: recipe is {recipe!r}, expected a Recipe, such as load_recipe('pydocs-char')")


def _parse(text: str, kind: type) -> Any:
    """``text`` as a TOML value.

    It stays a text if it is not a TOML value, or if a text is expected (a path without quotes).
    """
    try:
        value = tomlkit.parse(f"value = {text}").unwrap()["value"]
    except (ValueError, TOMLKitError, RecursionError):
        return text
    return text if kind is str and not isinstance(value, str) else value


def _nearest(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word, known, 1, 0.5)
    return f" (did you mean {match[0]}?)" if match else ""


def _fields(recipe: Recipe) -> dict[str, type]:
    """{dotted key: type} of all settings.

    Those of the model are the fields of its config, without the sizes that the data decide.
    """
    known = {key: type(getattr(recipe, key)) for key in ("name", "about", *MEASURED)}
    for section in ("data", "train", "privacy")[:1 if recipe.model_class.trained_by_counting else 3]:
        known.update((f"{section}.{f.name}", TYPES[type_name(f)]) for f in dataclasses.fields(getattr(recipe, section)))
    known["model.architecture"] = str
    for f in dataclasses.fields(recipe.model_class.Config):
        if f.name not in recipe.task.Sizes and (kind := TYPES.get(type_name(f))):              # TOML has no other types
            known[f"model.{f.name}"] = kind
    return known


def _known(recipe: Recipe, key: str) -> type:
    """The type of the setting ``key``. RecipeError if there is no such setting."""
    known = _fields(recipe)
    section, _, _ = key.partition(".")
    if recipe.model_class.trained_by_counting and section in ("train", "privacy"):
        raise RecipeError(f"{key}: the model {recipe.model['architecture']!r} is trained by counting, not in steps; "
                          f"expected no settings of [{section}]")
    if key not in known:
        section = [name for name in known if name.startswith(f"{key.partition('.')[0]}.")]
        raise RecipeError(f"unknown setting {key!r}{_nearest(key, list(known))}; "
                          f"known are {', '.join(section or (name for name in known if '.' in name))}")
    return known[key]


def _assign(recipe: Recipe, key: str, value: Any) -> None:
    """recipe.key = value, whose type is checked; an integer is converted where a float is expected."""
    kind = _known(recipe, key)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise RecipeError(f"{key}: got {value!r}, expected {NAMES[kind]}")
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


def _validate(recipe: Recipe) -> None:
    """RecipeError for a value out of its range, or for values that do not fit together."""
    train = recipe.train
    try:
        check_settings("", recipe)
        check_settings("train", train)
        recipe.privacy.check()
        if train.layer_decay < 1 and not hasattr(recipe.model_class, "levels"):
            raise ValueError(f"train.layer_decay: got {train.layer_decay}, but layer_decay works only with BERT "
                             f"classifiers; a {recipe.model['architecture']} has no layer groups; expected 1")
        if train.min_lr > train.lr:
            raise ValueError(f"train.min_lr: got {train.min_lr}, expected at most train.lr, which is {train.lr}")
        recipe.data.check()
        fields = {"architecture", *(f.name for f in dataclasses.fields(recipe.model_class.Config))}
        if left := [f"model.{name}" for name in recipe.model if name not in fields]:
            raise ValueError(f"model.architecture: {recipe.model['architecture']!r} has no {', '.join(left)}, which "
                             f"this recipe sets; expected a model with these settings, or a recipe without them")
        least = recipe.model_class.least_batch(recipe.model_config(**dict.fromkeys(recipe.task.Sizes, 2)))
        if train.batch_size < least:
            raise ValueError(f"train.batch_size: got {train.batch_size}, expected at least {least}, since a "
                             f"{recipe.model['architecture']} with these settings relates the examples of a batch to "
                             f"each other")
    except ValueError as error:                             # a config says "GPTConfig: n_layer is 0, expected …"
        raise RecipeError(str(error).replace(f"{recipe.model_class.Config.__name__}: ", "model.", 1)) from None
