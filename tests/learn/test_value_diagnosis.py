"""Wrong values of exercises without a vjp: which mistake, or which two, give the learner's numbers."""

import numpy as np
import pytest

from tinyformer.learn import EXERCISES, grade
from tinyformer.learn.advice import ADVICE


def adam(eps=1e-8, inside=False, correct=(True, True), square=True, root=True, sign=-1, swap=False):
    """Adam with mistakes, written in another way than the solution."""
    beta1, beta2 = 0.9, 0.999

    def step_of(param, grad, m, v, step, lr):
        m = m + (1 - beta1) * (grad - m)
        v = v + (1 - beta2) * ((grad * grad if square else grad) - v)
        first = m / (1 - beta1 ** step) if correct[0] else m
        second = v / (1 - beta2 ** step) if correct[1] else v
        if swap:
            first, second = second, first
        below = np.sqrt(second + eps) if inside else (np.sqrt(second) if root else second) + eps
        return param + sign * lr * (first / below), m, v

    return step_of


def adamw(decay):
    def step_of(param, grad, m, v, step, lr, weight_decay):
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad * grad
        change = lr * (m / (1 - 0.9 ** step)) / (np.sqrt(v / (1 - 0.999 ** step)) + 1e-8)
        return decay(param, change, lr, weight_decay), m, v

    return step_of


MISTAKES = {
    "no bias correction": ("adam", adam(correct=(False, False)), "bias-correction"),
    "no bias correction of m": ("adam", adam(correct=(False, True)), "bias-correction"),
    "no bias correction of v": ("adam", adam(correct=(True, False)), "bias-correction"),
    "a large ε inside the root": ("adam", adam(eps=1e-4, inside=True), "epsilon"),
    "the averages swapped": ("adam", adam(swap=True), "moments"),
    "no square": ("adam", adam(square=False), "moments"),
    "no root": ("adam", adam(root=False), "moments"),
    "uphill": ("adam", adam(sign=1), "formula"),
    "no decay": ("adamw", adamw(lambda p, change, lr, decay: p - change), "weight-decay"),
    "decay without lr": ("adamw", adamw(lambda p, change, lr, decay: (1 - decay) * p - change), "weight-decay"),
    "growth": ("adamw", adamw(lambda p, change, lr, decay: (1 + lr * decay) * p - change), "weight-decay"),
    "decay of the new weights": ("adamw", adamw(lambda p, change, lr, decay: (p - change) * (1 - lr * decay)),
                                 "weight-decay"),
    "two mistakes": ("adam", adam(correct=(False, False), square=False), "bias-correction"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_is_named(name):
    exercise, function, code = MISTAKES[name]
    verdict = grade(EXERCISES[exercise], function)
    assert verdict.code in code.split("/") and verdict.codes[0] == verdict.code, verdict.message
    assert verdict.message.startswith("The new ") and ("give" in verdict.message or "line" in verdict.message)
    assert verdict.hint


def test_two_mistakes_are_both_said():
    verdict = grade(EXERCISES["adam"], MISTAKES["two mistakes"][1])
    assert "Two mistakes together give your numbers: no bias correction and the gradient not squared" in verdict.message
    assert verdict.codes == ("bias-correction", "moments")


def test_the_outputs_that_are_right_are_said():
    verdict = grade(EXERCISES["adam"], adam(correct=(False, False)))
    assert "The new m and the new v are right." in verdict.message


def test_a_missing_term_is_measured():
    verdict = grade(EXERCISES["adamw"], adamw(lambda p, change, lr, decay: p - 3 * lr * decay * p - change))
    assert (verdict.code, verdict.mistake) == ("forward", "")
    assert "differs from the right one by -0.1 times param" in verdict.message and verdict.hint == ADVICE["forward"]


def test_a_factor_is_measured():
    exercise = EXERCISES["sgd_momentum"]
    verdict = grade(exercise, lambda param, grad, velocity, lr, momentum: tuple(
        7 * one for one in exercise.function(param, grad, velocity, lr, momentum)))
    assert "The new param is 7 times the right one." in verdict.message


def test_an_answer_of_another_kind_says_where_it_is_wrong():
    verdict = grade(EXERCISES["adam"], lambda param, grad, m, v, step, lr: (np.sin(param), m, v))
    assert verdict.code == "forward" and verdict.message.startswith("The new param is wrong: ")


def test_a_right_answer_in_other_words_passes():
    assert grade(EXERCISES["adam"], adam()).ok


def test_a_value_that_is_wrong_only_for_equal_sizes():
    def rollout(weights):
        _, H, T, _ = weights.shape
        return EXERCISES["rollout"].function(weights) * (3 if H == T else 1)
    message = grade(EXERCISES["rollout"], rollout).message
    assert message.startswith("The value is wrong: ") and "nan" not in message
    assert "The value is 3 times the right one." in message


def test_random_values_are_named():
    verdict = grade(EXERCISES["rollout"], lambda weights: EXERCISES["rollout"].function(weights) + np.random.random())
    assert verdict.code == "nondeterministic"


def test_outputs_have_their_names():
    def mix_up(x, y, weight, order, n_classes):
        mixed, targets = EXERCISES["mix_up"].function(x, y, weight, order, n_classes)
        return mixed, np.sin(targets)
    message = grade(EXERCISES["mix_up"], mix_up).message
    assert message.startswith("The output targets is wrong: ") and "The output mixed is right." in message


def test_a_text_is_compared_as_a_text():
    exercise = EXERCISES["sse_events"]

    def upper(pieces):
        return exercise.function(pieces).replace(b"data", b"DATA")

    verdict = grade(exercise, upper)
    assert verdict.message.startswith("From byte 0 on, the text has b'DATA: ")
    assert "expected b'data: " in verdict.message
    lost = grade(exercise, lambda pieces: exercise.function(pieces)[:-1])
    assert "the text has its end" in lost.message and r"expected b'\n'" in lost.message
    not_bytes = grade(exercise, lambda pieces: exercise.function(pieces).decode())
    assert not_bytes.code == "returns" and "expected bytes" in not_bytes.message
    case = grade(exercise, lambda p: exercise.function(p) if p else b"data")
    assert "with no pieces, from byte 4 on, after" in case.message


def test_a_graph_that_names_no_array_is_explained():
    def graph(run, W, b):
        return run([("Add", ["x", "c"], "y", {})], {})

    verdict = grade(EXERCISES["softmax_graph"], graph)
    assert verdict.code == "error" and "Add reads 'c'" in verdict.message
