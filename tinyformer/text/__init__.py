"""From text to numbers and back: tokenizers, and the corpora that they are trained on."""

from .bpe import BytePairTokenizer
from .characters import CharTokenizer
from .corpora import CORPORA, data_folder, load_corpus
from .kinds import load_tokenizer, train_tokenizer

__all__ = ["BytePairTokenizer", "CORPORA", "CharTokenizer", "data_folder", "load_corpus", "load_tokenizer",
           "train_tokenizer"]
