"""Models: a config and the wiring, no more. What they share lives in ``nn`` and ``ops``."""

from __future__ import annotations

import json
from pathlib import Path

from .classifier import Average, BagOfWords, BayesBag, Classifier
from .encoder import EncoderClassifier
from .gpt import GPT, GPTConfig
from .hmm import HMM, HMMConfig
from .linear import LinearConfig, LinearRegression, LogisticConfig, LogisticRegression
from .lstm import AttentionLSTM, LSTMClassifier, SigmoidLSTM, VectorLSTM
from .mlp import MLP, MLPConfig
from .ngram import NGram, NGramConfig

__all__ = ["ARCHITECTURES", "AttentionLSTM", "Average", "BagOfWords", "BayesBag", "Classifier", "EncoderClassifier", "GPT",
           "GPTConfig", "HMM", "HMMConfig", "LSTMClassifier", "LinearConfig", "LinearRegression", "LogisticConfig",
           "LogisticRegression", "MLP", "MLPConfig", "NGram", "NGramConfig", "SigmoidLSTM", "VectorLSTM", "load_model"]

# The name that config.json and recipes call an architecture by.
ARCHITECTURES = {"gpt": (GPT, GPTConfig), "ngram": (NGram, NGramConfig)}
ARCHITECTURES.update((model.architecture, (model, model.Config)) for model in (
    BagOfWords, BayesBag, Average, LSTMClassifier, SigmoidLSTM, VectorLSTM, AttentionLSTM, EncoderClassifier, MLP))


def load_model(folder):
    """The model in ``folder``, of whichever architecture its config.json names."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected the folder of a trained model")
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("architecture")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path}: not a JSON object ({error})") from None
    if name not in ARCHITECTURES:
        raise ValueError(f"{path}: unknown architecture {name!r}, expected one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name][0].from_pretrained(folder)
