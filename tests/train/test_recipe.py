"""Recipes and what may be set in them."""

import dataclasses

import pytest
import tomlkit

from tinyformer.data import SETS
from tinyformer.models import MODELS, trainable
from tinyformer.text import CORPORA
from tinyformer.train import Recipe, RecipeError, load_recipe
from tinyformer.train.recipe import FOLDER, _fields, names
from tinyformer.train.tasks.translation import RULES


@pytest.mark.parametrize("name", names())
def test_every_shipped_recipe_is_whole(name):
    recipe = load_recipe(name)
    assert recipe.name == name and recipe.about and recipe.minutes > 0 and recipe.expected_loss > 0
    recipe.data.check()
    assert getattr(recipe.data, "corpus", "pydocs") in CORPORA
    assert getattr(recipe.data, "set", "movie-snippets") in (*SETS, *RULES)
    config = recipe.model_config(**dict.fromkeys(recipe.task.Sizes, 2))
    assert all(getattr(config, size) == 2 for size in recipe.task.Sizes)
    assert type(config) is MODELS[recipe.model["architecture"]].Config


def test_the_names_are_those_of_the_files():
    assert {"pydocs-char", "shakespeare-char-cpu"} <= set(names()) == {path.stem for path in FOLDER.iterdir()}


def test_shakespeare_is_nanogpts_published_recipe():
    recipe = load_recipe("shakespeare-char-cpu")
    assert recipe.model == dict(architecture="gpt", n_layer=4, n_head=4, n_embd=128, block_size=64, dropout=0.0,
                                bias=False)
    assert recipe.data.corpus == "shakespeare" and recipe.data.tokenizer == "char" and recipe.data.train_fraction == 0.9
    train = dataclasses.asdict(recipe.train)
    assert train.items() >= dict(max_steps=2000, batch_size=12, accumulate=1, lr=1e-3, min_lr=1e-4, warmup_steps=100,
                                 weight_decay=0.1, beta1=0.9, beta2=0.99, clip=1.0).items()


