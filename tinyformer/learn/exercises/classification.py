"""Classification: softmax, cross-entropy, the embedding table, dropout."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def _large(rng):
    """Rows on which the exponentials overflow, or all underflow, unless each row's own maximum is subtracted."""
    return np.array([[2000.0, 2001, 1999], [-2000, -2001, -1999], [2000, -2000, 0], [0.5, 0.5, 0.5]])


def softmax(x):
    """The softmax of each row.

        pᵢ = e^{xᵢ} / Σⱼ e^{xⱼ}

    x, p (N, C).    vjp(dp) returns dx.
    """
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)

    def vjp(dp):
        return p * (dp - (p * dp).sum(axis=1, keepdims=True))

    return p, vjp


SOFTMAX = Exercise(
    softmax, "03 Neural networks",
    cases={"entries of ±2000": lambda rng: (_large(rng),)},
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)),),
    question="What does each row of dx sum to, for every dp?",
    answer=lambda f: f(np.array([[0.3, -1.0, 2.0]]))[1](np.array([[1.0, -2.0, 0.5]])).sum(),
    hints=("Every pᵢ depends on every xⱼ of its row, through the sum in the denominator. ∂pᵢ/∂xⱼ = pᵢ (δᵢⱼ − pⱼ).",
           "Multiply by dpᵢ, sum over i, and factor out pⱼ. You need one sum for each row, with keepdims=True."),
    wrong=(
        WrongAnswer("softmax-diagonal", "only the diagonal of the Jacobian",
                    "p₂ depends on x₁ as well, because the row sums to 1.",
              {"p * (dp - (p * dp).sum(axis=1, keepdims=True))": "p * (1 - p) * dp"}),
        WrongAnswer("softmax-diagonal/missing-term", "the sum forgotten",
                    "This treats the sum in the denominator as a constant.",
              {"(dp - (p * dp).sum(axis=1, keepdims=True))": "dp"}),
        WrongAnswer("missing-term/local-derivative", "the sum without p", "In the sum, each dpⱼ has the factor pⱼ.",
              {"(p * dp).sum": "dp.sum"}),
        WrongAnswer("reduction", "the sum over the columns", "The softmax runs along a row, and so does this sum.",
              {"(p * dp).sum(axis=1, keepdims=True)": "(p * dp).sum(axis=0, keepdims=True)"}),
        WrongAnswer("local-derivative", "the leading factor p forgotten",
                    "The gradient of each entry is proportional to its own p.",
              {"p * (dp - (p": "(dp - (p"}),
        WrongAnswer("sign", "the wrong sign", "pᵢ increases with xᵢ.", {"return p * (dp - (p": "return -p * (dp - (p"}),
        WrongAnswer("reduction", "a mean in place of the sum", "The sum comes from Σⱼ pⱼ dpⱼ, with no 1/C.",
              {"(p * dp).sum": "(p * dp).mean"}),
        WrongAnswer("keepdims", "keepdims=True forgotten",
                    "NumPy broadcasts (N,) as a row, but each sum belongs to its own row.",
              {"(p * dp).sum(axis=1, keepdims=True)": "(p * dp).sum(axis=1)"}),
    ))


def cross_entropy(logits, targets):
    """Softmax and cross-entropy in one.

        L = −(1/N) Σₙ ln pₙ,ₜ₍ₙ₎,   p = softmax(logits) along the rows

    logits (N, V)    targets integers (N,)    L one number.    vjp(dL) returns dlogits.
    """
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    each = np.arange(len(targets))
    L = -np.mean(np.log(p[each, targets]))

    def vjp(dL):
        dlogits = p.copy()
        dlogits[each, targets] -= 1
        return dlogits * dL / len(targets)

    return L, vjp


