"""The counterfactual test: does the score of a text change when only the gender of its words does?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_number
from ..option_checks import check_callable
from .checks import checked_texts
from .intervals import t_probability, t_quantile
from .swaps import Swaps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["TEMPLATES", "Counterfactual", "counterfactual", "template_gaps"]

PURPOSE = "from a list of texts to their scores (n,)"
# Sentences about a film, {} where the name of a person stands.
TEMPLATES = (
    "{} gives a performance that holds the film together.", "{} is the best thing about this film.",
    "{} is funny, and the scenes are well timed.", "{} makes every scene believable.",
    "{} has rarely been this good.", "{} plays the part with warmth and intelligence.",
    "{} ruins what could have been a good film.", "{} is the weakest part of a dull story.",
    "{} is wooden, and the jokes fall flat.", "{} cannot carry the film.",
    "{} has never been this boring.", "{} plays the part without conviction.",
    "{} directed the film in twelve weeks.", "{} lives in a small town by the sea.",
    "{} is a doctor in the second half of the film.", "{} walks through the city for two hours.",
    "{} wrote the story ten years ago.", "{} appears in most of the scenes.")


@dataclass(frozen=True, repr=False)
class Counterfactual:
    """Pairs of scores, and what follows from their gaps.

    first, second   scores (n,) with the first and with the second word of each pair
    places          (n,): which of the texts each pair comes from
    without         the number of texts without a swap word
    level           of the interval
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    places: NDArray[np.int64]
    without: int = 0
    level: float = 0.95

    @property
    def gaps(self) -> NDArray[np.float64]:
        """first − second, (n,)."""
        return self.first - self.second

    @property
    def n(self) -> int:
        """The number of pairs."""
        return len(self.first)

    @property
    def mean(self) -> float:
        """The mean gap: positive if the first words get higher scores."""
        return float(self.gaps.mean())

    @property
    def mean_absolute(self) -> float:
        """The mean of |gap|: effects in both directions count."""
        return float(np.abs(self.gaps).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The paired t interval of the mean gap, mean ± t s/√n; infinite for one pair.   Book (22.9)."""
        if self.n < 2:
            return -math.inf, math.inf
        half = t_quantile(self.level, self.n - 1) * self._error
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float:
        """The two-sided p of the paired t test of "the mean gap is 0"; 1 for one pair."""
        if self.n < 2 or self.mean == 0:
            return 1.0
        return t_probability(self.mean / self._error, self.n - 1) if self._error else 0.0

    @property
    def p_sign(self) -> float:
        """The two-sided p of the sign test, exact: are gaps above and below 0 equally frequent? Zeros do not count."""
        above, below = int((self.gaps > 0).sum()), int((self.gaps < 0).sum())
        n = above + below
        tail = sum(math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
                   for k in range(min(above, below) + 1))
        return min(1.0, 2 * tail)

    @property
    def _error(self) -> float:
        return float(self.gaps.std(ddof=1)) / math.sqrt(self.n)

    def flips(self, threshold: float = 0.5) -> float:
        """The share of pairs whose two scores lie on different sides of ``threshold``."""
        return float(((self.first > threshold) != (self.second > threshold)).mean())

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON; an infinite interval is [None, None]."""
        return {"mean": self.mean, "interval": [x if math.isfinite(x) else None for x in self.interval],
                "level": self.level, "n": self.n, "without": self.without, "p": self.p, "p_sign": self.p_sign,
                "mean_absolute": self.mean_absolute, "flips": self.flips()}

    def __str__(self) -> str:
        low, high = self.interval
        return (f"mean gap {self.mean:+.4f}   {self.level:.0%} interval [{low:+.4f}, {high:+.4f}]   p = {self.p:.2g}\n"
                f"mean |gap| {self.mean_absolute:.4f}   flips {self.flips():.1%}   sign test p = {self.p_sign:.2g}\n"
                f"{self.n} texts with a swap word, {self.without} without")

    __repr__ = __str__


def counterfactual(predict: Callable[[list[str]], ArrayLike], texts: Sequence[str],
                   swaps: Mapping[str, str | Sequence[str]] | Swaps, *, level: float = 0.95) -> Counterfactual:
    """Score every text that has a swap word as it is and with all its swap words exchanged, and compare.

    gap = score with the first word of the pair − score with the second. A text with several swap words is signed by
    the first of them.

    predict     list of texts → scores (n,), such as the probability of one class
    swaps       {first word: second word}, or a ``Swaps``

    >>> report = counterfactual(predict, texts, {"he": "she", "him": "her", "his": "her"})      # doctest: +SKIP
    >>> print(report.mean, report.interval)                                                     # doctest: +SKIP

    ValueError if there is no text, or none with a swap word; TypeError for a text that is no str, and for a predict
    that is no function.
    Source: Garg et al. (2019), "Counterfactual fairness in text classification".
    """
    level = check_number("counterfactual", "level", level, above=0, below=1)
    check_callable("counterfactual", "predict", predict, PURPOSE)
    swaps = swaps if isinstance(swaps, Swaps) else Swaps(swaps)
    texts = checked_texts("counterfactual", texts)
    sides = [swaps.first_side(text) for text in texts]
    places = np.array([i for i, side in enumerate(sides) if side], np.int64)
    if not len(places):
        pairs = ", ".join(f"{a}={b}" for a, b in swaps.pairs[:4])
        raise ValueError(f"counterfactual: none of the {len(texts)} texts has a swap word, expected one of {pairs}"
                         f"{', …' * (len(swaps.pairs) > 4)}")
    own = [texts[i] for i in places]
    scores = _scores(predict, own), _scores(predict, list(map(swaps, own)))
    is_first = np.array([sides[i] == "first" for i in places])
    return Counterfactual(np.where(is_first, *scores), np.where(is_first, *scores[::-1]), places,
                          len(texts) - len(places), level)


def template_gaps(predict: Callable[[list[str]], ArrayLike], templates: Sequence[str],
                  pairs: Mapping[str, str], *, level: float = 0.95) -> tuple[Counterfactual, NDArray[np.float64]]:
    """(the report over templates, all gaps (T, P)): each pair of words in each of T sentences, such as ``TEMPLATES``.

    The gaps of one template are not independent, so the report has one gap for each template: the mean over the P
    pairs. The table has the gaps of each pair in its columns.

    templates   sentences with {} where the word stands
    pairs       {first word: second word}: names, or words such as "he" and "the actor"

    ValueError for a template without {}, and for an empty list.
    Source: Kiritchenko & Mohammad (2018), "Examining gender and race bias in two hundred sentiment analysis systems".
    """
    level = check_number("template_gaps", "level", level, above=0, below=1)
    check_callable("template_gaps", "predict", predict, PURPOSE)
    templates = checked_texts("template_gaps", templates)
    words = Swaps(pairs).pairs
    for template in templates:
        if "{}" not in template:
            raise ValueError(f"template_gaps: {template!r} has no {{}}, expected one in the place of the word")
    shape = len(templates), len(words)
    scores = [_scores(predict, [_filled(template, pair[side]) for template in templates for pair in words])
              .reshape(shape) for side in (0, 1)]
    report = Counterfactual(scores[0].mean(axis=1), scores[1].mean(axis=1), np.arange(len(templates)), 0, level)
    return report, scores[0] - scores[1]


def _filled(template: str, word: str) -> str:
    """``template`` with ``word`` in its place, with a capital if it begins the template."""
    text = template.replace("{}", word)
    return text[:1].upper() + text[1:] if template.startswith("{}") else text


def _scores(predict: Callable[[list[str]], ArrayLike], texts: list[str]) -> NDArray[np.float64]:
    """The scores (n,) of ``texts`` in float64. ValueError for another shape and for scores that are not finite."""
    scores = np.asarray(predict(texts), np.float64)
    if scores.shape != (len(texts),):
        raise ValueError(f"predict returned the shape {scores.shape} for {len(texts)} texts, expected ({len(texts)},)")
    if not np.isfinite(scores).all():
        raise ValueError(f"predict returned {scores[~np.isfinite(scores)][0]}, expected finite scores")
    return scores
