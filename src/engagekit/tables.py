"""Small tables for people: lines of text for a terminal, HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np


def figure(points: float) -> str:
    """Write points as short as they can be understood.

    Examples
    --------
    >>> figure(51.6), figure(3.0), figure(-0.25), figure(0.00123)
    ('52', '3', '-0.2', '0.001')
    """
    if 0 < abs(points) < 0.05:
        return np.format_float_positional(points, 1, fractional=False, trim="-")
    text = f"{points + 0.0:,.1f}" if abs(points) < 10 else f"{points:,.0f}"
    return text.removesuffix(".0")


def tenths(points: float) -> str:
    """Write points to a tenth, so that a reader can add them up.

    Examples
    --------
    >>> tenths(51.62), tenths(3.0), tenths(-0.25), tenths(0.00123)
    ('51.6', '3', '-0.2', '0.001')
    """
    return figure(points) if 0 < abs(points) < 0.05 else f"{points + 0.0:,.1f}".removesuffix(".0")


def aligned(rows: Sequence[Sequence[str]], right: range = range(0)) -> str:
    """Set rows in columns two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in rows
    )


def paragraph(text: str) -> str:
    """Set text as a paragraph of HTML."""
    return f"<p>{escape(text)}</p>"


def html_table(rows: Sequence[Sequence[str]], caption: str, right: range) -> str:
    """Set rows, the first of them the heads, as a table of HTML; figures in the columns `right`."""
    return (
        '<table style="border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums">'
        '<caption style="caption-side:top;text-align:left;padding:0.3em 0.6em;font-weight:bold">'
        f"{escape(caption)}</caption>{''.join(_html_rows(rows, right))}</table>"
    )


def _html_rows(rows: Sequence[Sequence[str]], right: range) -> Iterator[str]:
    for number, row in enumerate(rows):
        cells = (_html_cell(cell, not number, column in right) for column, cell in enumerate(row))
        yield f"<tr>{''.join(cells)}</tr>"


def _html_cell(text: str, heads: bool, to_the_right: bool) -> str:
    style = f"text-align:{'right' if to_the_right else 'left'};white-space:nowrap;padding:0.2em 0.6em"
    tag, scope = ("th", ' scope="col"') if heads else ("td", "")
    if heads:
        style += ";font-weight:bold;border-bottom:1px solid"
    # Figure spaces are as wide as digits, so that what is set right among them stays so.
    shown = escape(text.rstrip()).replace("  ", "\u2007\u2007")
    if shown.startswith(" "):
        shown = "\u2007" + shown[1:]
    return f'<{tag}{scope} style="{style}">{shown}</{tag}>'
