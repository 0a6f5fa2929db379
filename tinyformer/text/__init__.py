"""From text to integers and back: tokenizers, and the corpora that they are trained on."""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .base import Tokenizer
from .basic import longest_words, split_words
from .bpe import BytePairTokenizer
from .characters import CharTokenizer
from .corpora import CORPORA, data_folder, load_corpus
from .ngrams import NGramTokenizer
from .pairs import PairTokenizer
from .published import PublishedBPE
from .registry import load_tokenizer, train_tokenizer
from .wordpiece import WordPieceTokenizer
from .words import WordTokenizer

__all__ = ["BytePairTokenizer", "CORPORA", "CharTokenizer", "NGramTokenizer", "PairTokenizer", "PublishedBPE",
           "Tokenizer", "WordPieceTokenizer", "WordTokenizer", "data_folder", "load_corpus", "load_tokenizer",
           "longest_words", "split_words", "train_tokenizer"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
