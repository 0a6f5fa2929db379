"""Call a learner's function. An exception becomes a sentence with the learner's own line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .limits import Stopped
from .messages import explain
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Refused", "call"]


def call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """``function(*arguments, **options)``. Raises ``Refused`` for every exception, including a ``BaseException``."""
    try:
        with np.errstate():                                 # the function's own settings end here
            return function(*arguments, **options)
    except (Stopped, Refused):
        raise
    except NotImplementedError:
        raise Refused("not attempted", "not attempted yet", "not attempted") from None
    except BaseException as error:
        raise Refused("error", explain(error)) from error
