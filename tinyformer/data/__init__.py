"""Data sets and batches."""

from typing import TYPE_CHECKING

from ..names import module_attributes
from . import augmentation, captions, synthetic
from .batches import Batches
from .cache import data_folder
from .cards import SETS
from .dataset import Dataset, Examples, by_content
from .download import cached, card, fetch
from .lines import by_length, random_lines, split_lines
from .overlap import share_seen
from .padding import alike, draw_alike, padded
from .picture_files import read_picture
from .readers import read_columns, read_csv, read_imdb
from .sets import load
from .windows import random_windows, split, windows

__all__ = ["Batches", "Dataset", "Examples", "SETS", "alike", "augmentation", "by_content", "by_length", "cached",
           "captions", "card", "data_folder", "draw_alike", "fetch", "load", "padded", "random_lines", "random_windows",
           "read_columns", "read_csv", "read_imdb", "read_picture", "share_seen", "split", "split_lines", "synthetic",
           "windows"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
