"""Freed arrays stay with the process, to be used again.

A training step allocates the same few dozen arrays of about a megabyte as the step before. glibc gives such blocks back to
the system when they are freed, and the system hands them out again page by page, zeroed: on a laptop that took a third
of the step (benchmarks/memory.py --allocator). Told to keep them, glibc reuses them as they are. The peak is the same.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3                 # <malloc.h>
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory():
    """Ask glibc to keep up to 512 MB of freed memory. Elsewhere, or where the environment already says how, do nothing."""
    if not sys.platform.startswith("linux") or any(name in os.environ for name in SETTINGS):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):                       # another C library
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)                     # larger blocks are still mapped by themselves; glibc's maximum
    mallopt(M_TRIM_THRESHOLD, 512 << 20)