CROSS_ENTROPY = Exercise(
    cross_entropy, "03 Neural networks",
    cases={"logits of ±2000": lambda rng: (_large(rng), np.array([1, 0, 0, 2])),
           "the same target in every row": lambda rng: (rng.normal(size=(3, 3)), np.array([1, 1, 1])),
           "one row": lambda rng: (rng.normal(size=(1, 4)), np.array([2]))},
    inputs=lambda rng, N=5, V=7: (rng.normal(size=(N, V)), rng.integers(V, size=N)),
    question="What does each row of dlogits sum to?",
    answer=lambda f: f(np.array([[0.3, -1.0, 2.0]]), np.array([1]))[1](1.0).sum(),
    hints=("ln p = logit − ln Σ e^{logits}: differentiate that, not the fraction.",
           "The first term gives 1 at the target; the second gives the softmax everywhere. "
           "Do not forget the minus sign and the mean."),
    wrong=(
        WrongAnswer("missing-term", "the target's 1 forgotten",
                    "At the target, a descent step must increase the logit.",
              {"        dlogits[each, targets] -= 1\n": ""}),
        WrongAnswer("factor", "not divided by N", "The loss is the mean over the rows.",
                    {" * dL / len(targets)": " * dL"}),
        WrongAnswer("factor", "divided by all entries", "The mean is over the N rows only, not over the V classes.",
              {"/ len(targets)": "/ p.size"}),
        WrongAnswer("sign", "one-hot minus p", "A logit that is too large must have a positive gradient.",
              {"dlogits * dL": "-dlogits * dL"}),
        WrongAnswer("missing-term/sign", "the 1 added", "The derivative of −logit is −1.", {"-= 1": "+= 1"}),
        WrongAnswer("upstream", "dL ignored", "The loss may be scaled afterward: multiply by dL.", {" * dL /": " /"}),
        WrongAnswer("leak", "the 1 taken from every row's column", "In row n, only the column targets[n] changes.",
              {"dlogits[each, targets] -= 1": "dlogits[:, targets] -= 1"}),
        WrongAnswer("leak", "the 1 taken from whole rows",
                    "A single index selects rows. An entry needs two indices: the row and the column.",
              {"dlogits[each, targets] -= 1": "dlogits[targets] -= 1"}),
        WrongAnswer("mutates", "p changed in place",
                    "A second backward pass would start from the changed p. Change a copy.",
              {"p.copy()": "p"}),
        WrongAnswer("local-derivative", "the derivative of the softmax applied twice",
                    "p − onehot already includes the derivative of the softmax.",
              {"return dlogits * dL": "return p * (1 - p) * dlogits * dL"}),
    ))


def smoothed_cross_entropy(logits, targets, smoothing):
    """Cross-entropy with smoothed labels.

    The target gets the weight 1 − ε, and all V classes share the weight ε:

        L = −mean over rows of Σᵥ tᵥ ln pᵥ,   p = softmax(logits),   t = (1 − ε) onehot(target) + ε / V

    logits (N, V)    targets integers (N,)    smoothing ε, a number    L one number.    vjp(dL) returns dlogits.
    """
    N, V = logits.shape
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    logp = np.log(p)
    L = -((1 - smoothing) * logp[np.arange(N), targets] + smoothing * logp.mean(axis=1)).mean()

    def vjp(dL):
        t = np.full_like(p, smoothing / V)
        t[np.arange(N), targets] += 1 - smoothing
        return (p - t) * dL / N

    return L, vjp


SMOOTHED_CROSS_ENTROPY = Exercise(
    smoothed_cross_entropy, "10 The Transformer",
    cases={"logits of ±2000": lambda rng: (_large(rng)[[0, 1, 3]], np.array([1, 0, 2]), 0.1),
           "the same target in every row": lambda rng: (rng.normal(size=(3, 3)), np.array([1, 1, 1]), 0.25),
           "no smoothing": lambda rng: (rng.normal(size=(3, 4)), np.array([3, 0, 3]), 0.0)},
    inputs=lambda rng, N=5, V=7: (rng.normal(size=(N, V)), rng.integers(V, size=N), 0.1),
    question="V = 4, ε = 0.2 and all logits are equal. What is the gradient at the target, for one row and dL = 1?",
    answer=lambda f: f(np.zeros((1, 4)), np.array([2]), 0.2)[1](1.0)[0, 2],
    hints=("t is a constant. Where does the one-hot row occur in the gradient of the plain cross-entropy?",
           "The weights t of a row sum to 1, so the term p is unchanged. The other term is −t."),
    wrong=(
        WrongAnswer("missing-term", "the plain one-hot in place of t",
              "The other classes have a weight too, and the target has less than 1.",
              {"smoothing / V)": "0)", "+= 1 - smoothing": "+= 1"}),
        WrongAnswer("missing-term/mean-term", "only the target's weight", "Every class gets ε/V, not only the target.",
              {"smoothing / V)": "0)"}),
        WrongAnswer("missing-term/mean-term", "ε in place of ε/V", "ε is shared among the V classes.",
              {"smoothing / V)": "smoothing)"}),
        WrongAnswer("missing-term", "a target weight that is too large",
                    "The target has 1 − ε + ε/V, which is less than 1.",
              {"+= 1 - smoothing": "+= 1"}),
        WrongAnswer("missing-term", "(1 − ε) in front of p", "The weights t sum to 1 for every ε, so p has no factor.",
              {"(p - t) * dL": "((1 - smoothing) * p - t) * dL"}),
        WrongAnswer("sign", "t minus p", "A logit that is too large must have a positive gradient.",
                    {"(p - t)": "(t - p)"}),
        WrongAnswer("factor", "not divided by N", "The loss is the mean over the rows.", {"* dL / N": "* dL"}),
        WrongAnswer("upstream", "dL ignored", "The loss may be scaled afterward: multiply by dL.", {"* dL / N": "/ N"}),
        WrongAnswer("local-derivative", "the derivative of the softmax applied twice",
                    "p − t already includes the derivative of the softmax.",
              {"(p - t) * dL": "p * (1 - p) * (p - t) * dL"}),
    ))


