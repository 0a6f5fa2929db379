"""``fit``: against the same steps written out, early stopping, resuming to the same bits, and its errors."""

import signal

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, optim
from tinyformer.data import Batches
from tinyformer.train import Interrupted, fit

RNG = np.random.default_rng(5)
X = RNG.standard_normal((20, 3)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(np.int64)


class Network(nn.Module):
    """Two layers, with dropout, so that a training draws random numbers of its own."""

    def __init__(self, dropout=0.2):
        self.hidden, self.drop, self.out = nn.Linear(3, 8), nn.Dropout(dropout), nn.Linear(8, 2)

    def forward(self, x):
        return self.out(self.drop(nn.functional.relu(self.hidden(x))))


class WithLoss(Network):
    def loss(self, x, y):
        return nn.functional.cross_entropy(self(x), y)


def run(max_steps=12, model=None, batches=None, lr=0.05, loss=nn.functional.cross_entropy, **options):
    """(model, history) of a short training from seed 0, of a model that starts from fixed weights."""
    model = model or Network()
    tfm.seed(0)
    for p in model.parameters():
        p.data[...] = tfm.rng.generator().uniform(-0.5, 0.5, p.shape)
    optimizer = optim.AdamW(model.parameters(), lr=lr)
    schedule = optim.CosineSchedule(optimizer, 2, 12)
    return model, fit(model, batches or Batches(X, Y, size=6), optimizer, loss=loss, max_steps=max_steps,
                      schedule=schedule,
                      **options)


def equal(one, other):
    return all(np.array_equal(p.data, q.data) for p, q in zip(one.parameters(), other.parameters()))


# ------------------------------------------------------------------------------------------------ what it computes

def test_steps_written_out():
    model, history = run(max_steps=6, clip=0.5, accumulate=2)
    other = run(1, lr=0.0)[0]
    tfm.seed(0)
    for p in other.parameters():
        tfm.rng.generator().uniform(-0.5, 0.5, p.shape)
    optimizer = optim.AdamW(other.parameters(), lr=0.05)
    schedule = optim.CosineSchedule(optimizer, 2, 12)
    batches = (batch for _ in range(3) for batch in Batches(X, Y, size=6))
    for record in history.records:
        losses = []
        for _ in range(2):
            x, y = next(batches)
            losses.append(nn.functional.cross_entropy(other(x), y))
            (losses[-1] * 0.5).backward()
        assert record["train_loss"] == pytest.approx(np.mean([loss.item() for loss in losses]))
        assert record["lr"] == schedule.lr
        assert record["grad_norm"] == pytest.approx(optim.clip_grad_norm_(other.parameters(), 0.5))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    assert equal(model, other)


@pytest.mark.parametrize("batches", (
    [(X, Y)], lambda: (X, Y), lambda: iter([(X, Y)]), (batch for batch in [(X, Y)] * 9)),
    ids=("list", "one", "iterators", "generator"))
def test_forms_of_batches_are_equal(batches):
    assert equal(run(5, batches=batches)[0], run(5, batches=[(X, Y)])[0])


def test_the_models_own_loss_is_the_default():
    assert equal(run(5, WithLoss(), loss=None)[0], run(5)[0])


def test_a_function_of_a_batch_trains_the_optimizers_tensors():
    w = tfm.tensor(np.zeros(3), requires_grad=True)
    target = X.astype(float) @ [1.0, -2.0, 3.0]
    history = fit(lambda x, t: ((x @ w - t) ** 2).mean(), [(tfm.tensor(X.astype(float)), target)],
                  optim.SGD([w], lr=0.1),
                  max_steps=300, show_progress=False)
    np.testing.assert_allclose(w.data, [1, -2, 3], atol=1e-4)
    assert history.records[0]["train_loss"] == pytest.approx((target ** 2).mean(), rel=1e-6)


@pytest.mark.parametrize("options, steps, measured", (
    ({"epochs": 3}, 12, [4, 8, 12]), ({}, 4, [4]), ({"epochs": 3, "accumulate": 2}, 6, [2, 4, 6]),
    ({"max_steps": 7, "eval_every": 3}, 7, [3, 6, 7])))
def test_epochs_and_evaluations(options, steps, measured):
    model = Network()
    history = fit(model, Batches(X, Y, size=6), optim.SGD(model.parameters(), lr=0.1), loss=nn.functional.cross_entropy,
                  validation=[(X, Y)], **options)
    assert (len(history.records), history["val_loss"][0].tolist()) == (steps, measured)


def test_validation_is_the_mean_over_examples_in_evaluation_mode():
    model, history = run(12, validation=Batches(X, Y, size=7, shuffle=False))           # 7, 7 and 6 rows
    with nn.evaluating(model):
        expected = nn.functional.cross_entropy(model(X), Y).item()
    assert history["val_loss"][1][-1] == pytest.approx(expected, rel=1e-5)
    assert model.training


def test_a_validation_function_adds_figures():
    model, modes = Network(), []

    def validate():
        modes.append(model.training)
        return {"val_loss": 2.0, "accuracy": np.float64(0.5)}

    history = run(12, model, validation=validate, eval_every=6)[1]
    assert history["accuracy"][1].tolist() == [0.5, 0.5] and modes == [False, False]
    with pytest.raises(KeyError, match="'recall' was never measured; expected one of step, train_loss, lr"):
        history["recall"]


def test_a_plateau_lowers_the_rate():
    tfm.seed(0)
    model = Network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    history = fit(model, Batches(X, Y, size=6), optimizer, loss=nn.functional.cross_entropy, max_steps=8, eval_every=2,
                  validation=lambda: 1.0, schedule=optim.ReduceOnPlateau(optimizer, factor=0.5, patience=0))
    assert history["lr"][1].tolist() == pytest.approx([0.1] * 4 + [0.05] * 2 + [0.025] * 2)


# ------------------------------------------------------------------------------------------------ early stopping,
# checkpoints

def test_early_stopping_restores_the_best_weights():
    model, costs, weights = Network(), iter([3.0, 1.0, 2.0, 4.0, 0.0]), []

    def validate():
        weights.append(model.out.weight.data.copy())
        return next(costs)

    history = run(12, model, validation=validate, eval_every=2, patience=2)[1]
    assert (len(history.records), history.best, history.stopped_early) == (8, (4, 1.0), True)
    np.testing.assert_array_equal(model.out.weight.data, weights[1])
    assert "8 steps" in repr(history) and "best validation loss 1.0000 at step 4, stopped early" in repr(history)


@pytest.mark.parametrize("batches", (lambda: Batches(X, Y, size=6), lambda: lambda: draw()), ids=("epochs", "function"))
@pytest.mark.parametrize("stop", (4, 5))                                        # at the end of an epoch, and within one
def test_resumed_to_the_same_bits(tmp_path, batches, stop):
    options = {"validation": [(X, Y)], "eval_every": 3, "patience": 9}
    whole, expected = run(12, batches=batches(), **options)
    file = tmp_path / "a.safetensors"
    run(stop, batches=batches(), checkpoint=file, **options)
    model, history = run(12, batches=batches(), checkpoint=file, resume=True, **options)
    assert equal(model, whole)

    def timeless(records):
        return [{key: value for key, value in record.items() if key not in ("examples_per_s", "val_loss")}
                for record in records]

    assert timeless(history.records) == timeless(expected.records)
    assert not list(tmp_path.glob(".*"))


def draw():
    chosen = tfm.rng.generator().integers(0, 20, 6)
    return X[chosen], Y[chosen]


def test_a_finished_training_resumed_gives_its_best_model(tmp_path):
    options = {"validation": lambda: next(costs), "eval_every": 2, "patience": 2,
               "checkpoint": tmp_path / "a.safetensors"}
    costs = iter([3.0, 1.0, 2.0, 4.0])
    whole, history = run(12, **options)
    again, resumed = run(12, resume=True, **options)
    assert equal(whole, again) and resumed.best == history.best and resumed.stopped_early
    assert len(resumed.records) == 8


def test_ctrl_c_saves_and_says_how_to_continue(tmp_path):
    file, calls = tmp_path / "a.safetensors", []

    def batches():
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return X, Y

    with pytest.raises(Interrupted, match=r"stopped at step 3, saved in .*a.safetensors; resume=True continues"):
        run(12, batches=batches, checkpoint=file)
    whole, _ = run(12, batches=[(X, Y)])
    resumed, history = run(12, batches=[(X, Y)], checkpoint=file, resume=True)
    assert len(history.records) == 12 and equal(resumed, whole)


def test_a_checkpoint_that_does_not_fit(tmp_path):
    file = tmp_path / "a.safetensors"
    run(2, checkpoint=file)
    with pytest.raises(ValueError,
                       match=r"fit: cannot resume from .*a.safetensors: .*out.weight.*; continue with the model"):
        run(4, nn.Sequential(nn.Linear(3, 2)), checkpoint=file, resume=True)
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"fit: cannot resume from .*a.safetensors.*damaged"):
        run(4, checkpoint=file, resume=True)


