"""A line as small as a word: how engagement came to be what it is."""

from __future__ import annotations

from functools import lru_cache
from itertools import compress
from typing import TYPE_CHECKING, Final

import numpy as np

from engagekit.show.markup import Markup, escaped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.model.lifecycle import Levels

WIDTH, HEIGHT = 360.0, 56.0
_EDGE: Final = 4.0
"""Above 100 and below 0, so that the end of the line is drawn whole."""
_VIEW: Final = f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
_TENTHS: Final = tuple(f"{tenth / 10:.1f}" for tenth in range(int(10 * HEIGHT) + 1))
"""How far from the top: there are no others, and to write a number takes longer than to look it up."""

SPARKLINE_CSS: Final = (
    ".ek .spark{display:block;width:100%;height:56px;overflow:visible}"
    ".ek .spark .area{fill:var(--track)}"
    ".ek .spark .line,.ek .spark .end,.ek .spark .bound{fill:none;vector-effect:non-scaling-stroke}"
    ".ek .spark .line{stroke:var(--ink);stroke-width:1.6;stroke-linejoin:round}"
    ".ek .spark .end{stroke:var(--ink);stroke-width:6;stroke-linecap:round}"
    ".ek .spark .bound{stroke:var(--line);stroke-width:1}"
)


def _heights(engagement: NDArray[np.float64]) -> list[str]:
    """Write how far from the top each engagement stands."""
    heights = _EDGE + (HEIGHT - 2 * _EDGE) * (1 - engagement / 100)
    return [_TENTHS[tenth] for tenth in np.rint(10 * heights).astype(int).tolist()]


@lru_cache(maxsize=8)
def _places(count: int) -> tuple[str, ...]:
    """Say how far from the left each of so many instants stands."""
    step = WIDTH / max(1, count - 1)
    return tuple(f"{place * step:g}" for place in range(count))


@lru_cache(maxsize=64)
def _bounds(levels: Levels) -> tuple[str, str]:
    """Draw the bounds of the levels; give the lowest too, which is that of nothing."""
    floor, *others = _heights(np.array([0.0, levels.medium, levels.high]))
    path = "".join(f"M0 {each}H{WIDTH:g}" for each in (floor, *others))
    return floor, f'<path class="bound" d="{path}"/>'


def sparkline(course: NDArray[np.float64], levels: Levels, label: str) -> Markup:
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
    >>> drawn = sparkline(np.array([np.nan, 0.0, 100.0]), Levels(), "rising")
    >>> 'class="line" d="M180 52.0L360 4.0"' in drawn
    True
    """
    known = ~np.isnan(course)
    across = list(compress(_places(len(course)), known.tolist()))
    points = [f"{x} {y}" for x, y in zip(across, _heights(course[known]), strict=True)]
    floor, drawn = _bounds(levels)
    if points:
        line, first, last = f"M{'L'.join(points)}", across[0], points[-1]
        drawn = (
            f'<path class="area" d="{line}V{floor}H{first}Z"/>{drawn}'
            f'<path class="line" d="{line}"/><path class="end" d="M{last}h0"/>'
        )
    return Markup(
        f'<svg class="spark" {_VIEW} preserveAspectRatio="none" role="img" '
        f'aria-label="{escaped(label)}">{drawn}</svg>'
    )
