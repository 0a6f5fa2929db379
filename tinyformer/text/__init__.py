"""From text to numbers and back: tokenizers, and the corpora that they are trained on."""

from .basic import longest_words, split_words
from .bpe import BytePairTokenizer
from .characters import CharTokenizer
from .corpora import CORPORA, data_folder, load_corpus
from .registry import load_tokenizer, train_tokenizer
from .pairs import PairTokenizer
from .published import PublishedBPE
from .wordpiece import WordPieceTokenizer
from .words import WordTokenizer

__all__ = ["BytePairTokenizer", "CORPORA", "CharTokenizer", "PairTokenizer", "PublishedBPE", "WordPieceTokenizer",
           "WordTokenizer", "data_folder", "load_corpus", "load_tokenizer", "longest_words", "split_words", "train_tokenizer"]
