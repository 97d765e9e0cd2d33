"""Areas stacked upon each other: what adds above the base line, what takes away below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import define

if TYPE_CHECKING:
    from numpy.typing import NDArray


@define(kw_only=True, eq=False)
class Stack:
    """Areas between two curves, layer by layer, at shared places.

    A layer above the base line lies between `bottom` and `top`, one below it between `ceiling` and `floor`;
    at each place only one of the two has any height.
    """

    places: NDArray[np.float64]
    bottom: NDArray[np.float64]
    top: NDArray[np.float64]
    ceiling: NDArray[np.float64]
    floor: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """What the layers add up to, by place."""
        above, below = (self.top - self.bottom).sum(axis=0), (self.ceiling - self.floor).sum(axis=0)
        return np.asarray(above - below)


def stacked(places: NDArray[np.float64], values: NDArray[np.float64]) -> Stack:
    """Stack layers whose values may have either sign.

    Between two places a layer is a straight line. Where it changes its sign there is a place of its own, so
    that the areas on both sides of the base line are exactly the layer's.

    Parameters
    ----------
    places
        Ascending.
    values
        Layers x places; the first layer lies nearest to the base line.

    Examples
    --------
    >>> found = stacked(np.array([0.0, 10.0]), np.array([[5.0, 5.0], [10.0, -10.0]]))
    >>> found.places.tolist(), found.top[1].tolist(), found.floor[1].tolist()
    ([0.0, 5.0, 10.0], [15.0, 5.0, 5.0], [0.0, 0.0, -10.0])
    """
    one, other = values[:, :-1], values[:, 1:]
    layer, place = np.nonzero(np.sign(one) * np.sign(other) < 0)
    share = one[layer, place] / (one[layer, place] - other[layer, place])
    turns = places[place] + share * (places[place + 1] - places[place])
    everywhere = np.union1d(places, turns)
    drawn = np.array([np.interp(everywhere, places, each) for each in values]).reshape(-1, len(everywhere))
    above, below = np.maximum(drawn, 0.0), np.minimum(drawn, 0.0)
    top, floor = np.cumsum(above, axis=0), np.cumsum(below, axis=0)
    return Stack(places=everywhere, bottom=top - above, top=top, ceiling=floor - below, floor=floor)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Choose round numbers for an axis from `low` to `high`.

    Examples
    --------
    >>> ticks(0, 87), ticks(-3, 4, 4)
    ([0.0, 20.0, 40.0, 60.0, 80.0], [-2.0, 0.0, 2.0, 4.0])
    """
    span = high - low
    if not span > 0 or not np.isfinite(span):
        return [0.0]
    size = 10.0 ** np.floor(np.log10(span / most))
    step = float(next(size * nice for nice in (1, 2, 5, 10, 20) if span / (size * nice) <= most))
    return [step * place for place in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