# ------------------------------------------------------------------------------------------------ what is seen

def test_the_curve(tmp_path):
    history = run(12, validation=[(X, Y)])[1]
    history.draw(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG") and history._repr_png_().startswith(b"\x89PNG")


def test_plain_lines_or_nothing(capsys, monkeypatch):
    monkeypatch.setattr("tinyformer.train.progress.Timed.every", 0.0)
    run(2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("step 2/2  train 0.") and "examples/s" in lines[1]
    run(2, show_progress=False)
    assert capsys.readouterr().out == ""


# ------------------------------------------------------------------------------------------------ errors

@pytest.mark.parametrize("batches, message", (
    ([], "batches is empty"), (lambda: iter(()), "batches is empty"),
    ((batch for batch in [(X, Y)] * 3), "batches ended after 3; a generator can be read only once"),
    (X, "batches is the data itself, expected batches of the data, such as data.Batches"),
    ((X, Y), "batches is the data itself"),
    (7, "batches is a int, expected an iterable")))
def test_batches_that_cannot_be_used(batches, message):
    model = Network()
    with pytest.raises((ValueError, TypeError), match=f"fit: {message}"):
        fit(model, batches, optim.SGD(model.parameters(), lr=0.1), loss=nn.functional.cross_entropy, max_steps=5)


@pytest.mark.parametrize("loss, message", (
    (lambda output, y: output, r"the loss has shape \(6, 2\), expected a single number; take the mean"),
    (lambda output, y: 1.5, "the loss is a float, expected a Tensor"),
    (lambda output, y: tfm.tensor(output.data.mean()), "the loss does not depend on any parameter"),
    (lambda output, y: output.mean() * np.float32(np.nan), "step 1: the loss is nan: ")))
def test_a_loss_that_cannot_be_used(loss, message):
    with pytest.raises((ValueError, TypeError, FloatingPointError), match=message):
        run(3, loss=loss)


def test_data_that_is_not_finite_is_named():
    x = X.copy()
    x[3] = np.nan
    with pytest.raises(FloatingPointError, match=r"step 1: the loss is nan: an input of shape \(20, 3\) holds a NaN"):
        run(3, batches=[(x, Y)])


@pytest.mark.parametrize("validation, message", (
    ([], "fit: validation has no batches"), (lambda: np.nan, "the validation loss is nan"),
    (lambda: {"loss": 1.0}, "a dictionary with val_loss"),
    ([(X * np.float32(np.inf), Y)], "the validation loss is nan")))
def test_a_validation_that_cannot_be_used(validation, message):
    with np.errstate(all="ignore"), pytest.raises((ValueError, FloatingPointError), match=message):
        run(3, validation=validation)


@pytest.mark.parametrize("data", (X, (X, Y)), ids=("array", "tuple"))
def test_validation_data_that_is_not_in_batches(data):
    with pytest.raises(TypeError, match="fit: validation is the data itself, expected batches of the data"):
        run(3, validation=data)


@pytest.mark.parametrize("loss, came", (
    ("cross_entropy", "'cross_entropy'"), (nn.CrossEntropyLoss, "CrossEntropyLoss"), (3, "3")))
def test_a_loss_that_is_no_function(loss, came):
    with pytest.raises(TypeError, match=rf"fit: loss is {came}, expected a function of \(output, target\)"):
        run(3, loss=loss)


def test_layers_in_a_plain_list_are_named():
    model = Network()
    model.blocks = [nn.Linear(3, 3)]
    with pytest.raises(ValueError, match="the attribute blocks holds layers"):
        fit(model, [(X, Y)], optim.SGD([model.out.weight], lr=0.1), loss=nn.functional.cross_entropy, epochs=1)


def test_models_and_optimizers_that_do_not_belong_together():
    model = Network()
    with pytest.raises(ValueError, match="the optimizer has none of the model's parameters"):
        fit(model, [(X, Y)], optim.SGD(Network().parameters(), lr=0.1), loss=nn.functional.cross_entropy)
    with pytest.raises(TypeError, match="optimizer is a float, expected one such as"):
        fit(model, [(X, Y)], 0.1, loss=nn.functional.cross_entropy)
    with pytest.raises(TypeError, match="fit: model is a int, expected a Module"):
        fit(3, [(X, Y)], optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TypeError, match="fit: model is the class Network, expected a Module"):
        fit(Network, [(X, Y)], optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TypeError, match="fit: schedule is CosineSchedule, expected one such as optim.CosineS"):
        fit(model, [(X, Y)], optim.SGD(model.parameters(), lr=0.1), loss=nn.functional.cross_entropy,
            schedule=optim.CosineSchedule)
    with pytest.raises(TypeError, match="Network has no method loss; write one, or give loss"):
        run(3, loss=None)


def test_a_checkpoint_that_is_a_folder_is_refused_before_the_training(tmp_path):
    with pytest.raises(IsADirectoryError, match="fit: checkpoint is the folder .*, expected a file in it"):
        run(3, checkpoint=tmp_path, batches=lambda: pytest.fail("trained"))


@pytest.mark.parametrize("options, message", (
    ({"epochs": 2}, "got epochs and max_steps"), ({"patience": 2}, "patience needs validation"),
    ({"resume": True}, "resume needs checkpoint"),
    ({"accumulate": 0}, "accumulate is 0, expected an integer of at least 1"), ({"clip": -1.0}, "clip is -1.0"),
    ({"max_steps": None, "batches": lambda: (X, Y)}, "has no length")))
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=f"fit: .*{message}"):
        run(**options)


@pytest.mark.parametrize("name, value", (("eval_every", 1.5), ("accumulate", True), ("clip", "1")))
def test_options_that_are_no_numbers(name, value):
    with pytest.raises(TypeError, match=f"fit: {name} is {value!r}, expected an? "):
        run(**{name: value})
