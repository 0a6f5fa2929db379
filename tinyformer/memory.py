"""The memory of this machine, and a refusal of what cannot fit into it, before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Mapping


def check_fits(what: str, needed: Mapping[str, int], advice: str) -> None:
    """Raise a ValueError, which lists the parts, if their sum is more than the physical memory of this machine.

    what        the subject of the sentence, such as "the training"
    needed      {part: bytes}, a lower bound of each
    advice      what to change
    """
    memory = physical_memory()
    total = sum(needed.values())
    if memory is not None and total > memory:
        parts = ", ".join(f"{size_text(number)} for {name}" for name, number in needed.items())
        raise ValueError(f"{what} needs at least {size_text(total)} of memory ({parts}), but this machine has "
                         f"{size_text(memory)}; {advice}")


def size_text(number: float) -> str:
    """``number`` of bytes in the unit that fits: 3.2 kB, 47.5 MB, 1.0 GB, 8,000.0 TB.   1 kB = 1,000 bytes."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:,.1f} {unit}"
    return f"{number:.0f} bytes"


def physical_memory() -> int | None:
    """The bytes of memory of this machine; None if the system does not say."""
    if os.name == "nt":
        return _windows_memory()
    try:
        pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
    return pages * page if pages > 0 and page > 0 else None


def _windows_memory():
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong),
                    *((name, ctypes.c_ulonglong) for name in ("total", "free", "total_page", "free_page",
                                                              "total_virtual", "free_virtual", "extended"))]

    status = Status(length=ctypes.sizeof(Status))
    kernel32 = ctypes.windll.kernel32           # type: ignore[attr-defined]  # of Windows alone
    return status.total if kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