@pytest.mark.parametrize("name", names())
def test_to_toml_round_trip(tmp_path, name):
    settings, counted = ["minutes=2"], load_recipe(name).model_class.trained_by_counting
    if not counted:
        settings += ["train.lr=0.5", "train.seed=7"]
    if load_recipe(name).task.name == "language":
        settings.append("data.corpus=some \"file\" – ü.txt")
    recipe = load_recipe(name, settings)
    (tmp_path / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    again = load_recipe(tmp_path / "recipe.toml")
    assert again == recipe and again.to_toml() == recipe.to_toml()
    table = tomlkit.parse(recipe.to_toml())
    assert "train" not in table if counted else set(table["train"]) == {f.name
                                                                        for f in dataclasses.fields(recipe.train)}
    assert ("expected_accuracy" in table) == (recipe.expected_accuracy > 0)     # what was not measured is not said


def test_a_file_is_named_after_itself_unless_it_says_its_name(tmp_path):
    (tmp_path / "mine.toml").write_text("[train]\nmax_steps = 3\n")
    recipe = load_recipe(tmp_path / "mine.toml")
    assert recipe.name == "mine" and recipe.train.max_steps == 3 \
        and recipe.train.batch_size == Recipe().train.batch_size
    (tmp_path / "mine.toml").write_text('name = "yours"\n')
    assert load_recipe(tmp_path / "mine.toml").name == "yours"


# ------------------------------------------------------------------------------------------------ settings

@pytest.mark.parametrize("setting, value", (
    ("train.max_steps=7", 7),
    ("train.max_steps = 7 ", 7),
    ("train.max_steps=1_000", 1000),
    ("train.lr=3e-4", 3e-4),
    ("train.lr=1", 1.0),
    ("train.clip=0", 0.0),
    ("model.bias=true", True),
    ("model.bias=false", False),
    ("model.dropout=0.25", 0.25),
    ("data.tokenizer=bpe", "bpe"),
    ('data.tokenizer="bpe"', "bpe"),
    ("data.corpus=a/b c=d.txt", "a/b c=d.txt"),
    ("data.corpus=C:\\texts\\new.txt", "C:\\texts\\new.txt"),
    ("data.corpus=1e5", "1e5"),
    ("data.corpus=true", "true"),
    ("data.corpus='in quotes'", "in quotes"),
    ("data.corpus='tis.txt", "'tis.txt"),
    ("name=other", "other"),
))
def test_settings_are_read_as_toml_or_as_they_stand(setting, value):
    recipe = load_recipe("pydocs-char", ["train.min_lr=0.0", setting])
    section, _, key = setting.partition("=")[0].strip().rpartition(".")
    found = recipe.model[key] if section == "model" else getattr(getattr(recipe, section) if section else recipe, key)
    assert found == value and type(found) is type(value)


def test_the_last_setting_counts_and_the_rest_stays():
    recipe = load_recipe("pydocs-char", ["train.seed=1", "train.seed=2"])
    plain = load_recipe("pydocs-char")
    assert recipe.train.seed == 2
    recipe.train.seed = plain.train.seed
    assert recipe == plain


@pytest.mark.parametrize("name, settings", (("clip-mnist", ()), ("simclr-mnist", ()),
                                            ("gan-mnist", ("model.batch_norm=true",)),
                                            ("mlp-mnist", ("model.batch_norm=true",))))
def test_batches_whose_examples_are_related_to_each_other(name, settings):
    with pytest.raises(RecipeError, match="^train.batch_size: got 1, expected at least 2, since a "):
        load_recipe(name, [*settings, "train.batch_size=1"])
    assert load_recipe(name, [*settings, "train.batch_size=2"]).train.batch_size == 2


@pytest.mark.parametrize("name", ("gan-mnist", "mlp-mnist", "vae-mnist"))
def test_batches_of_one_example(name):
    settings = ["train.batch_size=1"] + ["model.batch_norm=false"] * (name != "vae-mnist")
    assert load_recipe(name, settings).train.batch_size == 1


@pytest.mark.parametrize("setting, message", (
    ("train.lrr=1", r"unknown setting 'train.lrr' \(did you mean train.lr\?\); known are train.max_steps, "),
    ("model.nlayer=1",
     r"unknown setting 'model.nlayer' \(did you mean model.n_layer\?\); known are model.architecture, "),
    ("max_steps=1", r"unknown setting 'max_steps' \(did you mean train.max_steps\?\)"),
    ("model.vocab_size=3", "unknown setting 'model.vocab_size'"),
    ("zzz.qqq=1", "unknown setting 'zzz.qqq'; known are data.corpus, "),
    ("train=1", "unknown setting 'train'"),
    ("train.max_steps", "--set train.max_steps: expected section.key=value"),
    ("train.max_steps=many", "train.max_steps: got 'many', expected an integer"),
    ("train.max_steps=1.5", "train.max_steps: got 1.5, expected an integer"),
    ("train.max_steps=true", "train.max_steps: got True, expected an integer"),
    ("train.max_steps=", "train.max_steps: got '', expected an integer"),
    ("train.lr=fast", "train.lr: got 'fast', expected a number"),
    ("train.lr=[1]", r"train.lr: got \[1\], expected a number"),
    ("model.bias=1", "model.bias: got 1, expected true or false"),
    ("train.max_steps=0", "train.max_steps: got 0, expected an integer of at least 1"),
    ("train.batch_size=-1", "train.batch_size: got -1"),
    ("train.checkpoint_every=0", "train.checkpoint_every: got 0"),
    ("train.seed=-1", "train.seed: got -1"),
    ("train.lr=nan", "train.lr: got nan, expected a finite number"),
    ("train.lr=inf", "train.lr: got inf, expected a finite number"),
    ("train.lr=-1", "train.lr: got -1.0"),
    ("train.min_lr=1", "train.min_lr: got 1.0, expected at most train.lr, which is 0.003"),
    ("train.beta2=1", "train.beta2: got 1.0, expected a finite number of at least 0 and below 1"),
    ("train.optimizer=newton",
     "train.optimizer: got 'newton', expected one of .*adamw, .*sgd"),
    ("data.tokenizer=words", "data.tokenizer: got 'words', expected one of bpe, .*char, .*word, wordpiece"),
    ("data.train_fraction=1", "data.train_fraction: got 1.0"),
    ("model.n_head=3", "model.n_embd 128 cannot be divided among n_head 3 heads"),
    ("model.dropout=1.5", "model.dropout is 1.5"),
    ("model.architecture=recurrent", "model.architecture: 'recurrent' has no model.n_head, .*which this recipe sets"),
    ("model.architecture=rnn", "model.architecture: got 'rnn', expected one of attention-lstm, average, "),
))
def test_settings_that_cannot_be_used(setting, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe("pydocs-char", [setting])


@pytest.mark.parametrize("name, message", (
    ("nosuch", "unknown recipe 'nosuch'; expected the path of a .toml file, or one of .* `tinyformer recipes`"),
    ("shakespear-char-cpu", r"unknown recipe 'shakespear-char-cpu' \(did you mean shakespeare-char-cpu\?\)"),
    ("", "unknown recipe ''"),
    (".", r"unknown recipe '\.'"),
    ("nosuch.toml", "nosuch.toml: no such file; expected a recipe"),
))
def test_recipes_that_are_not_there(name, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe(name)


@pytest.mark.parametrize("content, message", (
    (b"[train", "bad.toml: "),
    (b"a = 1\na = 2", "bad.toml: "),
    (b"[train]\nlr = 1\nlr = 2", "bad.toml: damaged or not a recipe in TOML"),
    (b"[train]\nlr = 1\n[train]\nlr = 2", "bad.toml: damaged or not a recipe in TOML"),
    (b"\xff", "bad.toml is not UTF-8: byte 0xff"),
    (b"[train]\nmax_step = 3", r"unknown setting 'train.max_step' \(did you mean train.max_steps\?\)"),
    (b"[train.deep]\nx = 3", "unknown setting 'train.deep'"),
    (b"[[train]]\nx = 3", "unknown setting 'train'"),
    (b"[data]\ncorpus = 5", "data.corpus: got 5, expected text"),
    (b"[train]\nlr = 1979-05-27", "train.lr: got .*1979.*, expected a number"),
))
def test_files_that_are_no_recipe(tmp_path, content, message):
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "bad.toml")


# ------------------------------------------------------------------------------------------------ every numeric setting

ANY_SIZE = {"lr", "muon_lr", "weight_decay", "clip", "minutes", "expected_loss", "init_std", "eps", "norm_eps", "l1",
            "l2", "k",
            # finite numbers without an upper bound
            "backoff", "smoothing", "temperature", "rotate", "mix_up",
            "rope_theta", "rope_factor", "rope_low", "rope_high", "noise_multiplier", "max_grad_norm",
            "target_epsilon"}


@pytest.mark.parametrize("architecture", trainable())
@pytest.mark.parametrize("text", ("nan", "inf", "-inf", "-1", "x", "true", "[]", "2.5"))
def test_every_number_of_a_recipe_has_its_range(tmp_path, architecture, text):
    path = tmp_path / "recipe.toml"
    path.write_text(f'[model]\narchitecture = "{architecture}"\n')
    recipe = load_recipe(path)
    for key, kind in _fields(recipe).items():
        if architecture != "gpt" and not key.startswith(("model.", "data.")):              # these are the same for all
            continue
        if key == "privacy.target_epsilon" and text == "inf":                                  # no target
            continue
        if kind not in (int, float) or text == "2.5" and key.rpartition(".")[2] in ANY_SIZE and kind is float:
            continue
        with pytest.raises(RecipeError, match=rf"^{key}(:| is) .*expected") as caught:
            load_recipe(path, [f"{key}={text}"])
            pytest.fail(f"{key}={text} was accepted")
        assert "Error" not in str(caught.value)
