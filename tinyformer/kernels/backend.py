"""Which code the kernels run on.

``use("numpy")`` chooses it, ``info()`` says what is live and why the rest is not, ``set_num_threads(n)`` bounds the
threads. The environment variable ``TINYFORMER_BACKEND`` chooses at the first use.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings

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

_live = None          # (name, module)

# A fork waits until no thread loads a backend: the child would wait for ever for a module that nobody finishes loading.
_loading = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def use(name):
    """Run the kernels on the backend ``name``. An error says why it is not available; the live one stays then."""
    global _live
    if name not in BACKENDS:
        raise ValueError(f"backend: unknown backend {name!r}; expected one of {', '.join(BACKENDS)}")
    module, reason = _load(name)
    if module is None:
        raise RuntimeError(f"backend: {name} is not available: {reason}")
    _live = name, module


def live():
    """The module whose functions are in use: the one chosen, or the first that loads."""
    if _live is None:
        use(os.environ.get("TINYFORMER_BACKEND") or next(name for name in BACKENDS if _load(name)[0]))
        if _live[0] == "numpy" and "TINYFORMER_BACKEND" not in os.environ:
            warnings.warn(f"tinyformer computes with NumPy, which is slower: {_load('native')[1]}. To get the C++ kernels, "
                          f"install a compiler ({COMPILER.get(sys.platform, COMPILER['linux'])}) and install tinyformer again. "
                          f"TINYFORMER_BACKEND=numpy turns this warning off.", stacklevel=3)
    return _live[1]


def function(name):
    """The live backend's ``name``, or the reference's if it has none."""
    module = live()
    return getattr(module, name, None) or getattr(_load("numpy")[0], name)


def info():
    """{"live": name, "backends": {name: "live" | "available" | why it is not}, "threads": n}."""
    with warnings.catch_warnings():                         # what live() would warn of is said here
        warnings.simplefilter("ignore")
        live()
    state = {}
    for name, (_, what) in BACKENDS.items():
        module, reason = _load(name)
        library = getattr(module, "library", None)
        detail = f" ({library.isa()}, threads by {library.threading()})" if library else ""
        state[name] = f"{what}{detail}: " + ("live" if name == _live[0] else "available" if module else reason)
    return {"live": _live[0], "backends": state, "threads": get_num_threads()}


def _load(name):
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

def set_num_threads(n):
    """Let the kernels, NumPy's BLAS among them, use at most ``n`` threads."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: expected a whole number of at least 1, got {n!r}")
    import threadpoolctl
    threadpoolctl.threadpool_limits(n)
    if library := _library():
        library.set_num_threads(n)


def get_num_threads():
    """The most threads that the live backend uses now."""
    if hasattr(live(), "library"):
        return _library().get_num_threads()
    return max((pool["num_threads"] for pool in blas()), default=1)


def _library():
    """The compiled kernels, if there are any: one library, whichever binding is live."""
    return getattr(_load("native")[0], "library", None)


def blas():
    """What threadpoolctl says of each BLAS in this process: its name, version, architecture and threads."""
    import threadpoolctl
    return [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
