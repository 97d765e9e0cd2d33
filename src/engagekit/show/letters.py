"""How much room text takes where nothing wraps it: in a drawing."""

from __future__ import annotations

import unicodedata
from typing import Final

from engagekit.show.markup import clean, isolated, shortened

_NARROW: Final = frozenset("iljtfrI.,:;'|!()[] -")
_BROAD: Final = frozenset("mwMW@%&—")


def extent(text: str, size: float) -> float:
    """Say how wide text is at most, in a common font; there is no way to ask the reader's.

    Examples
    --------
    >>> extent("sales", 10) < extent("SALES", 10) < extent("営業部門長", 10)
    True
    """
    return size * sum(map(_width, text))


def _width(letter: str) -> float:
    if letter in _NARROW:
        return 0.4
    if letter in _BROAD:
        return 1.0
    if letter.isascii():
        return 0.78 if letter.isupper() else 0.64
    if unicodedata.combining(letter):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(letter) in "WF" else 0.8


def fitted(text: str, size: float, room: float) -> str:
    """Clean text and cut it to what fits; nothing where not even three letters do.

    Examples
    --------
    >>> fitted("retention", 10, 70), fitted("retention", 10, 40), fitted("retention", 10, 15)
    ('retention', 'retent…', '')
    """
    whole = clean(text)
    if extent(whole[:200], size) <= room:
        return isolated(whole)
    kept = min(len(whole), 200)
    while kept >= 3 and extent(cut := shortened(whole, kept), size) > room:
        kept -= 1
    return isolated(cut) if kept >= 3 else ""


def sized(text: str, sizes: tuple[float, ...], room: float) -> tuple[str, float]:
    """Return text and the largest size in which it is whole; at the smallest it is cut to what fits.

    Examples
    --------
    >>> sized("retention", (12, 10, 8), 55), sized("retention", (12, 10), 40)
    (('retention', 10), ('retent…', 10))
    """
    whole = isolated(clean(text))
    for size in sizes:
        shown = fitted(text, size, room)
        if shown == whole:
            break
    return shown, size
