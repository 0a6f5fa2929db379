"""The choice of the backend that runs the kernels.

``use("numpy")`` chooses a backend. ``info()`` reports the backend in use and why others are not available.
``set_num_threads(n)`` limits the threads. The environment variable ``TINYFORMER_BACKEND`` chooses at the first use.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from ..names import module_attributes
from ..number_checks import check_integer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["blas", "function", "get_num_threads", "info", "live", "set_num_threads", "use"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)

# name: (module, what it is). The first that loads is the default.
BACKENDS = {
    "native": ("tinyformer.kernels.native", "C++ through pybind11"),
    "cffi": ("tinyformer.kernels.cffi", "the same library through cffi"),
    "cuda": ("tinyformer.kernels.cuda", "CUDA"),
    "numpy": ("tinyformer.kernels.reference", "NumPy and its BLAS"),
}

# How to get a C++ compiler, by sys.platform.
COMPILER = {"linux": "Debian and Ubuntu: apt install g++", "darwin": "xcode-select --install",
            "win32": "the C++ build tools of Visual Studio"}

_live: tuple[str, ModuleType] | None = None

# A fork waits until no thread loads a backend. Otherwise the child would wait forever for a module that is half loaded.
_loading = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def use(name: str) -> None:
    """Run the kernels on the backend ``name``.

    Raises ValueError for an unknown name, and RuntimeError with the reason if the backend is not available. The backend
    in use stays in use then.
    """
    global _live
    if name not in BACKENDS:
        raise ValueError(f"backend: unknown backend {name!r}; expected one of {', '.join(BACKENDS)}")
    module, reason = _load(name)
    if module is None:
        raise RuntimeError(f"backend: {name} is not available: {reason}")
    _live = name, module


def live() -> ModuleType:
    """The module of the backend in use: the chosen backend, or the first in BACKENDS that loads."""
    return _chosen()[1]


def _chosen() -> tuple[str, ModuleType]:
    """(name, module) of the backend in use, chosen now if this is the first use."""
    if _live is None:
        use(os.environ.get("TINYFORMER_BACKEND") or next(name for name in BACKENDS if _load(name)[0]))
        assert _live is not None                            # use() set it
        if _live[0] == "numpy" and "TINYFORMER_BACKEND" not in os.environ:
            warnings.warn(f"tinyformer computes with NumPy, which is slower: {_load('native')[1]}. To get the C++ "
                          f"kernels, install a compiler ({COMPILER.get(sys.platform, COMPILER['linux'])}) and install "
                          f"tinyformer again. TINYFORMER_BACKEND=numpy turns this warning off.", stacklevel=4)
    return _live


def function(name: str) -> Callable[..., Any]:
    """The function ``name`` of the backend in use, or of ``reference`` if that backend lacks it."""
    module = live()
    return getattr(module, name, None) or getattr(_load("numpy")[0], name)


def info() -> dict[str, Any]:
    """{"live": name, "backends": {name: "live" | "available" | why it is not}, "threads": n}."""
    with warnings.catch_warnings():                         # info() reports what live() would warn about
        warnings.simplefilter("ignore")
        chosen, _ = _chosen()
    state = {}
    for name, (_, what) in BACKENDS.items():
        module, reason = _load(name)
        library = getattr(module, "library", None)
        detail = f" ({library.isa()}, threads by {library.threading()})" if library else ""
        state[name] = f"{what}{detail}: " + ("live" if name == chosen else "available" if module else reason)
    return {"live": chosen, "backends": state, "threads": get_num_threads()}


def _load(name: str) -> tuple[ModuleType | None, str]:
    """(module, "") or (None, why not)."""
    path = BACKENDS[name][0]
    try:
        with _loading:
            return importlib.import_module(path), ""
    except ModuleNotFoundError as error:
        return None, "not in this build" if error.name == path else str(error)
    except (ImportError, OSError) as error:
        return None, str(error)


# ------------------------------------------------------------------------------------------------ threads

def set_num_threads(n: int) -> None:
    """Let the kernels and NumPy's BLAS use at most ``n`` threads.

    Raises TypeError unless n is an integer, ValueError if it is less than 1.
    """
    n = check_integer("set_num_threads", "n", n, 1)
    import threadpoolctl
    threadpoolctl.threadpool_limits(n)
    if library := _library():
        library.set_num_threads(n)


def get_num_threads() -> int:
    """The maximum number of threads of the backend in use."""
    if hasattr(live(), "library"):
        return _library().get_num_threads()
    return max((pool["num_threads"] for pool in blas()), default=1)


def _library() -> Any:
    """The compiled kernels or None: one library, whichever binding is in use."""
    return getattr(_load("native")[0], "library", None)


def blas() -> list[dict[str, Any]]:
    """The entries of threadpoolctl for each BLAS in this process: name, version, architecture and threads."""
    import threadpoolctl
    return [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
