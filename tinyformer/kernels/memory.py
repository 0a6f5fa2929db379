"""Freed memory stays with the process and is reused.

A training step allocates a few dozen arrays of about a megabyte, the same as the step before. glibc returns such blocks
to the system when they are freed, and the system supplies them again page by page, filled with zeros. On a laptop this
took a third of the step (benchmarks/memory.py --allocator). With the settings below glibc keeps and reuses the blocks;
the peak memory is the same.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3                 # <malloc.h>
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> None:
    """Ask glibc to keep up to 512 MB of freed memory. Without effect elsewhere, or if the environment has settings."""
    if not sys.platform.startswith("linux") or any(name in os.environ for name in SETTINGS):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):                       # another C library
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)                     # glibc's maximum; larger blocks are still mapped separately
    mallopt(M_TRIM_THRESHOLD, 512 << 20)
