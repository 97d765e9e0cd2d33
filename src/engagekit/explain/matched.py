"""The events of one contact that each rule matched, one by one, as the definitions have it.

The kernel adds them up without ever listing them; here they are listed, dropped ones included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define

from engagekit.events import Events
from engagekit.matching import Match
from engagekit.plan import CURVES, DECAYS, ON, UNLESS, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABSENCE, REPEAT = 1, 2


@define(kw_only=True)
class Matched:
    """Matched events of one rule, in order of time."""

    time: NDArray[np.int64]
    """When it counts from: of an absence the instant at which it matured."""
    type: NDArray[Any]
    """The code of the type of the event that it is, or (an absence) that it waited after."""
    raw: NDArray[np.float64]
    kept: NDArray[np.bool_]
    """False: dropped by the limit."""
    weight: NDArray[np.float64]
    """What the decay leaves of a point."""


def matched(
    plan: Plan, events: Events, at: int, table: Match, rules: Collection[int] | None = None
) -> dict[int, Matched]:
    """List the matched events of one contact up to an instant, by rule; rules without any are left out.

    Parameters
    ----------
    plan, events, at, table
        The plan, the contact's events, the instant, and how plan and events match.
    rules
        Which rules are asked about; None: all.
    """
    until = int(np.searchsorted(events.times, at, "right"))
    known = _Known(plan, table, events, until, at)
    found = {}
    for r, on, unless in _of_rules(plan, table, table.classes[:until], rules):
        one = known.of_rule(r, on, unless)
        if len(one.time):
            found[r] = one
    return found


def _of_rules(
    plan: Plan, table: Match, classes: NDArray[Any], rules: Collection[int] | None
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Give each rule's events (an absence's `after`) and those that prevent an absence, by place."""
    none = -1 if classes.dtype == np.int32 else np.iinfo(classes.dtype).max
    takes = np.zeros((len(plan.names), len(table.flags) + 1), np.uint8)
    rows = np.repeat(np.arange(len(table.flags)), np.diff(table.plain_start))
    takes[table.plain_rules, rows] = ON
    takes[plan.listed, :-1] = table.roles
    numbers = np.where(classes == none, len(table.flags), classes).astype(np.int64)
    present = np.unique(numbers)
    asked = np.flatnonzero((takes[:, present] & ON).any(axis=1)).tolist()
    for r in asked if rules is None else [r for r in asked if r in rules]:
        role = takes[r, numbers]
        yield r, np.flatnonzero(role & ON), np.flatnonzero(role & UNLESS)