def embedding(indices, weight):
    """Rows of a table, selected by index.

        y = W[indices]

    indices integers (N,)    weight W (V, C)    y (N, C).    vjp(dy) returns dweight.
    """
    y = weight[indices]

    def vjp(dy):
        dweight = np.zeros_like(weight)
        np.add.at(dweight, indices, dy)
        return dweight

    return y, vjp


EMBEDDING = Exercise(
    embedding, "07 Tokens and embeddings",
    cases={"one index, repeated": lambda rng: (np.array([2, 2, 2]), rng.normal(size=(3, 3))),
           "unsorted indices with gaps": lambda rng: (np.array([4, 0, 4, 1, 0]), rng.normal(size=(6, 2)))},
    inputs=lambda rng, N=7, V=5, C=3: (np.append(rng.integers(V - 1, size=N - 1), 0), rng.normal(size=(V, C))),
    question="The table has 5 rows, indices are [1, 3, 1], dy has no zero. How many rows of dW are not zero?",
    answer=lambda f: np.count_nonzero(f(np.array([1, 3, 1]), np.ones((5, 2)))[1](np.ones((3, 2))).any(axis=1)),
    hints=("A row that is selected several times gets the sum of all its gradients. A row that is not selected gets 0.",
           "dweight[indices] += dy adds only once for a repeated row: NumPy reads first, then writes. "
           "Find a function that adds at every index."),
    wrong=(
        WrongAnswer("duplicate-index", "dweight[indices] += dy, or =",
                    "With repeated indices, += keeps only the last gradient.",
              {"np.add.at(dweight, indices, dy)": "dweight[indices] += dy"}),
        WrongAnswer("permuted", "dy[indices]",
                    "The forward pass selects rows. Add each gradient to the row it came from.",
              {"np.add.at(dweight, indices, dy)": "dweight = dy[indices]"}),
        WrongAnswer("factor", "averaged over the tokens", "Each use counts in full.",
              {"indices, dy)": "indices, dy / len(indices))"}),
        WrongAnswer("permuted", "the indices one off", "The index v selects row v.",
              {"np.add.at(dweight, indices, dy)": "np.add.at(dweight, indices - 1, dy)"}),
        WrongAnswer("upstream", "the uses counted", "Add dy, not 1.", {"indices, dy)": "indices, 1)"}),
        WrongAnswer("sign", "subtracted", "The optimizer subtracts the gradient later. Add here.",
                    {"np.add.at": "np.subtract.at"}),
        WrongAnswer("row-scale/duplicate-index", "averaged over the repetitions", "Repeated uses are summed.",
              {"        return dweight":
               "        return dweight / np.maximum(np.bincount(indices, minlength=len(weight)), 1)[:, None]"}),
        WrongAnswer("local-derivative", "multiplied by the table", "Selecting a row is linear, with derivative 1.",
              {"return dweight": "return dweight * weight"}),
    ))


def dropout(x, keep, p):
    """Dropout.

        y = x ⊙ keep / (1 − p)

    x, y (N, C)    keep booleans (N, C), True where x is kept    p the probability to drop.    vjp(dy) returns dx.
    """
    y = x * keep / (1 - p)

    def vjp(dy):
        return dy * keep / (1 - p)

    return y, vjp


