"""Colours and fonts of everything that is shown, light and dark, and styles that reach nothing else."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Final

from engagekit.errors import EngagekitError
from engagekit.show.markup import Markup

THEMES: Final = ("light", "dark")
FONT: Final = (
    'Inter,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",'
    '"Noto Sans","Liberation Sans",Arial,sans-serif'
)

LIGHT: Final = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "quiet": "#5a626d",
    "faint": "#8b94a0",
    "line": "#e1e5ea",
    "track": "#eef1f4",
    "prospect": "#2b69ad",
    "prospect-soft": "#dfe9f5",
    "customer": "#19735d",
    "customer-soft": "#dbeee8",
    "alarm": "#b84a14",
    "alarm-soft": "#f8e5da",
    "on-fill": "#ffffff",
    "series-1": "#2b69ad",
    "series-2": "#d07a2d",
    "series-3": "#2b8f75",
    "series-4": "#ad4f78",
    "series-5": "#8266b8",
    "series-6": "#a98c1f",
    "series-7": "#3f9abd",
    "series-8": "#75818e",
}
"""Quiet where nothing is to be said; text on paper has a contrast of at least 4.5, marks of at least 3."""

DARK: Final = {
    "paper": "#14171c",
    "ink": "#e8ebef",
    "quiet": "#a4adb9",
    "faint": "#717b88",
    "line": "#2c323a",
    "track": "#22272e",
    "prospect": "#6fa8e8",
    "prospect-soft": "#1d3047",
    "customer": "#4cbd9d",
    "customer-soft": "#163a30",
    "alarm": "#f0905a",
    "alarm-soft": "#472a1a",
    "on-fill": "#10141a",
    "series-1": "#6fa8e8",
    "series-2": "#f0a15c",
    "series-3": "#56c2a3",
    "series-4": "#dd86ab",
    "series-5": "#ae95e3",
    "series-6": "#d3b84f",
    "series-7": "#71c4e3",
    "series-8": "#98a4b2",
}

SERIES: Final = tuple(f"var(--series-{number})" for number in range(1, 9))
"""Colours of what stands side by side and has no order, such as channels; told apart by the colour-blind."""


def _properties(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


@cache
def scoped(css: str) -> tuple[str, Markup]:
    """Give a style a class of its own, and set out colours and fonts for what has it.

    Parameters
    ----------
    css
        Rules, in which ``.ek`` stands for the class; nothing in it may come from outside.

    Returns
    -------
    tuple of str and Markup
        The class, and the text of a style element. The class is made of a digest of the rules: the same style
        twice on a page is harmless, and that of another version never meets it.

    Notes
    -----
    Without ``data-theme`` the reader's system decides between light and dark; ``data-theme="light"`` or
    ``"dark"`` on the element forces one.

    Examples
    --------
    >>> scope, style = scoped(".ek b{color:var(--ink)}")
    >>> scope in style, ".ek " in style
    (True, False)
    """
    dark = _properties(DARK) + "color-scheme:dark;"
    whole = (
        f".ek{{{_properties(LIGHT)}color-scheme:light;font-family:{FONT};color:var(--ink)}}"
        f'@media (prefers-color-scheme:dark){{.ek:not([data-theme="light"]){{{dark}}}}}'
        f'.ek[data-theme="dark"]{{{dark}}}{css}'
    )
    digest = blake2b(whole.encode(), digest_size=4).hexdigest()
    scope = f"ek-{digest}"
    return scope, Markup(whole.replace(".ek", f".{scope}"))


def theme_of(theme: str | None) -> str | None:
    """Check the name of a theme; None: as the reader's system has it."""
    if theme is not None and theme not in THEMES:
        raise EngagekitError(f"theme=: expected 'light', 'dark' or None, got {theme!r}")
    return theme