class _Known:
    """The events up to the instant, and what the model's tables say of them."""

    def __init__(self, plan: Plan, table: Match, events: Events, until: int, at: int) -> None:
        self._plan, self._table, self._at = plan, table, at
        self._times, self._types = events.times[:until], events.types[:until]

    def of_rule(self, r: int, on: NDArray[np.int64], unless: NDArray[np.int64]) -> Matched:
        """List the matched events of a rule."""
        spec = self._plan.rules[r]
        by = self._by(spec, on)
        time, raw = self._times[on], np.full(len(on), float(spec["points"]))
        if spec["kind"] == ABSENCE:
            on, time = self._matured(spec, on, unless)
        elif spec["kind"] == REPEAT:
            on = on[_completing(time, by, int(spec["n"]), int(spec["within"]))]
            time = self._times[on]
        else:
            raw = self._raw(spec, on)
        if spec["kind"]:
            # `by` says whose absences and repeats these are; their limit counts them all together
            raw, by = np.full(len(on), float(spec["points"])), np.full(len(on), -1, np.int32)
        kept = _within_limit(spec, time, raw, by)
        order = np.argsort(time, kind="stable")
        weight = _decayed(spec, self._at - time)
        return Matched(
            time=time[order],
            type=self._types[on[order]],
            raw=raw[order],
            kept=kept[order],
            weight=weight[order],
        )

    def _by(self, spec: Any, places: NDArray[np.int64]) -> NDArray[np.int32]:
        if spec["by"] < 0:
            return np.full(len(places), -1, np.int32)
        column: NDArray[np.int32] = self._table.codes[spec["by"]]
        return column[places]

    def _raw(self, spec: Any, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points times amount times the weights that apply."""
        table = self._table
        raw = np.full(len(places), float(spec["points"]))
        if spec["amount"] >= 0:
            raw = raw * _amount(spec, table.amounts[spec["amount"]][places])
        for w in range(spec["weights_first"], spec["weights_last"]):
            codes = table.codes[table.weight_columns[w]][places]
            raw = raw * table.weight_factors[table.weight_starts[w] + codes + 1]
        return raw

    def _matured(
        self, spec: Any, after: NDArray[np.int64], unless: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the events after which nothing came in time, and when that was certain."""
        within, times = int(spec["within"]), self._times
        after = after[times[after] + within <= self._at]
        # one number for (by, time), so that the next preventing event is found by bisection
        ranks = np.searchsorted(np.unique(times), times) if len(times) else times
        step = len(times) + 1
        by_unless, by_after = (self._by(spec, places).astype(np.int64) + 1 for places in (unless, after))
        keys = by_unless * step + ranks[unless]
        order = np.argsort(keys, kind="stable")
        keys, unless, by_unless = keys[order], unless[order], by_unless[order]
        following = np.searchsorted(keys, by_after * step + ranks[after], "right")
        there = following < len(keys)
        following = following[there]
        prevented = np.zeros(len(after), bool)
        prevented[there] = (by_unless[following] == by_after[there]) & (
            times[unless[following]] <= times[after[there]] + within
        )
        after = after[~prevented]
        return after, times[after] + within


def _amount(spec: Any, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what an event counts by its number; a null counts nothing."""
    m = np.abs(x) / spec["amount_scale"]
    if spec["curve"] == CURVES["log1p"]:
        m = np.log1p(m)
    elif spec["curve"] == CURVES["sqrt"]:
        m = np.sqrt(m)
    elif spec["curve"] == CURVES["saturating"]:
        m = np.where(m < 1e300, m / (1 + np.minimum(m, 1e300)), 1.0)
    m = np.minimum(m, spec["amount_max"])
    negative = -m if spec["negated"] else np.zeros(len(m))
    counted: NDArray[np.float64] = np.where(np.isnan(x), 0.0, np.where(x < 0, negative, m))
    return counted


def _completing(times: NDArray[np.int64], by: NDArray[np.int32], n: int, within: int) -> list[int]:
    """Return the places of the events that complete a repetition, each value of `by` apart."""
    unused: dict[int, list[int]] = {}
    found = []
    for place, (time, value) in enumerate(zip(times.tolist(), by.tolist(), strict=True)):
        waiting = unused.setdefault(value, [])
        if n == 1 or (len(waiting) >= n - 1 and waiting[1 - n] >= time - within):
            del waiting[len(waiting) - n + 1 :]
            found.append(place)
        else:
            waiting.append(time)
    return found


def _within_limit(
    spec: Any, times: NDArray[np.int64], raw: NDArray[np.float64], by: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Tell which count: the n earliest of each bucket; of the equally early the larger, positive first."""
    kept = np.ones(len(times), bool)
    if not spec["limit_n"] or not len(times):
        return kept
    bucket = times // spec["limit_per"]
    order = np.lexsort((-raw, -np.abs(raw), times, bucket, by))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(bucket[order]) != 0) | (np.diff(by[order]) != 0)
    begins = np.flatnonzero(first)
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
    kept[order] = rank < spec["limit_n"]
    return kept


def _decayed(spec: Any, ages: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is left of a point after each age."""
    if spec["decay"] == DECAYS["none"]:
        return np.ones(len(ages))
    spans = ages / float(spec["span"])
    if spec["decay"] == DECAYS["half_life"]:
        return np.asarray(np.exp2(-spans), np.float64)
    if spec["decay"] == DECAYS["linear"]:
        return np.asarray(np.maximum(0.0, 1 - spans), np.float64)
    return np.asarray(ages < spec["span"], np.float64)
