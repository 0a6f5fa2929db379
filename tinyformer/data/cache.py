"""Where downloaded data stays."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder():
    """The folder of downloaded data: ``TINYFORMER_DATA`` where that is set, else the user's cache folder."""
    return Path(os.environ.get("TINYFORMER_DATA") or cache_folder())


def cache_folder():
    """The user's cache folder, where each system wants it."""
    import platformdirs
    return Path(platformdirs.user_cache_dir("tinyformer"))
