"""Models: a config and the wiring, no more. What they share lives in ``nn`` and ``ops``."""

from __future__ import annotations

from pathlib import Path

from ..interop.published import read_config
from .bag_of_words import BagOfWords, BayesBag
from .bert import Bert, BertConfig
from .bert_heads import BertClassifier, BertClassifierConfig, BertForPreTraining
from .classifier import Average, Classifier
from .encoder import EncoderClassifier
from .gpt import GPT, GPTConfig
from .hmm import HMM, HMMConfig
from .llama import Llama, LlamaConfig
from .linear import LinearConfig, LinearRegression
from .logistic import LogisticConfig, LogisticRegression
from .lstm import AttentionLSTM, LSTMClassifier, SigmoidLSTM, VectorLSTM
from .mlp import MLP, MLPConfig
from .neural_ngram import NeuralNGram, NeuralNGramConfig
from .ngram import NGram, NGramConfig
from .pretrained import named
from .recurrent import Recurrent, RecurrentConfig
from .seq2seq import Seq2Seq, Seq2SeqConfig

__all__ = ["ARCHITECTURES", "AttentionLSTM", "Average", "BagOfWords", "BayesBag", "Bert", "BertClassifier",
           "BertClassifierConfig", "BertConfig", "BertForPreTraining", "Classifier", "EncoderClassifier", "GPT", "GPTConfig",
           "HMM", "HMMConfig", "LSTMClassifier", "LinearConfig", "LinearRegression", "Llama", "LlamaConfig",
           "LogisticConfig", "LogisticRegression", "MLP", "MLPConfig", "NGram", "NGramConfig", "NeuralNGram", "NeuralNGramConfig",
           "Recurrent", "RecurrentConfig", "Seq2Seq", "Seq2SeqConfig", "SigmoidLSTM", "VectorLSTM", "load_model", "model_class"]

# By the name that config.json and recipes call it: what a recipe can train.
ARCHITECTURES = {model.architecture: model for model in (
    GPT, Llama, NGram, Seq2Seq, BagOfWords, BayesBag, Average, LSTMClassifier, SigmoidLSTM, VectorLSTM, AttentionLSTM,
    EncoderClassifier, MLP, BertForPreTraining, BertClassifier, NeuralNGram, Recurrent)}
OTHERS = LinearRegression, LogisticRegression, HMM, Bert           # Bert is last: what stands on it comes before it


def load_model(folder):
    """The model in ``folder``, of whichever architecture its config.json names."""
    return model_class(folder).from_pretrained(folder)


def model_class(folder):
    """The class of the model in ``folder``."""
    values, every = read_config(folder), (*ARCHITECTURES.values(), *OTHERS)
    models = [model for model in every if model.recognises(values)]
    published = values.get("architectures")
    for model in models:                                    # of several that stand on one network, the one that it names …
        if isinstance(published, list) and published and published[0] in model.published_as:
            return model
    if models:                                              # … or else the one that needs no more than that
        return models[-1]
    types = dict.fromkeys(name for model in every for name in (model.architecture, *model.model_types))
    raise ValueError(f"{Path(folder) / 'config.json'}: unknown architecture {named(values)!r}, expected one of "
                     f"{', '.join(types)}")
