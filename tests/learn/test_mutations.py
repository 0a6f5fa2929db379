"""One change to a solution at a time: ``learn check`` refuses each, or the mutant computes the same and is listed with
the reason."""

from __future__ import annotations

import pytest

from tinyformer.gradcheck.doctor import Doctor
from tinyformer.learn import EXERCISES, grade, grading
from tinyformer.learn.mutations import mutants

ONES = "every entry of the array is written before anything reads the array"
UNSCALED = \
    "subtracting another number of the row changes nothing until a term overflows, and p then is 0 and ln p infinite"
SWAP = "swapaxes(a, b) is swapaxes(b, a)"
STACK = "NumPy makes the same array of a list of arrays"
AXES = "a sum over several axes does not depend on their order"
COLUMN = "(N,) broadcasts as a row, which is what a number for each column is"
ROW = "the array has one row"
# exercise: {end of the name of the mutant: why it is equivalent}
EQUIVALENT = {
    "clip_per_example": {"(1, 2) → (2, 1)": "a sum over two axes, in either order"},
    "broadcast_add": {"dz.copy() → dz": "the vjp does not write into dz"},
    "matmul": {".swapaxes(-2, -1)": SWAP},
    "grouped_scores": {"swapaxes(2, 1)": SWAP},
    "kneser_ney": {"counts != 0": "counts are not negative"},
    "rnn": {"np.zeros_like(x) → np.ones_like(x)": ONES},
    "masked_rnn": {"np.zeros_like(x) → np.ones_like(x)": ONES, "np.stack(h[1:]) → h[1:]": STACK},
    "gru": {"np.zeros_like(x) → np.ones_like(x)": ONES},
    "bidirectional": {"T - 1 → -1": "index -1 - t is T - 1 - t", "np.stack(f[1:]) → f[1:]": STACK,
                      "np.stack(b[:0:-1]) → b[:0:-1]": STACK,
                      "(np.zeros_like(x), np.zeros_like(V), np.zeros_like(U))": "U and V have the same shape"},
    "conv2d": {"np.zeros_like(weight) → np.ones_like(weight)": ONES, "(0, 2, 3) → (2, 0, 3)": AXES,
               "(0, 2, 3) → (0, 3, 2)": AXES},
    "group_norm": {"(0, 2) → (2, 0)": AXES},
    "qk_norm": {"(0, 1) → (1, 0)": AXES},
    "hmm_step": {"top[:, 0] + np.log(total) + log_b: 0 → -1": "top has size 1 along this axis"},
    "smoothed_cross_entropy": {"logits.min(axis=1, keepdims=True)": UNSCALED,
                               "logits.mean(axis=1, keepdims=True)": UNSCALED,
                               "logp.mean(axis=1) → logp.mean()":
                                   "the mean over rows of equal length is the mean over all"},
    "reparametrize": {"dz.copy() → dz": "nothing writes into dz"},
    "gan_generator": {"-np.zeros_like(w))": "−0 is 0"},
    "clipped_step": {"norm <= max_norm → norm < max_norm": "at equality the scale is 1 in both branches"},
    "precision_recall": {"(labels, found), 1): 1 → 2": "a common factor of the counts cancels in each share",
                         "total > 0 → total != 0": "total is not negative",
                         "np.where(total > 0, total, 1): 1 → 2": "the numerator is 0 there"},
    "sinusoidal": {"0::2 → ::2": "a slice starts at 0", "np.zeros((T, C)) → np.ones((T, C))": ONES},
    "cached_attention": {"scores.max(keepdims=True)": ROW, "scores.max(axis=1)": ROW, "True → False": ROW,
                         "e.sum(keepdims=True)": ROW, "e.sum(axis=1)": ROW},
    "lstm": {"np.zeros_like(x) → np.ones_like(x)": ONES,
             "(np.zeros_like(c0), np.zeros_like(h0))": "h0 and c0 have the same shape"},
    "log_sum_exp": {"np.zeros(len(s)) → np.ones(len(s))": "the first factor exp(-inf) makes the initial sum 0",
                    "np.zeros(len(s)) → len(s)": "the first factor exp(-inf) makes the initial sum 0"},
    "saliency": {"1 - h ** 2 → h ** 2 - 1": "the absolute value hides the sign"},
    "rollout": {"T = weights.shape[-1]: 1 → 2": "the last two axes have the same size"},
    "clip_loss": {"S.max(axis=0, keepdims=True) → S.max(axis=0)": COLUMN,
                  "C = columns / columns.sum(axis=0, keepdims=True): True → False": COLUMN,
                  "columns = np.exp(S - S.max(axis=0, keepdims=True)): True → False": COLUMN,
                  "columns.sum(axis=0, keepdims=True) → columns.sum(axis=0)": COLUMN},
    "prototype": {"1 - np.eye(len(z)) → np.eye(len(z)) - 1": "the sum and the count both change their sign",
                  "z[:, None] - means → means - z[:, None]": "a square has no sign"},
    "group_rates": {"np.zeros((group.max() + 1, 2)) → np.ones((group.max() + 1, 2))": ONES,
                    "y == 1 → y >= 1": "labels are 0 and 1", "y == 0 → y <= 0": "labels are 0 and 1"},
    "swap_gap": {"gaps - mean → mean - gaps": "the difference is squared"},
    "reweigh": {"np.zeros(len(y)) → np.ones(len(y))": ONES},
    "softmax_graph": {"['product', 'b'] → ['b', 'product']": "a + b is b + a",
                      "np.array([1]) → [1]": "run makes an array of the constant"},
    "micro_batch": {"T - len(prompt) → -len(prompt)": "index -n is T - n"},
    "masked_cross_entropy": {"labels > -100": "labels other than -100 are not negative",
                             "np.where(asked, labels, 0): 0 → 1": "any word will do where none is asked",
                             "np.where(asked, labels, 0): 0 → -1": "any word will do where none is asked"},
}


@pytest.fixture(autouse=True)
def no_diagnosis(monkeypatch):
    """The verdict alone matters here, and the diagnosis takes most of the time."""
    monkeypatch.setattr(Doctor, "explain", lambda *_: [])
    monkeypatch.setattr(grading, "_named_mistake", lambda *_: None)


def survivors(exercise, several):
    for mutant in several:
        reasons = EQUIVALENT.get(exercise.name, {})
        if any(mutant.change.split(" (")[0].endswith(end) or mutant.change.endswith(end) for end in reasons):
            continue
        try:
            passed = grade(exercise, mutant.build(exercise.function), limit=30).ok
        # raised below the mutant: learn check reports it as a failure
        except Exception:
            passed = False
        if passed:
            yield mutant.change


every = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))


@every
def test_a_few_mutants_are_refused(exercise):
    several = mutants(exercise.function)
    assert not list(survivors(exercise, several[::max(1, len(several) // 3)]))


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_epsilon_has_its_place_and_its_size(name):
    exercise = EXERCISES[name]
    several = [m for m in mutants(exercise.function) if "1e-08" in m.change]
    assert len(several) >= 5 and not list(survivors(exercise, several))


@pytest.mark.slow
@every
def test_every_mutant_is_refused(exercise):
    assert not list(survivors(exercise, mutants(exercise.function)))
