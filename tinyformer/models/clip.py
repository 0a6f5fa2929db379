"""CLIP: a tower for pictures and a tower for texts, trained so that a picture and its caption get near vectors.

    a = picture tower(x) / ‖…‖,   b = text tower(caption) / ‖…‖
    loss = cross-entropy of finding each picture's caption, and each caption's picture, among e^t a bᵀ

A class that no one trained for is then a caption: the nearest of "the digit zero", … is the class (zero-shot).

Source: Radford et al. (2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn, ops
from ..data import padded
from ..data.captions import PLAIN
from ..nn import evaluating
from ..text import load_tokenizer
from .config_checks import check_fractions, check_heads, check_integers
from .pretrained import Pretrained
from .registry import register
from .towers import PictureTower, TextTower

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Self

    from ..autograd import Tensor
    from ..text.base import Tokenizer
    from ..typing import Array, TensorLike

__all__ = ["CLIP", "CLIPConfig"]

MOST = math.log(100)                                        # of logit_scale, as in the paper


@dataclass(frozen=True)
class CLIPConfig:
    """Sizes: V = vocab_size, T ≤ block_size, C = n_embd, the length of the vectors that are compared.

    n_features          numbers of a picture; 0: both towers read texts
    n_hidden            units of the picture tower's hidden layer
    n_head, n_layer     of the text tower's encoder
    dropout             dropout probability in the text tower
    """

    n_features: int
    vocab_size: int
    block_size: int = 24
    n_embd: int = 64
    n_hidden: int = 256
    n_head: int = 4
    n_layer: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_integers(self, "n_features", least=0)
        check_integers(self, "vocab_size", "block_size", "n_embd", "n_hidden", "n_head", "n_layer")
        check_heads(self)
        check_fractions(self, "dropout")


@register
class CLIP(Pretrained):
    """``clip.similarity(images, texts)``: cosines (N, M), one for each picture and each text.

    tokenizer   of the texts; a saved folder keeps it
    captions    those of the plain classes, "the digit zero", …
    """

    architecture, task, Config = "clip", "pairs", CLIPConfig
    config: CLIPConfig
    tokenizer: Tokenizer | None = None
    captions: Sequence[str] = list(PLAIN)

    @classmethod
    def least_batch(cls, config: CLIPConfig) -> int:
        """A pair needs another pair to be compared with."""
        return 2

    def __init__(self, config: CLIPConfig) -> None:
        self.config, c = config, config
        texts = c.vocab_size, c.block_size, c.n_embd, c.n_head, c.n_layer, c.dropout
        self.first = PictureTower(c.n_features, c.n_hidden, c.n_embd) if c.n_features else TextTower(*texts)
        self.second = TextTower(*texts)
        self.logit_scale = nn.Parameter(np.array(math.log(1 / 0.07), np.float32))           # t = ln 1/τ

    def encode(self, x: TensorLike) -> Tensor:
        """Unit vectors (N, C) of pictures, (N, n_features) or (N, channels, side, side); or of the first texts' ids."""
        return ops.normalize(self.first(x))

    def encode_ids(self, ids: TensorLike) -> Tensor:
        """Unit vectors (N, C) of texts, ids (N, T) with 0 at padding."""
        return ops.normalize(self.second(ids))

    def loss(self, x: TensorLike, ids: TensorLike) -> Tensor:
        """The contrastive loss in nats of the pairs (x_n, ids_n)."""
        return ops.contrastive_loss(self.encode(x), self.encode_ids(ids), ops.clip(self.logit_scale, max=MOST))

    def similarity(self, images: Any, texts: Sequence[str]) -> Tensor:
        """Cosines (N, M) of N pictures and M texts, from −1 to 1; higher is nearer. Each pair is independent.

        images      pictures (N, n_features) or (N, channels, side, side); a list of texts if both towers read texts

        ValueError for pictures of another size, and for a text that is too long, or has an unknown word or none.
        """
        x = images if self.config.n_features else self.ids(images)
        if isinstance(x, np.ndarray) and x.dtype.kind == "f":
            x = x.astype(self.logit_scale.dtype, copy=False)
        with evaluating(self):                              # batch norm in training would mix the pictures
            return ops.matmul(self.encode(x), self.encode_ids(self.ids(texts, second=True)).T)

    def ids(self, texts: Sequence[str], second: bool = False) -> Array:
        """The ids (N, T) of texts, padded; ``second`` for those of the second tower. ValueError for unfit texts."""
        if self.tokenizer is None:
            raise ValueError("CLIP: the model has no tokenizer for texts; expected a tokenizer.json in its folder")
        if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"CLIP: texts is {texts!r}, expected a list of at least one text")
        encode = getattr(self.tokenizer, "encode_target", self.tokenizer.encode) if second else self.tokenizer.encode
        return padded([self._checked(text, encode) for text in texts])

    def _checked(self, text: str, encode: Callable[[str], Array]) -> Array:
        ids, unknown = encode(text), self.tokenizer.tokens.index("<unk>")
        if not text.strip():
            raise ValueError("CLIP: a text is empty, expected at least one word")
        if (ids == unknown).any():
            pieces = self.tokenizer.cut(text) if hasattr(self.tokenizer, "cut") else ["?"] * len(ids)
            words = " ".join(piece for piece, id in zip(pieces, ids) if id == unknown)
            raise ValueError(f"CLIP: {text!r} has unknown words ({words}), expected words of the vocabulary: "
                             f"{' '.join(filter(str.strip, self.tokenizer.tokens[2:]))}")
        if len(ids) > self.config.block_size:
            raise ValueError(f"CLIP: {text!r} has {len(ids)} tokens, expected at most {self.config.block_size}")
        return ids

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Write the model, and the tokenizer, into ``folder``."""
        super().save_pretrained(folder)
        if self.tokenizer is not None:
            self.tokenizer.save(Path(folder) / "tokenizer.json")

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str]) -> Self:
        """The model in ``folder`` with its tokenizer."""
        model, path = super().from_pretrained(folder), Path(folder) / "tokenizer.json"
        model.tokenizer = load_tokenizer(path) if path.exists() else None
        return model
