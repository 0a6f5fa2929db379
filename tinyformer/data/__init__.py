"""Data sets and batches."""

from .windows import random_windows, split, windows

__all__ = ["random_windows", "split", "windows"]
