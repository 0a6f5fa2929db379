"""A picture with sliders in a running notebook; elsewhere, as on paper or on the site, a row of pictures."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 4                                # pictures in a row


def explore(draw: Callable[..., Any], size: tuple[float, float] = (4.0, 3.2),
            **choices: Sequence[Any]) -> Figure | None:
    """Show a picture that depends on values which the reader chooses.

    draw        a function that draws on matplotlib axes: ``draw(axes, name=value, …)``
    size        width and height of one picture in inches
    choices     {name: a list of values}

    In Jupyter with ipywidgets there is a slider for each name, and the picture follows it. Elsewhere, a row of pictures
    shows at most four values of the first name, evenly spread; the other names keep the middle one of their values.
    Returns None where there are sliders, otherwise the matplotlib figure. Raises ValueError if a name has no values.
    """
    if not choices or any(len(values) == 0 for values in choices.values()):
        raise ValueError(f"explore: choices are {choices}, expected at least one name with at least one value")
    if _live():
        return _sliders(draw, size, choices)
    return _row(draw, size, choices)


def _live():
    if os.environ.get("TINYFORMER_STATIC") or importlib.util.find_spec("ipywidgets") is None:
        return False
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _row(draw, size, choices):
    import matplotlib.pyplot as plt
    first, *others = choices
    values = choices[first]
    shown = [values[i] for i in np.unique(np.linspace(0, len(values) - 1, min(MOST, len(values))).round().astype(int))]
    rest = {name: choices[name][len(choices[name]) // 2] for name in others}
    figure, axes = plt.subplots(1, len(shown), figsize=(size[0] * len(shown), size[1]), layout="constrained",
                                squeeze=False)
    for one, value in zip(axes[0], shown):
        draw(one, **{first: value}, **rest)
        one.set_title(", ".join(f"{name} = {value}" for name, value in {first: value, **rest}.items()), fontsize=10)
    plt.show()
    return figure


def _sliders(draw, size, choices):
    import ipywidgets
    import matplotlib.pyplot as plt

    def show(**chosen):
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        draw(axes, **chosen)
        plt.show()
        plt.close(figure)

    ipywidgets.interact(show, **{name: ipywidgets.SelectionSlider(options=list(values), value=values[len(values) // 2])
                                 for name, values in choices.items()})
