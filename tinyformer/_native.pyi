"""The compiled kernels. ``kernels.cffi.Library`` has the same functions, annotated."""

from typing import Any

def __getattr__(name: str) -> Any: ...
