"""The events of one contact that each rule matched, one by one, as the definitions have it.

The kernel adds them up without ever listing them; here they are listed, dropped ones included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from attrs import define

from engagekit.events import Events
from engagekit.matching import Match
from engagekit.plan import CURVES, DECAYS, ON, RULE, UNLESS, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABSENCE, REPEAT = 1, 2
Spec: TypeAlias = "Mapping[str, Any]"
"""A rule as the plan has it, in Python's own numbers."""


@define(kw_only=True, slots=False)
class Matched:
    """Matched events of one rule, in order of time; what nobody asks for is not made."""

    known: _Known
    spec: Spec
    places: NDArray[np.intp]
    time: NDArray[np.int64]
    """When it counts from: of an absence the instant at which it matured."""

    @cached_property
    def type(self) -> NDArray[Any]:
        """The code of the type of the event that it is, or (an absence) that it waited after."""
        return self.known.types[self.places]

    @cached_property
    def raw(self) -> NDArray[np.float64]:
        """Points times amount times the weights that apply."""
        return self.known.raw(self.spec, self.places)

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """False: dropped by the limit."""
        if not self.spec["limit_n"] or not len(self.time):
            return np.ones(len(self.time), bool)
        # `by` of the others says whose absences and repeats these are; their limit counts all together
        by = self.known.by(self.spec if self.spec["kind"] == 0 else {"by": -1}, self.places)
        return _within_limit(self.spec, self.time, self.raw, by)

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """What the decay leaves of a point."""
        return _decayed(self.spec, self.known.at - self.time)


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
    for r, roles in _of_rules(plan, table, table.classes[:until], rules):
        one = known.of_rule(r, roles)
        if len(one.time):
            found[r] = one
    return found


def _of_rules(
    plan: Plan, table: Match, classes: NDArray[Any], rules: Collection[int] | None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Say what each event is to each rule that takes any."""
    count = len(table.flags)
    takes = np.zeros((len(plan.names), count + 1), np.uint8)
    rows = np.arange(count).repeat(table.plain_start[1:] - table.plain_start[:-1])
    takes[table.plain_rules, rows] = ON
    takes[plan.listed, :-1] = table.roles
    # that of an excluded event is the greatest that there is
    numbers = np.minimum(classes.view(f"u{classes.itemsize}"), count)
    if rules is None:
        rules = np.flatnonzero((takes[:, np.unique(numbers)] & ON).any(axis=1)).tolist()
    for r in rules:
        yield r, takes[r].take(numbers)


@lru_cache(maxsize=64)
def _specs(plan: Plan) -> list[Spec]:
    """Give the rules' numbers one by one, which NumPy's records are slow to do."""
    assert RULE.names is not None
    return [dict(zip(RULE.names, values, strict=True)) for values in plan.rules.tolist()]


class _Known:
    """The events up to the instant, and what the model's tables say of them."""

    def __init__(self, plan: Plan, table: Match, events: Events, until: int, at: int) -> None:
        self._specs, self._table, self.at = _specs(plan), table, at
        self._times, self.types = events.times[:until], events.types[:until]

    def of_rule(self, r: int, roles: NDArray[np.uint8]) -> Matched:
        """List the matched events of a rule, to which each event has a role."""
        spec = self._specs[r]
        on = (roles & ON).nonzero()[0]
        time = self._times[on]
        if spec["kind"] == ABSENCE:
            on, time = self._matured(spec, on, (roles & UNLESS).nonzero()[0])
        elif spec["kind"] == REPEAT:
            on = on[_completing(time, self.by(spec, on), spec["n"], spec["within"])]
            time = self._times[on]
        return Matched(known=self, spec=spec, places=on, time=time)

    def by(self, spec: Spec, places: NDArray[np.int64]) -> NDArray[np.int32]:
        """Give the values that a rule tells its events apart by."""
        if spec["by"] < 0:
            return np.full(len(places), -1, np.int32)
        column: NDArray[np.int32] = self._table.codes[spec["by"]]
        return column[places]

    def raw(self, spec: Spec, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points times amount times the weights that apply; those of absences and repeats have neither."""
        table = self._table
        raw = np.full(len(places), spec["points"])
        if spec["amount"] >= 0:
            raw = raw * _amount(spec, table.amounts[spec["amount"]][places])
        for w in range(spec["weights_first"], spec["weights_last"]):
            codes = table.codes[table.weight_columns[w]][places]
            raw = raw * table.weight_factors[table.weight_starts[w] + codes + 1]
        return raw

    def _matured(
        self, spec: Spec, after: NDArray[np.int64], unless: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the events after which nothing came in time, and when that was certain."""
        within, times = spec["within"], self._times
        after = after[times[after] + within <= self.at]
        # one number for (by, time), so that the next preventing event is found by bisection
        ranks = np.searchsorted(np.unique(times), times) if len(times) else times
        step = len(times) + 1
        by_unless, by_after = (self.by(spec, places).astype(np.int64) + 1 for places in (unless, after))
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


def _amount(spec: Spec, x: NDArray[np.float64]) -> NDArray[np.float64]:
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
    spec: Spec, times: NDArray[np.int64], raw: NDArray[np.float64], by: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Tell which count: the n earliest of each bucket; of the equally early the larger, positive first."""
    kept = np.ones(len(times), bool)
    bucket = times // spec["limit_per"]
    order = np.lexsort((-raw, -np.abs(raw), times, bucket, by))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(bucket[order]) != 0) | (np.diff(by[order]) != 0)
    begins = np.flatnonzero(first)
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
    kept[order] = rank < spec["limit_n"]
    return kept


def _decayed(spec: Spec, ages: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is left of a point after each age."""
    if spec["decay"] == DECAYS["none"]:
        return np.ones(len(ages))
    spans = ages / spec["span"]
    if spec["decay"] == DECAYS["half_life"]:
        return np.asarray(np.exp2(-spans), np.float64)
    if spec["decay"] == DECAYS["linear"]:
        return np.asarray(np.maximum(0.0, 1 - spans), np.float64)
    return np.asarray(ages < spec["span"], np.float64)
