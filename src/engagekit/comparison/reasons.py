"""Why contacts changed: the rule, and the channel, whose contribution differs most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit.explain import Origin, shares
from engagekit.frames import Out
from engagekit.running import attach, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS = 1 << 22
"""Contributions (rules x contacts) that are held at once."""
_MOST_ROWS = 1 << 16
_NOISE = 1e-9
"""What rounding may leave of a contribution that did not change, relative to the scores."""


class Contributions:
    """The contributions of one side's rules, a block of contacts at a time."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self.names = origin.plan.names
        self._scorer = attach(origin.plan, origin.events)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return rules x rows; a row of -1 has contributions of 0."""
        plan, there = self._origin.plan, rows >= 0
        jobs = self._origin.some(rows[there])
        numbers = run(plan, self._origin.events, jobs, threads=None, sums=True, scorer=self._scorer)
        some = shares(plan, numbers.sums, numbers.columns["half"]).contribution
        if there.all():
            return some
        every = np.zeros((len(self.names), len(rows)))
        every[:, there] = some
        return every


def by_rule(
    before: Origin,
    after: Origin,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    size: NDArray[np.float64],
) -> tuple[Out, Out]:
    """Find the rule whose contribution changed most, for each pair of rows.

    Parameters
    ----------
    before, after
        The two sides.
    rows
        The contacts' rows on either side, -1 where a side does not have them.
    size
        How large the contacts' scores are.

    Returns
    -------
    tuple of Out
        Its name (null: nothing changed) and the change; rules of one name are one rule.

    Notes
    -----
    The kernel sums both sides again, for these contacts alone and in blocks, so that memory does not grow
    with rules times contacts.
    """
    sides = (Contributions(before), Contributions(after))
    names = list(dict.fromkeys([*sides[0].names, *sides[1].names]))
    places = [np.array([names.index(name) for name in side.names]) for side in sides]
    count = len(rows[0])
    best, change = np.empty(count, np.int32), np.empty(count)
    step = min(_MOST_ROWS, max(1024, _CELLS // len(names)))
    for first in range(0, count, step):
        last = min(first + step, count)
        differing = np.zeros((len(names), last - first))
        differing[places[1]] = sides[1].of(rows[1][first:last])
        differing[places[0]] -= sides[0].of(rows[0][first:last])
        best[first:last], change[first:last] = _largest(differing)
    return _named(names, best, change, size)


def by_channel(
    tables: Sequence[Mapping[str, Out]],
    channels: Sequence[str],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    size: NDArray[np.float64],
) -> tuple[Out, Out]:
    """Find the channel whose C(ch) changed most, as `by_rule` does; one that a side lacks is 0 there."""
    differing = np.zeros((len(channels), len(rows[0])))
    for sign, table, mine in zip((-1, 1), tables, rows, strict=True):
        there = mine >= 0
        for place, name in enumerate(channels):
            if f"channel_{name}" in table:
                differing[place, there] += sign * table[f"channel_{name}"].values[mine[there]]
    return _named(channels, *_largest(differing), size)


def _largest(differing: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the row with the largest size in each column, the first of equals, and what stands there."""
    best = np.abs(differing).argmax(axis=0)
    return best, differing[best, np.arange(differing.shape[1])]


def _named(
    names: Sequence[str], best: NDArray[Any], change: NDArray[np.float64], size: NDArray[np.float64]
) -> tuple[Out, Out]:
    none = np.abs(change) <= _NOISE * np.maximum(1.0, size)
    codes = np.where(none, -1, best).astype(np.int32)
    return Out("category", codes, categories=list(names)), Out("float", np.where(none, 0.0, change))
