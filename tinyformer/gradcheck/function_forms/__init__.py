"""The forms of function that can be checked, a file a form.

    base            what they have in common
    called          functions whose result shows their form: (value, vjp), tensors
    arrays          functions of arrays that return (value, vjp)
    tensors         operations, functions of tensors, and modules of this library
    pairs           (forward, backward)
    layers          objects and classes with forward and backward
    own_autograd    functions of the learner's own autograd class
    with_gradient   functions that return (loss, gradient)
    pytorch         torch.autograd.Function, functions of torch tensors, nn.Module
    jax_functions   custom_vjp, custom_jvp, functions of JAX arrays
    state           what a check must leave as it was

A form is a module with ``adapt(fn, inputs, options)``, which returns a ``CheckedFunction``, or None if fn has another
form. ``FORMS`` lists them; the first that answers is taken.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import called, layers, own_autograd, pairs
from .arrays import RawFunction
from .base import CheckedFunction, Unreadable, closure, copies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CheckedFunction", "RawFunction", "Unreadable", "checked_function", "closure", "copies"]

FORMS = (pairs, layers, own_autograd, called)
LIBRARIES = {"torch": "pytorch", "jax": "jax_functions"}    # forms of another library, once it is imported


def checked_function(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction:
    """``fn`` with these arguments, in the form that it has.

    Raises ValueError if no argument is a floating-point array, TypeError if fn has none of the forms, and whatever fn
    raises.
    """
    for form in (*(import_module(f".{form}", __name__) for name, form in LIBRARIES.items() if name in sys.modules),
                 *FORMS):
        checked = form.adapt(fn, inputs, options)
        if checked is not None:
            return checked
    raise TypeError(f"check: fn is of type {type(fn).__name__}, "
                    "expected a function; its inputs follow it: check(fn, x)")
