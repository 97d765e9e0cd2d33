"""Comparing: contacts that both results have are met, and those that changed are picked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define, evolve

from engagekit.comparison.reasons import by_channel, by_rule
from engagekit.comparison.report import CHANGED, GONE, NEW, Comparison, Moves
from engagekit.errors import EventsError
from engagekit.explain import Origin
from engagekit.frames import Out
from engagekit.keys import Keys, joined, met

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.model import Model

CATEGORIES = ("phase", "level", "half", "stage", "rating")
"""What a contact changes, where both results have it."""
NUMBERS = ("score", "engagement")


@define(kw_only=True, eq=False)
class Side:
    """One of the two results."""

    model: Model
    at: datetime | None
    keys: Keys
    table: Mapping[str, Out]
    origin: Origin | None
    """None: only what the table has can be said."""


@define
class _Pairs:
    """The rows of the same contact on both sides, -1 where a side does not have it."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]

    @property
    def both(self) -> NDArray[np.bool_]:
        return (self.before >= 0) & (self.after >= 0)

    def some(self, chosen: NDArray[Any]) -> _Pairs:
        return _Pairs(self.before[chosen], self.after[chosen])


def compare(before: Side, after: Side, *, kind: str) -> Comparison:
    """Compare two results; see `Scores.compare`."""
    key = before.keys.name
    if after.keys.name != key:
        raise EventsError(
            f"compare: expected scores with the key {key!r}, got some with the key {after.keys.name!r}"
        )
    shared = [name for name in CATEGORIES if name in before.table and name in after.table]
    if key in _taken(shared):
        raise EventsError(f"compare: expected a key of a name that the result does not have, got {key!r}")
    pairs = _paired(before, after)
    codes = {name: _coded(before.table[name], after.table[name], pairs) for name in shared}
    differs = np.any([one != other for one, other, _ in codes.values()], axis=0)
    chosen = np.flatnonzero(differs | ~pairs.both)
    some = pairs.some(chosen)
    sides = _sides(before, after, some)
    numbers = {name: [_numbers(side.table[name], rows) for side, rows in sides] for name in NUMBERS}
    was, now = (np.nan_to_num(values) for values in numbers["score"])
    # the kernel is quickest with contacts in their order; only what comes out is sorted
    reasons = _reasons(before, after, some, np.maximum(np.abs(was), np.abs(now)))
    order = np.argsort(-np.abs(now - was), kind="stable")
    chosen, some = chosen[order], some.some(order)
    columns = {key: _key(before.keys, after.keys, some), "change": _change(some)}
    for name, (one, other, words) in codes.items():
        columns[f"{name}_before"] = Out("category", one[chosen], categories=words)
        columns[f"{name}_after"] = Out("category", other[chosen], categories=words)
    for name, values in numbers.items():
        for which, each in zip(("before", "after"), values, strict=True):
            columns[f"{name}_{which}"] = Out("float", each[order])
    columns |= {name: evolve(out, values=out.values[order]) for name, out in reasons.items()}
    return Comparison(
        models=(before.model, after.model),
        at=(before.at, after.at),
        contacts=len(pairs.before),
        key=key,
        columns=columns,
        moves={name: _moves(*codes[name], pairs.both) for name in shared},
        kind=kind,
    )


def crossings(before: Side, after: Side, name: str) -> tuple[list[str], NDArray[np.int64]]:
    """Count who stands where in a category before and after, those who stay among them.

    Returns
    -------
    words, counts
        The category's words; and a matrix of contacts, before by after, whose last row and column are those
        without any: a null, or no row on that side.
    """
    pairs = _paired(before, after)
    one, other, words = _coded(before.table[name], after.table[name], pairs)
    size = len(words) + 1
    # -1 is the last place of either side
    places = (one % size).astype(np.int64) * size + other % size
    return words, np.bincount(places, minlength=size * size).reshape(size, size)


def _taken(shared: Sequence[str]) -> set[str]:
    names = {f"{name}_{which}" for name in (*shared, *NUMBERS) for which in ("before", "after")}
    return names | {"change", "rule", "rule_change", "channel", "channel_change"}


def _paired(before: Side, after: Side) -> _Pairs:
    """Meet the contacts: those of the first result in its order, then the others of the second."""
    known = len(before.keys)
    if before.at is not None and after.at is not None and before.keys.same_as(after.keys):
        return _Pairs(np.arange(known), np.arange(known))
    _, codes = met(before.keys, after.keys, ("these scores", "the other scores"))
    rows = np.full(known, -1, np.int64)
    common = codes < known
    rows[codes[common]] = np.flatnonzero(common)
    new = np.flatnonzero(~common)
    return _Pairs(np.concatenate([np.arange(known), np.full(len(new), -1)]), np.concatenate([rows, new]))


def _sides(before: Side, after: Side, pairs: _Pairs) -> list[tuple[Side, NDArray[np.int64]]]:
    return [(before, pairs.before), (after, pairs.after)]


def _coded(one: Out, other: Out, pairs: _Pairs) -> tuple[NDArray[np.int32], NDArray[np.int32], list[str]]:
    """Code a category of both sides by the same words, -1 for null and where a side has no row."""
    sides = [one.coded(), other.coded()]
    words = list(dict.fromkeys([*sides[0][1], *sides[1][1]]))
    made = []
    for (codes, own), rows in zip(sides, (pairs.before, pairs.after), strict=True):
        places = np.array([*(words.index(word) for word in own), -1], np.int32)
        # -1 finds the last entry, here as there
        made.append(places[np.append(codes, np.int32(-1))[rows]])
    return made[0], made[1], words


def _numbers(out: Out, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.append(out.values, np.nan)[rows]


def _key(before: Keys, after: Keys, pairs: _Pairs) -> Out:
    known = pairs.before >= 0
    whole = joined(before, pairs.before[known], after, pairs.after[~known])
    places = np.empty(len(known), np.int64)
    places[known] = np.arange(int(known.sum()))
    places[~known] = np.arange(int(known.sum()), len(known))
    return Keys(whole, before.name).taken(places)


def _change(pairs: _Pairs) -> Out:
    codes = np.where(pairs.both, CHANGED, np.where(pairs.before < 0, NEW, GONE)).astype(np.int32)
    return Out("category", codes, categories=["changed", "new", "gone"])


def _moves(
    one: NDArray[np.int32], other: NDArray[np.int32], words: list[str], both: NDArray[np.bool_]
) -> Moves:
    """Count who went from where to where, the most first."""
    moved = both & (one != other)
    size = len(words) + 1
    pairs = (one[moved] + 1) * size + other[moved] + 1
    counts = np.bincount(pairs, minlength=size * size)
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    named = [None, *words]
    return {(named[pair // size], named[pair % size]): int(counts[pair]) for pair in order.tolist()}


def _reasons(before: Side, after: Side, pairs: _Pairs, size: NDArray[np.float64]) -> dict[str, Out]:
    """Name the rule and the channel that changed most; rules only where both sides have their events."""
    rows = (pairs.before, pairs.after)
    channels = list(dict.fromkeys([*before.model.channel_names, *after.model.channel_names]))
    channel, channel_change = by_channel((before.table, after.table), channels, rows, size)
    if before.origin is None or after.origin is None:
        rule = Out("category", np.full(len(size), -1, np.int32), categories=[])
        rule_change = Out("float", np.full(len(size), np.nan))
    else:
        rule, rule_change = by_rule(before.origin, after.origin, rows, size)
    return {
        "rule": rule,
        "rule_change": rule_change,
        "channel": channel,
        "channel_change": channel_change,
    }
