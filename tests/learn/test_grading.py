"""What is said of answers that are no answers: each gets a sentence that helps."""

from __future__ import annotations

import _thread
import signal
import threading
import time

import numpy as np
import pytest

from tinyformer.learn import EXERCISES, grade
from tinyformer.sandbox.messages import explain, learners_frame

MSE, SOFTMAX, LSTM, ADAM = (EXERCISES[name] for name in ("mse", "softmax", "lstm_cell", "adam"))


def mse_with(vjp):
    """The mean squared error with another vjp, which gets dL, x and target."""
    def mse(x, target):
        return np.mean((x - target) ** 2), lambda dL: vjp(dL, x, target)
    return mse


def right(dL, x, target):
    dx = 2 * (x - target) * dL / x.size
    return dx, -dx


def of_value(value):
    """The mean squared error with something else as its value."""
    return lambda x, target: (value(x, target), lambda dL: right(dL, x, target))


def raises(dL, x, target):
    return x @ np.ones((2, 2)), 0


def random_value(x, target):
    return np.mean((x - target) ** 2) + np.random.random(), lambda dL: right(dL, x, target)


def changes_input(x, target):
    x -= target
    return np.mean(x ** 2), lambda dL: (2 * x * dL / x.size, -2 * x * dL / x.size)


def changes_cotangent(dL, x, target):
    dL *= 2
    return right(dL / 2, x, target)


@pytest.mark.parametrize("function, code, message", (
    (mse_with(lambda dL, x, t: right(dL, x, t)[0]), "returns",
     "vjp returned 1 gradient (an array of shape (5, 3)), expected 2 arrays, one for each of x, target"),
    (mse_with(lambda dL, x, t: right(dL, x, t)[:1]), "returns", "vjp returned 1 gradient"),
    (mse_with(lambda dL, x, t: (*right(dL, x, t), x)), "returns", "vjp returned 3 gradients"),
    (mse_with(lambda dL, x, t: None), "returns",
     "vjp returned None, expected 2 arrays, one for each of x, target: is the return statement missing?"),
    (mse_with(lambda dL, x, t: {"x": x, "target": t}), "returns",
     "vjp returned a dict, expected 2 arrays, one for each of x, target, in this order: return dx, dtarget"),
    (mse_with(lambda dL, x, t: [g.tolist() for g in right(dL, x, t)]), "returns",
     "a list of numbers, expected 2 arrays"),
    (mse_with(lambda dL, x, t: right(dL, x, t)[0].ravel().tolist()), "returns", "a list of numbers"),
    (mse_with(lambda dL, x, t: "dx"), "returns", "vjp returned a str, expected 2 arrays"),
    (mse_with(lambda dL, x, t: ("dx", "dt")), "returns", "the gradient of x is a str, expected an array"),
    (mse_with(lambda dL, x, t: (right(dL, x, t)[0], None)), "missing", "None for target"),
    (mse_with(lambda dL, x, t: tuple(g.astype(np.float32) for g in right(dL, x, t))), "float32",
     "the gradient of x is float32, but the inputs are float64"),
    (mse_with(lambda dL, x, t: tuple(g.astype(int) for g in right(dL, x, t))), "dtype",
     "the gradient of x has the type int64"),
    (mse_with(lambda dL, x, t: (0, 0)), "dtype", "the gradient of x has the type int64"),
    (mse_with(lambda dL, x, t: tuple(np.random.random() * g for g in right(dL, x, t))), "nondeterministic|stale",
     "second|random"),
    (mse_with(lambda dL, x, t: (np.log(-np.abs(x)), t)), "nonfinite", "the gradient of x is nan"),
    (mse_with(changes_cotangent), "mutates", "vjp changes the upstream gradient in place"),
    (mse_with(raises), "error", "ValueError: matmul: "),
    (mse_with(lambda dL, x, t: 1 / 0), "error", "ZeroDivisionError: division by zero"),
    (changes_input, "mutates", "your function changes its input x in place"),
    (random_value, "nondeterministic", "two calls with the same inputs return different values"),
    (of_value(lambda x, t: np.float32(np.mean((x - t) ** 2))), "float32",
     "the value is float32, but the inputs are float64"),
    (of_value(lambda x, t: int(np.mean((x - t) ** 2))), "dtype|forward", "the value has the type int64"),
    (of_value(lambda x, t: (x - t) ** 2), "forward", "the value has shape (5, 3), expected ()"),
    (of_value(lambda x, t: np.mean((x - t) ** 2) + 1), "forward", "the value is wrong: "),
    (of_value(lambda x, t: np.nan), "forward", "the value is wrong: nan, expected"),
    (of_value(lambda x, t: None), "returns", "the value is None, expected an array of shape ()"),
    (of_value(lambda x, t: [1.0]), "returns",
     "the value is a list, expected an array of shape (): return a NumPy array"),
    (of_value(lambda x, t: np.array("a")), "returns", "expected numbers"),
    (lambda x, target: np.mean((x - target) ** 2), "returns",
     "mse returned a float64, expected (value, vjp): a value and a function"),
    (lambda x, target: None, "returns", "mse returned None, expected (value, vjp)"),
    (lambda x: x, "signature", "your function is mse(x), expected mse(x, target)"),
    (lambda x, target, more: x, "signature", "your function is mse(x, target, more), expected mse(x, target)"),
    (lambda x, target: exit(), "error", "your code leaves Python (exit); a function must return instead"),
    (lambda x, target: (_ for _ in ()).throw(KeyError("lost")), "error", "KeyError: 'lost'"),
    (3, "name", "mse is an int, expected a function: def mse(x, target)"),
    (None, "name", "mse is None, expected a function"),
))
def test_bad_answers(function, code, message):
    verdict = grade(MSE, function)
    assert not verdict.ok
    assert verdict.code in code.split("|"), verdict
    assert any(part in verdict.message for part in message.split("|")), verdict.message
    assert "Traceback" not in verdict.message and "grading" not in verdict.message


