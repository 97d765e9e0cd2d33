"""What pictures have in common: their frame, names that fit into their room, colours of phases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from engagekit.show.letters import extent, fitted
from engagekit.show.markup import Markup, clean, element
from engagekit.show.theme import scoped

if TYPE_CHECKING:
    from engagekit.model import Model
    from engagekit.show.look import Look

CSS: Final = ".ek .picture,svg.ek{max-width:100%;height:auto;display:block}"
NOBODY: Final = "var(--faint)"
"""The colour of those without any activity."""


class Picture(ABC):
    """What is looked at: it knows its look, and a notebook shows it by itself."""

    css: ClassVar[str]
    """The style of what is drawn."""

    def __init__(self, look: Look) -> None:
        self._words, self._theme = look.words, look.theme

    @abstractmethod
    def panels(self) -> Iterable[Markup]:
        """Draw what stands below each other, without a style."""

    @property
    def svg(self) -> str:
        """The picture, as SVG that brings its style; of several the one after the other."""
        return "".join(alone(panel, self.css, self._theme) for panel in self.panels())

    def _repr_html_(self) -> str:
        return self.svg


def picture(
    width: float, height: float, title: str, description: str, *children: object, name: str
) -> Markup:
    """Put what is drawn into the frame of a picture, with a title and a description for screen readers."""
    return element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "picture",
            "role": "img",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": width,
            "height": height,
        },
        element("title", {}, clean(title)),
        element("desc", {}, clean(description)),
        element("g", {"class": name}, *children),
    )


def alone(drawn: Markup, css: str, theme: str | None) -> str:
    """Give a picture its style, so that it can stand by itself, in a file or in a page of anybody's."""
    scope, style = scoped(CSS + css)
    forced = "" if theme is None else f' data-theme="{theme}"'
    head, start, rest = drawn.partition('class="')
    return f"{head}{start}{scope} {rest}".replace("<title>", f"<style>{style}</style><title>", 1).replace(
        "<svg ", f"<svg{forced} ", 1
    )


def colours_of(model: Model) -> dict[str, str]:
    """Give every phase a colour: shades of its half, the stronger the earlier, and the last one alarms.

    Examples
    --------
    >>> import engagekit as ek
    >>> colours = colours_of(ek.presets.load("customer_engagement_index"))
    >>> colours["sales"], colours["exit"]
    ('var(--prospect)', 'var(--alarm)')
    """
    made: dict[str, str] = {}
    for half in ("prospect", "customer"):
        names = list(dict.fromkeys(phase.name for phase in model.phases if phase.half == half))
        if half == "customer" and len(names) > 1:
            made.setdefault(names.pop(), "var(--alarm)")
        for place, name in enumerate(names):
            share = 100 - round(55 * place / max(len(names) - 1, 1))
            shade = f"color-mix(in srgb,var(--{half}) {share}%,var(--paper))"
            made.setdefault(name, f"var(--{half})" if share == 100 else shade)
    return made


def legend(
    entries: Iterable[tuple[str, str]], width: float, *, left: float = 0, top: float = 0
) -> tuple[list[Markup], float]:
    """Set colours and what they mean in lines; return them and the height that they take."""
    made, x, y = [], left, top
    for colour, text in entries:
        shown = fitted(text, 11, 150)
        needed = 14 + extent(shown, 11) + 10
        if x > left and x + needed > left + width:
            x, y = left, y + 18
        made.append(element("rect", {"x": x, "y": y + 2, "width": 9, "height": 9, "rx": 2, "fill": colour}))
        made.append(element("text", {"x": x + 14, "y": y + 10, "class": "small"}, shown))
        x += needed
    return made, y + 18 - top if made else 0.0
