"""Small tables for people: lines of text for a terminal, HTML for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

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


_CSS: Final = (
    ".ek.ek{max-width:100%;overflow-x:auto;font-size:13.5px;line-height:1.45;background:var(--paper);"
    "padding:2px 12px}"
    ".ek.ek p{margin:.5em 0}"
    ".ek.ek table{border-collapse:collapse;border:0;margin:1em 0;color:inherit;font-size:13px;"
    "font-variant-numeric:tabular-nums}"
    ".ek.ek caption{caption-side:top;text-align:left;font-weight:600;font-size:13.5px;padding:0 0 2px;"
    "color:inherit;white-space:nowrap}"
    ".ek.ek tr:nth-child(n){background:none}"
    ".ek.ek th,.ek.ek td{text-align:left;vertical-align:baseline;white-space:nowrap;border:0;"
    "padding:4px 20px 4px 0}"
    ".ek.ek th{font-weight:400;font-size:12px;color:var(--quiet)}"
    ".ek.ek td{border-top:1px solid var(--line)}"
    ".ek.ek :is(th,td).right{text-align:right}"
)


def page(*parts: str) -> str:
    """Put paragraphs and tables into one element, with the colours and fonts of all that is shown."""
    from engagekit.show.theme import scoped

    scope, css = scoped(_CSS)
    return f'<div class="{scope}"><style>{css}</style>{"".join(parts)}</div>'


def paragraph(text: str) -> str:
    """Set text as a paragraph of HTML."""
    return f"<p>{escape(text)}</p>"


def html_table(rows: Sequence[Sequence[str]], caption: str, right: range) -> str:
    """Set rows, the first of them the heads, as a table of a `page`; figures in the columns `right`."""
    heads, *others = (_html_row(row, not number, right) for number, row in enumerate(rows))
    return (
        f"<table><caption>{escape(caption)}</caption><thead>{heads}</thead>"
        f"<tbody>{''.join(others)}</tbody></table>"
    )


def _html_row(row: Sequence[str], heads: bool, right: range) -> str:
    cells = (_html_cell(cell, heads, column in right) for column, cell in enumerate(row))
    return f"<tr>{''.join(cells)}</tr>"


def _html_cell(text: str, heads: bool, to_the_right: bool) -> str:
    tag, scope = ("th", ' scope="col"') if heads and text else ("td", "")
    side = ' class="right"' if to_the_right else ""
    # Figure spaces are as wide as digits, so that what is set right among them stays so.
    shown = escape(text.rstrip()).replace("  ", "\u2007\u2007")
    if shown.startswith(" "):
        shown = "\u2007" + shown[1:]
    return f"<{tag}{scope}{side}>{shown}</{tag}>"