def test_other_names_of_parameters_and_a_list_of_arrays_are_taken():
    def loss(prediction, truth):
        return np.mean((prediction - truth) ** 2), lambda dL: list(right(dL, prediction, truth))
    assert grade(MSE, loss).ok


def test_a_single_gradient_may_come_alone_or_in_a_tuple():
    def softmax(x):
        p, vjp = SOFTMAX.function(x)
        return p, lambda dp: (vjp(dp),)
    assert grade(SOFTMAX, softmax).ok


CROSS_ENTROPY = EXERCISES["cross_entropy"]


@pytest.mark.parametrize("full", (lambda d: (d, None), lambda d: [d, None], lambda d: (d, 0), lambda d: d))
def test_a_gradient_for_each_input_or_for_the_float_inputs_only(full):
    def cross_entropy(logits, targets):
        value, vjp = CROSS_ENTROPY.function(logits, targets)
        return value, lambda dL: full(vjp(dL))
    verdict = grade(CROSS_ENTROPY, cross_entropy)
    assert verdict.ok, verdict.message


def test_mistakes_are_named_in_either_form():
    for wrong in CROSS_ENTROPY.wrong:
        def cross_entropy(logits, targets, function=CROSS_ENTROPY.build(wrong)):
            value, vjp = function(logits, targets)
            return value, lambda dL: (vjp(dL), None)
        verdict = grade(CROSS_ENTROPY, cross_entropy)
        assert not verdict.ok and verdict.mistake == wrong.name


def test_the_error_is_on_the_learners_line_and_gives_the_shapes():
    def mse(x, target):
        return np.mean((x - target) ** 2), lambda dL: x @ target        # the line that it must name
    message = grade(MSE, mse).message
    assert "the line that it must name" in message
    assert "where x is (5, 3), target is (5, 3)" in message


def test_an_endless_loop_ends():
    def mse(x, target):
        while True:
            x = x + 1                                                   # here
    verdict = grade(MSE, mse, limit=0.3)
    assert verdict.code == "time"
    assert "still running after 0.3 seconds: is there an endless loop?" in verdict.message
    assert "# here" in verdict.message or "while True:" in verdict.message


