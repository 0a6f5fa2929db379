"""A report as HTML without scripts, for a notebook: table, findings, maps of the gradients."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .wording import more_about, sentence_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .report import InputReport, Report

MOST = 24                                    # rows and columns of a map
CELL = "width:14px;height:14px;padding:0;border:1px solid #fff"


def as_html(report: Report) -> str:
    """The whole report as one ``<div>``."""
    wrong = [one.name for one in report.inputs if not one.ok]
    head = f"wrong in {', '.join(wrong)}" if wrong else "every gradient agrees with the numeric one"
    rows = "".join(f"<tr><td>{escape(one.name)}</td><td>{one.shape}</td><td>{one.compared}</td>"
                   f"<td>{f'{one.error:.1e}' if one.differentiated else ''}</td><td>{_verdict(one)}</td></tr>"
                   for one in report.inputs)
    parts = [f"<p><b>{escape(report.name)}</b>: {escape(head)}</p>",
             f"<table><tr><th>input</th><th>shape</th><th>compared</th><th>error</th><th></th></tr>{rows}</table>"]
    for one in report.inputs:
        for finding in one.findings:
            more = "".join(f"<br>{escape(line)}" for line in more_about(finding))
            parts.append(f"<p>{escape(one.name)}: {escape(sentence_of(finding))} <code>{finding.code}</code>{more}</p>")
        if not one.ok and one.analytic is not None and one.numeric is not None:
            parts.append(_maps(one))
    return f"<div>{''.join(parts)}</div>"


def _verdict(one: InputReport) -> str:
    if one.ok:
        return "ok" if one.differentiated else "no gradient needed"
    return '<b style="color:#D55E00">wrong</b>'


def _maps(one: InputReport) -> str:
    """The learner's gradient, the numeric one and their difference, side by side on one color scale."""
    known = np.where(np.isfinite(one.numeric), one.analytic, np.nan)
    scale = max(np.max(np.abs(a), initial=0, where=np.isfinite(a)) for a in (known, one.numeric))
    maps = "".join(f"<td style='vertical-align:top;padding:4px 12px'>{title}{_map(array, scale)}</td>" for title,
        array in (
        ("yours", known), ("numeric", one.numeric), ("difference", known - one.numeric)))
    return f"<table><tr>{maps}</tr></table><p>blue is negative, orange positive, up to ±{scale:.3g}</p>"


def _map(array: NDArray[Any], scale: float) -> str:
    flat = np.atleast_2d(array).reshape(-1, array.shape[-1] if array.ndim else 1)
    rows = ""
    for i, row in enumerate(flat[:MOST]):
        cells = "".join(f"<td title='[{i}, {j}] {value:.6g}' "
                        f"style='{CELL};background:{_color(value / scale if scale else 0)}'></td>"
                        for j, value in enumerate(row[:MOST]))
        rows += f"<tr>{cells}</tr>"
    more = (f"<p>the first {min(MOST, flat.shape[0])} × {min(MOST, flat.shape[1])} of {flat.shape[0]} × "
            f"{flat.shape[1]} entries</p>")
    return f"<table style='border-collapse:collapse'>{rows}</table>{more if max(flat.shape) > MOST else ''}"


def _color(t: float) -> str:
    """White at 0, blue at −1, orange at 1, gray where nothing was measured.

    Color-blind readers can distinguish these colors.
    """
    if not np.isfinite(t):
        return "#ccc"
    end = np.array([0x00, 0x72, 0xB2] if t < 0 else [0xD5, 0x5E, 0x00])
    r, g, b = (255 + min(abs(t), 1) * (end - 255)).astype(int)
    return f"#{r:02x}{g:02x}{b:02x}"
