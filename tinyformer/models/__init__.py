"""Models: a config and the wiring. What they share lives in ``nn`` and ``ops``.

``MODELS`` holds every model by its architecture; ``load_model(folder)`` opens what one of them, or another program,
saved. Each module of this folder that has ``__all__`` gives its names to this package, so a new model is a new file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..names import module_attributes
from ..packages import collect
from .registry import MODELS, load_model, model_class, register, trainable

__all__ = ["MODELS", "load_model", "model_class", "register", "trainable"]

if TYPE_CHECKING:                       # what ``collect`` below does, for type checkers and editors
    from . import (bag_of_words, bert, bert_heads, classifier, clip, decoder, encoder, gan, gpt, hmm, lenet, linear,
                   llama, logistic, lstm, mlp, neural_ngram, ngram, pretrained, prototypes, recurrent, seq2seq,
                   simclr, vae, vit)
    from .bag_of_words import *
    from .bert import *
    from .bert_heads import *
    from .classifier import *
    from .clip import *
    from .decoder import *
    from .encoder import *
    from .gan import *
    from .gpt import *
    from .hmm import *
    from .lenet import *
    from .linear import *
    from .llama import *
    from .logistic import *
    from .lstm import *
    from .mlp import *
    from .neural_ngram import *
    from .ngram import *
    from .pretrained import *
    from .prototypes import *
    from .recurrent import *
    from .seq2seq import *
    from .simclr import *
    from .vae import *
    from .vit import *
    __all__ += bag_of_words.__all__
    __all__ += bert.__all__
    __all__ += bert_heads.__all__
    __all__ += classifier.__all__
    __all__ += clip.__all__
    __all__ += decoder.__all__
    __all__ += encoder.__all__
    __all__ += gan.__all__
    __all__ += gpt.__all__
    __all__ += hmm.__all__
    __all__ += lenet.__all__
    __all__ += linear.__all__
    __all__ += llama.__all__
    __all__ += logistic.__all__
    __all__ += lstm.__all__
    __all__ += mlp.__all__
    __all__ += neural_ngram.__all__
    __all__ += ngram.__all__
    __all__ += pretrained.__all__
    __all__ += prototypes.__all__
    __all__ += recurrent.__all__
    __all__ += seq2seq.__all__
    __all__ += simclr.__all__
    __all__ += vae.__all__
    __all__ += vit.__all__


collect(__name__)

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
