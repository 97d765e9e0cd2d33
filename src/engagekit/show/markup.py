"""Text from anywhere, made safe to stand in HTML and SVG; and elements, whose every part is escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from html import escape
from typing import Final

LONGEST: Final = 40
"""Letters of a name that are shown; the whole of it stands in its title."""
LONGEST_TITLE: Final = 10_000
_MOST_MARKS: Final = 3
"""Accents on one letter that are kept: some scripts need two or three, a tower of them covers other lines."""
_JOINERS: Final = "\u200c\u200d"
"""What emoji and some scripts join letters by, or keep them apart."""


class Markup(str):
    """HTML or SVG, which templates take as it is: all that was not markup in it has been escaped."""

    __slots__ = ()

    def __html__(self) -> Markup:
        return self


def escaped(part: object) -> str:
    """Escape what is no markup.

    Examples
    --------
    >>> escaped("a < b"), escaped(Markup("<b>"))
    ('a &lt; b', '<b>')
    """
    if isinstance(part, Markup):
        return part
    text = str(part)
    # most texts have none of these, and to look for them costs less than to replace them
    special = "&" in text or "<" in text or ">" in text or '"' in text or "'" in text
    return escape(text) if special else text


def clean(text: object) -> str:
    r"""Make text of anything such that it can move nothing but itself.

    White space becomes a space. What cannot be seen, or would turn the direction of what follows, is shown
    as an escape: control characters, NUL, overrides of direction, halves of surrogate pairs. What is longer
    than anybody reads is cut.

    Examples
    --------
    >>> clean("ann\tlee"), clean("ann\x00"), clean("\u202eeel")
    ('ann lee', 'ann\\x00', '\\u202eeel')
    """
    whole = str(text)[: LONGEST_TITLE + 1]
    if whole.isascii() and whole.isprintable():
        return whole
    shown: list[str] = []
    marks = 0
    for letter in whole:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks > _MOST_MARKS:
            continue
        if letter.isspace():
            shown.append(" ")
        elif letter.isprintable() or letter in _JOINERS:
            shown.append(letter)
        else:
            shown.append(ascii(letter)[1:-1])
    return "".join(shown)[: LONGEST_TITLE + 1]


def shortened(text: str, longest: int = LONGEST) -> str:
    """Cut text that is too long, and say so by an ellipsis.

    Examples
    --------
    >>> shortened("Wolfeschlegelsteinhausenbergerdorff", 12)
    'Wolfeschleg…'
    """
    if len(text) <= longest:
        return text
    kept = longest - 1
    # never between a letter and what belongs to it
    while kept > 1 and (
        text[kept] in _JOINERS or unicodedata.combining(text[kept]) or text[kept - 1] in _JOINERS
    ):
        kept -= 1
    return f"{text[:kept].rstrip()}…"


def isolated(text: str) -> str:
    r"""Keep text that runs from right to left from turning what stands beside it, where no tag can.

    Examples
    --------
    >>> isolated("ann"), isolated("\u05d0")
    ('ann', '\u2068א\u2069')
    """
    turns = not text.isascii() and any(
        unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text
    )
    return f"\u2068{text}\u2069" if turns else text


def name(text: object, longest: int = LONGEST) -> Markup:
    """Show a name that comes from outside: cleaned, cut, isolated in its direction, whole in its title.

    Examples
    --------
    >>> name("Tom & Jerry"), name("Wolfeschlegelstein", 8)
    ('<bdi>Tom &amp; Jerry</bdi>', '<bdi title="Wolfeschlegelstein">Wolfesc…</bdi>')
    """
    whole = clean(text)
    shown = shortened(whole, longest)
    title = "" if shown == whole else f' title="{escaped(shortened(whole, LONGEST_TITLE))}"'
    return Markup(f"<bdi{title}>{escaped(shown)}</bdi>")


def number(value: float) -> str:
    """Write a number of a drawing, to a hundredth.

    Examples
    --------
    >>> number(12.0), number(-0.001), number(1 / 3)
    ('12', '0', '0.33')
    """
    if type(value) is int:
        return str(value)
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(tag: str, attributes: Mapping[str, object] | None = None, *children: object) -> Markup:
    """Make an element of SVG or HTML; children that are no markup are text.

    Parameters
    ----------
    tag
        Its name.
    attributes
        Values are escaped; numbers are written to a hundredth; one that is None is left out.
    children
        What stands in it.

    Examples
    --------
    >>> element("text", {"x": 1 / 3, "class": None}, "a < b")
    '<text x="0.33">a &lt; b</text>'
    >>> element("g", {}, element("path", {"d": "M0 0"}))
    '<g><path d="M0 0"/></g>'
    """
    opened = tag
    for key, value in (attributes or {}).items():
        if value is not None:
            text = number(value) if isinstance(value, (int, float)) else escaped(str(value))
            opened = f'{opened} {key}="{text}"'
    if not children:
        return Markup(f"<{opened}/>")
    return Markup(f"<{opened}>{''.join(map(escaped, children))}</{tag}>")
