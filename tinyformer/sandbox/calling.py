"""Call a learner's function: whatever it raises becomes a sentence with the learner's own line."""

from __future__ import annotations

import numpy as np

from .limits import Stopped
from .refusal import Refused
from .messages import explain

__all__ = ["Refused", "call"]


def call(function, *arguments, **options):
    """``function(*arguments, **options)``. Raises ``Refused`` for every exception, also those that are no ``Exception``."""
    try:
        with np.errstate():                                 # what the function sets ends here
            return function(*arguments, **options)
    except (Stopped, Refused):
        raise
    except NotImplementedError:
        raise Refused("not attempted", "not attempted yet", "not attempted") from None
    except BaseException as error:
        raise Refused("error", explain(error)) from error
