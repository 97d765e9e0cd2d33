"""A line as small as a word: how engagement came to be what it is."""

from __future__ import annotations

from functools import lru_cache
from math import isnan
from typing import TYPE_CHECKING, Final

from engagekit.show.markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagekit.model.lifecycle import Levels

WIDTH, HEIGHT = 360.0, 56.0
_EDGE: Final = 4.0
"""Above 100 and below 0, so that the end of the line is drawn whole."""

SPARKLINE_CSS: Final = (
    ".ek .spark{display:block;width:100%;height:56px;overflow:visible}"
    ".ek .spark .area{fill:var(--track)}"
    ".ek .spark .line,.ek .spark .end,.ek .spark .bound{fill:none;vector-effect:non-scaling-stroke}"
    ".ek .spark .line{stroke:var(--ink);stroke-width:1.6;stroke-linejoin:round}"
    ".ek .spark .end{stroke:var(--ink);stroke-width:6;stroke-linecap:round}"
    ".ek .spark .bound{stroke:var(--line);stroke-width:1}"
)


def height_of(engagement: float) -> float:
    """Say how far from the top an engagement stands."""
    return _EDGE + (HEIGHT - 2 * _EDGE) * (1 - engagement / 100)


@lru_cache(maxsize=8)
def _places(count: int) -> tuple[str, ...]:
    """Say how far from the left each of so many instants stands."""
    step = WIDTH / max(1, count - 1)
    return tuple(f"{place * step:g}" for place in range(count))


def sparkline(course: Sequence[float], levels: Levels, label: str) -> Markup:
    """Draw engagement from 0 to 100 over time, from the first that is known; with the bounds of the levels.

    Parameters
    ----------
    course
        Engagement at evenly spaced instants; NaN where there was none yet.
    levels
        Whose bounds are drawn.
    label
        What a screen reader says.

    Examples
    --------
    >>> from engagekit.model.lifecycle import Levels
    >>> drawn = sparkline([float("nan"), 0.0, 100.0], Levels(), "rising")
    >>> 'class="line" d="M180 52.0L360 4.0"' in drawn
    True
    """
    known = [(x, each) for x, each in zip(_places(len(course)), course, strict=True) if not isnan(each)]
    points = [f"{x} {height_of(each):.1f}" for x, each in known]
    bounds = "".join(f"M0 {height_of(each):.1f}H{WIDTH:g}" for each in (0.0, levels.medium, levels.high))
    drawn = [element("path", {"class": "bound", "d": bounds})]
    if points:
        line, first, last = f"M{'L'.join(points)}", known[0][0], points[-1]
        floor = f"{height_of(0.0):.1f}"
        drawn = [
            element("path", {"class": "area", "d": f"{line}V{floor}H{first}Z"}),
            *drawn,
            element("path", {"class": "line", "d": line}),
            element("path", {"class": "end", "d": f"M{last}h0"}),
        ]
    attributes = {
        "class": "spark",
        "viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}",
        "preserveAspectRatio": "none",
        "role": "img",
        "aria-label": label,
    }
    return element("svg", attributes, *drawn)
