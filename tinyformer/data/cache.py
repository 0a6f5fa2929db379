"""The folder of downloaded data."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """The folder of downloaded data: ``TINYFORMER_DATA`` if it is set, else the user's cache folder."""
    return Path(os.environ.get("TINYFORMER_DATA") or cache_folder())


def cache_folder() -> Path:
    """The user's cache folder, as the operating system defines it."""
    import platformdirs
    return Path(platformdirs.user_cache_dir("tinyformer"))