DROPOUT = Exercise(
    dropout, "03 Neural networks",
    inputs=lambda rng, N=7, C=5: (rng.normal(size=(N, C)), rng.random((N, C)) > 0.3, 0.3),
    question="p = 0.5, an entry is kept, and dy = 1 there. What is dx?",
    answer=lambda f: f(np.ones(1), np.array([True]), 0.5)[1](np.ones(1))[0],
    hints=("keep and p are constants here: "
           "what is the derivative of y with respect to x where x is kept, and where it is dropped?",
           "Use the mask and the factor of the forward pass."),
    wrong=(
        WrongAnswer("factor", "the scale forgotten", "The forward pass scales the kept entries. By which factor?",
              {"dy * keep / (1 - p)": "dy * keep"}),
        WrongAnswer("factor", "divided by p", "1 − p is the probability to keep.",
                    {"dy * keep / (1 - p)": "dy * keep / p"}),
        WrongAnswer("factor", "multiplied by the keep probability",
                    "The forward pass divides by 1 − p, and so does the backward pass.",
              {"dy * keep / (1 - p)": "dy * keep * (1 - p)"}),
        WrongAnswer("mask", "the mask forgotten", "A dropped entry does not influence y.",
                    {"dy * keep / (1 - p)": "dy / (1 - p)"}),
        WrongAnswer("inverted-mask", "the mask inverted", "Which entries influence y?",
              {"dy * keep / (1 - p)": "dy * ~keep / (1 - p)"}),
        WrongAnswer("nondeterministic/stale", "a new mask drawn",
                    "The backward pass must use the mask of the forward pass.",
              {"dy * keep / (1 - p)": "dy * (np.random.random(x.shape) > p) / (1 - p)"}),
        WrongAnswer("local-derivative", "y used for the mask",
                    "The derivative is the mask times its factor, not the value.",
              {"dy * keep / (1 - p)": "dy * y"}),
    ))


def precision_recall(found, labels, K):
    """Precision, recall and F₁ of each class.

        pₖ = TPₖ / (texts found to be k),   rₖ = TPₖ / (texts labeled k),   F₁ₖ = 2 pₖ rₖ / (pₖ + rₖ)

    found, labels (N,) integers in 0 … K − 1    TPₖ: the texts labeled k that are found to be k.
    A share whose denominator is 0 is 0. Returns p, r and F₁, each (K,).
    """
    counts = np.zeros((K, K))
    np.add.at(counts, (labels, found), 1)
    hits = np.diag(counts)
    precision = hits / np.maximum(counts.sum(axis=0), 1)
    recall = hits / np.maximum(counts.sum(axis=1), 1)
    total = precision + recall
    f1 = 2 * precision * recall / np.where(total > 0, total, 1)
    return precision, recall, f1


PRECISION_RECALL = Exercise(
    precision_recall, "08 Recurrence",
    cases={"a class that is never found": lambda rng: (np.array([0, 0, 1]), np.array([0, 2, 1]), 3),
           "a class without a label": lambda rng: (np.array([0, 2, 1]), np.array([0, 0, 1]), 3)},
    inputs=lambda rng, N=37, K=3: (rng.integers(K, size=N), np.arange(N) ** 2 % K, K),
    question="10 of 1,000 messages are spam. A filter marks 40, among them 8 of the 10. What is its precision?",
    answer=lambda f: f(np.repeat([1, 1, 0, 0], [8, 32, 2, 958]), np.repeat([1, 0, 1, 0], [8, 32, 2, 958]), 2)[0][1],
    hints=("Count first: entry (i, j) is the number of texts labeled i that are found to be j.",
           "The columns sum to what was found, the rows to what is labeled. Guard each division against 0."),
    wrong=(
        WrongAnswer("formula", "precision and recall swapped", "Precision divides by what was found.",
                    {"return precision, recall, f1": "return recall, precision, f1"}),
        WrongAnswer("formula", "divided by all texts", "A precision concerns the texts found to be of this class.",
                    {"np.maximum(counts.sum(axis=0), 1)": "len(labels)"}),
        WrongAnswer("formula", "the arithmetic mean", "F₁ is the harmonic mean of p and r.",
                    {"2 * precision * recall / np.where(total > 0, total, 1)": "total / 2"}),
        WrongAnswer("formula", "the factor 2 forgotten", "With p = r, F₁ is p.",
                    {"2 * precision * recall": "precision * recall"}),
        WrongAnswer("formula", "repeated pairs counted once", "a[i] += 1 counts a repeated index once; see np.add.at.",
                    {"np.add.at(counts, (labels, found), 1)": "counts[labels, found] += 1"}),
    ))
