"""One contact's events, opened to look into: its sums, its matched events, how its engagement came about."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from attrs import define

from engagekit import _core
from engagekit.explain.matched import Matched, matched
from engagekit.explain.origin import OneContact, Origin
from engagekit.matching import Match, match
from engagekit.running import Numbers, attach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.plan import Plan


@define(kw_only=True, slots=False)
class Opened:
    """The events of the contact in one row of a result, which may be none."""

    plan: Plan
    own: OneContact | None
    at: int
    since: int

    @classmethod
    def of(cls, origin: Origin, row: int) -> Opened:
        """Open a row."""
        job = origin.some(np.array([row]))
        code = int(job.contacts[0])
        own = None if code < 0 else OneContact(origin.events, code, origin.model.fields)
        return cls(plan=origin.plan, own=own, at=int(job.at[0]), since=int(job.since[0]))

    def course(self, instants: NDArray[np.int64], every: int) -> NDArray[np.float64]:
        """Return the engagement at evenly spaced instants, as in a history; NaN before the first event."""
        course = np.full(len(instants), np.nan)
        if self.own is None:
            return course
        sweeper = _core.sweeper(self._scorer, instants, every)
        counts = np.zeros(1, np.int64)
        sweeper.count(counts)
        rows = int(counts[0])
        starts, code = np.array([0, rows]), np.empty(rows, np.int32)
        at, phase = np.empty(rows, np.int64), np.empty(rows, np.int32)
        score, engagement, momentum = np.empty(rows), np.empty(rows), np.empty(rows)
        level, half = np.empty(rows, np.int8), np.empty(rows, np.int8)
        since = np.array([self.since])
        sweeper.history(
            since, starts, None, 0, 1, at, None, code, score, engagement, momentum, level, half, None, phase
        )
        course[len(course) - rows :] = engagement
        return course

    @property
    def sums(self) -> NDArray[np.float64]:
        """S(r) at the row's instant, rules x 1."""
        return self._now.sums

    @property
    def half(self) -> NDArray[np.int32]:
        """0 (prospect) or 1 (customer)."""
        half: NDArray[np.int32] = self._now.columns["half"].astype(np.int32)
        return half

    def found(self, rules: Collection[int] | None = None) -> dict[int, Matched]:
        """List the matched events up to the row's instant, by rule: of some rules, or of all."""
        return {} if self.own is None else matched(self.plan, self.own, self.at, self._table, rules)

    @cached_property
    def _now(self) -> Numbers:
        numbers = Numbers.room(self.plan, 1, sums=True)
        if self.own is not None:
            self._scorer.run(
                np.zeros(1, np.int64), np.array([self.at]), np.array([self.since]), np.zeros(1, np.uint8),
                0, 1, False, numbers.columns, numbers.channels, numbers.sums, numbers.tally,
            )  # fmt: skip
        return numbers

    @cached_property
    def _table(self) -> Match:
        assert self.own is not None
        return match(self.plan, self.own)

    @cached_property
    def _scorer(self) -> _core.Scorer:
        assert self.own is not None
        return attach(self.plan, self.own, self._table)