def test_an_endless_loop_in_vjp_ends():
    def endless(dL, x, target):
        while True:
            pass
    assert grade(MSE, mse_with(endless), limit=0.3).code == "time"


def test_ctrl_c_is_not_taken_for_the_time_limit():
    def mse(x, target):
        _thread.interrupt_main()
        while True:
            time.sleep(0.01)
    with pytest.raises(KeyboardInterrupt):
        grade(MSE, mse)


def test_outside_the_main_thread_it_works_too():
    def endless(x, target):
        while True:
            pass
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.extend([grade(MSE, MSE.function),
                                                              grade(MSE, endless, limit=0.3)]))
    thread.start()
    thread.join()
    assert verdicts[0].ok and verdicts[1].code == "time"


def test_the_time_limit_needs_no_ctrl_c():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert grade(MSE, mse_with(lambda dL, x, target: time.sleep(5)), limit=0.3).code == "time"
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("error", (KeyboardInterrupt("mine"), GeneratorExit(), type("Odd", (BaseException,), {})()))
def test_errors_that_are_no_exceptions(error):
    def mse(x, target):
        raise error
    assert type(error).__name__ in grade(MSE, mse).message


def test_what_is_printed_is_kept_once(capsys):
    def mse(x, target):
        print("shape", x.shape)
        return MSE.function(x, target)
    verdict = grade(MSE, mse)
    assert verdict.ok
    assert set(verdict.printed.splitlines()) == {"shape (5, 3)"} and verdict.printed.count("\n") <= 2
    assert capsys.readouterr().out == ""


def test_two_values():
    def lstm_cell(gates, c):
        return LSTM.function(gates, c)[0][0], lambda dys: None
    assert "the value is an array of shape (5, 3), expected 2 arrays" in grade(LSTM, lstm_cell).message

    def other(gates, c):
        (h, new), vjp = LSTM.function(gates, c)
        return (h, 2 * new), vjp
    assert "value 2 of 2 is wrong" in grade(LSTM, other).message


def test_a_function_without_vjp():
    def adam(*arguments):
        param, m, v = ADAM.function(*arguments)
        return param, m, np.abs(v) + 1
    assert "The new v is wrong" in grade(ADAM, adam).message
    assert grade(ADAM, lambda *a: ADAM.function(*a)[0]).code == "returns"


def test_where_only_the_shapes_fail_the_second_round_names_it():
    def linear(x, weight, bias):
        def vjp(dy):
            return dy @ weight.T, dy.T @ x, dy.sum(axis=0)
        return x @ weight.T + bias, vjp
    verdict = grade(EXERCISES["linear"], linear)
    assert verdict.state == "wrong" and "operand" in verdict.codes
    assert "where dy is (5, 7), weight is (7, 3)" in verdict.message
    assert "With all sizes equal, the function runs:" in verdict.message
    assert verdict.mistake == "Wᵀ in place of W"


def test_predictions():
    assert grade(MSE, MSE.function, 1).predicted is True
    assert grade(MSE, MSE.function, -1).predicted is False
    assert grade(MSE, MSE.function).predicted is None
    shape = EXERCISES["linear_weight"]
    assert shape.predicted((7, 3)) and shape.predicted([7, 3])
    assert shape.predicted((3, 7)) is False and shape.predicted(21) is False


def test_syntax_errors_show_the_line():
    with pytest.raises(SyntaxError) as caught:
        compile("def f(x):\n    return (x\n", "learner.py", "exec")
    text = explain(caught.value)
    assert text.startswith("line 2: SyntaxError: ") and "return (x" in text and text.splitlines()[-1].strip() == "^"
    assert learners_frame(None) is None


def test_what_is_right_for_some_sizes_only_is_refused():
    def forward(x, target):
        return np.sum((x - target) ** 2) / 15, lambda dL: right(dL, x, target)
    verdict = grade(MSE, forward)
    assert verdict.code == "forward"

    def backward(dL, x, target):
        if x.shape[0] == x.shape[1]:
            raise NotImplementedError
        return right(dL, x, target)
    assert grade(MSE, mse_with(backward)).state == "not attempted"
