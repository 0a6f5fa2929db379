"""Attributions of a text: one number for each token, from the vectors of its embedding, and one for each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..option_checks import check_choice
from ..text import NGramTokenizer, WordPieceTokenizer
from ..text.ngrams import units
from .gradients import input_x_gradient, saliency, smooth_grad
from .integrated import integrated_gradients
from .removal import occlusion
from .scores import score_values
from .shapley import exact, sampled

if TYPE_CHECKING:
    from ..text.base import Tokenizer
    from ..typing import Array, RNGLike
    from .scores import Scores

METHODS = ("integrated-gradients", "saliency", "input-x-gradient", "smooth-grad", "occlusion", "shapley")
EXACT, ORDERS, TOGETHER = 10, 50, 64            # Shapley: most tokens for exact values; random orders; size of a batch


def token_attributions(f: Scores, vectors: Array, target: int, method: str = "integrated-gradients",
                       kept: Array | None = None, rng: RNGLike = 0) -> tuple[Array, float]:
    """(one attribution for each token (T,), the sum minus the difference of the score) of one text.

    f           maps vectors (B, T, C) to scores (B, classes)
    vectors     (T, C), the tokens' rows of the embedding
    method      "integrated-gradients", "input-x-gradient": summed over the channels of a token;
                "saliency", "smooth-grad": the sum of the absolute (mean) gradient, without a sign;
                "occlusion": the fall of the score without the token;
                "shapley": tokens are the players, exact up to 10 of them, else 50 random orders
    kept        (T,), True at special tokens, which stay as they are. All other tokens have the zero vector as baseline
    rng         generator or seed of smooth-grad and of sampled Shapley values

    Only integrated gradients (up to its numeric error) and Shapley values add up to the difference. Raises ValueError
    for an unknown method.
    """
    check_choice("token_attributions", "method", method, METHODS)
    x = vectors[None]                                                           # (1, T, C)
    kept = np.zeros(len(vectors), bool) if kept is None else kept
    baseline = np.where(kept[:, None], vectors, vectors.dtype.type(0))[None]
    if method == "integrated-gradients":
        found = _integrated(f, x, baseline, target)
    elif method == "input-x-gradient":
        found = np.where(kept, 0, input_x_gradient(f, x, target).sum(axis=-1)[0])
    elif method == "saliency":
        found = saliency(f, x, target).sum(axis=-1)[0]
    elif method == "smooth-grad":
        found = np.abs(smooth_grad(f, x, target, stdev=0.1 * float(vectors.std()), rng=rng)).sum(axis=-1)[0]
    elif method == "occlusion":
        found = occlusion(f, x, 1, target, baseline)[0, :, 0]
    else:
        found = _shapley(f, x, baseline, target, kept, rng)
    moved = score_values("token_attributions", f, np.concatenate([x, baseline]), target)
    return found, float(found.sum(dtype=np.float64) - (moved[0] - moved[1]))


def _integrated(f: Scores, x: Array, baseline: Array, target: int) -> Array:
    """(T,): 64, 128 or 256 steps, until the gap is a thousandth of the difference or of 1."""
    for n_steps in (64, 128, 256):
        found, gap = integrated_gradients(f, x, baseline, target, n_steps)
        if abs(gap[0]) <= 1e-3 * max(1.0, abs(found.sum() - gap[0])):
            break
    return found.sum(axis=-1)[0]


def _shapley(f: Scores, x: Array, baseline: Array, target: int, kept: Array, rng: RNGLike) -> Array:
    players = np.flatnonzero(~kept)

    def values(present: Array) -> Array:
        """v (M, 1) of coalitions (M, players)."""
        there = np.ones((len(present), len(kept)), bool)
        there[:, players] = present
        return np.concatenate([score_values("token_attributions", f, np.where(part[:, :, None], x, baseline), target)
                               for part in np.array_split(there, -(-len(there) // TOGETHER))])[:, None]

    found = np.zeros(len(kept))
    D = len(players)
    found[players] = (exact(values, D) if D <= EXACT else
                      sampled(values, D, ORDERS, np.random.default_rng(rng))[0])[:, 0]
    return found


def words_of(tokenizer: Tokenizer, ids: Sequence[int], text: str, kept: Array) -> list[tuple[str, list[int]]]:
    """[(word, the positions of its tokens)] of the tokens that are no special ones, in their order.

    WordPiece marks what continues a word by ##. Other tokens are put together between spaces and punctuation; Chinese
    characters, and n-grams of words, are words of their own.
    """
    pieces = tokenizer.pieces(ids)
    if isinstance(tokenizer, NGramTokenizer):               # the single units first, so that unknown ones have a name
        pieces = [*units(text, tokenizer.unit)[:len(pieces)], *pieces[len(units(text, tokenizer.unit)):]]
    found: list[tuple[str, list[int]]] = []
    for i in np.flatnonzero(~np.asarray(kept)):
        if found and found[-1][1][-1] == i - 1 and (
                _is_cut([tokenizer.tokens[ids[k]] for k in found[-1][1]])
                or _continues(tokenizer, pieces[i - 1], pieces[i])):
            found[-1][1].append(int(i))
        else:
            found.append(("", [int(i)]))
    return [(_spelled(tokenizer, [ids[i] for i in places], "".join(pieces[i] for i in places)), places)
            for _, places in found]


def _is_cut(tokens: Sequence[str | bytes]) -> bool:
    """Whether tokens of bytes end within a character."""
    if not isinstance(tokens[0], bytes):
        return False
    try:
        b"".join(token for token in tokens if isinstance(token, bytes)).decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def _continues(tokenizer: Tokenizer, before: str, piece: str) -> bool:
    """Whether ``piece`` belongs to the same word as the piece before."""
    if isinstance(tokenizer, NGramTokenizer):
        return False
    if isinstance(tokenizer, WordPieceTokenizer):
        return piece.startswith("##")
    return all(letter.isalnum() and ord(letter) < 0x2E80 for letter in (before[-1:] or " ", piece[:1] or " "))


def _spelled(tokenizer: Tokenizer, ids: list[int], joined: str) -> str:
    if isinstance(tokenizer, NGramTokenizer):
        return joined
    if isinstance(tokenizer, WordPieceTokenizer):
        return joined.replace("##", "")
    whole = tokenizer.decode(ids)
    return whole.strip() or whole
