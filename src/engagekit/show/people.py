"""Contacts that a report names: who is picked, and what is told of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define, evolve

from engagekit.explain import Opened
from engagekit.instants import EPOCH, microseconds_of
from engagekit.show.markup import Markup, clean, shortened
from engagekit.show.sparkline import sparkline
from engagekit.show.words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.comparison import Side
    from engagekit.frames import Out
    from engagekit.model import Model

_DAY: Final = 86_400_000_000
SOON: Final = 7 * _DAY
"""How near a change must be that a report warns of."""
SINKING: Final = -1 / 3
"""The momentum of those whose pace is half the usual."""
_LONGEST: Final = 24
"""Letters of a name in a narrow column."""
_SPARK: Final = 90
"""Days of a small curve."""
_LEAST: Final = 1e-6
"""Points that nobody would take for any."""


@define(kw_only=True, frozen=True)
class Person:
    """A contact, and what a report tells of it; texts as they are shown, numbers to sort by."""

    contact: Any
    score: float
    shown_score: str
    engagement: float
    shown_engagement: str
    level: str
    half: str
    phase: str
    momentum: float | None
    shown_momentum: str
    sinking: bool
    rating: str
    stage: str
    channel: str
    last_type: str
    last_day: str
    last_at: int
    next: str
    next_day: str
    next_at: int
    course: Markup


def hottest(table: Mapping[str, Out], count: int) -> NDArray[np.int64]:
    """Pick the prospects of the highest scores that have points, the highest first."""
    return _highest(table, _is(table["half"], "prospect"), count)


def strongest(table: Mapping[str, Out], count: int) -> NDArray[np.int64]:
    """Pick the contacts of the highest scores, the highest first."""
    return _highest(table, np.ones(len(table["score"].values), np.bool_), count, least=-np.inf)


def endangered(table: Mapping[str, Out], model: Model) -> NDArray[np.bool_]:
    """Tell who is an endangered customer: in the last phase of customers.

    Where they have one phase only, or none, those are endangered whose pace is half the usual or less.
    """
    customers = _is(table["half"], "customer")
    last = last_phase(model)
    if last is None:
        return np.asarray(customers & (np.nan_to_num(table["momentum"].values, nan=0.0) <= SINKING))
    return np.asarray(customers & _is(table["phase"], last))


def in_danger(table: Mapping[str, Out], model: Model, at: int, count: int) -> NDArray[np.int64]:
    """Pick the customers who are endangered, then those who will be soon, the highest scores first."""
    chosen, last = endangered(table, model), last_phase(model)
    found = _highest(table, chosen, count, least=-np.inf)
    if last is not None and len(found) < count:
        near = _is(table["half"], "customer") & _is(table["next_phase"], last) & _within(table, at, SOON)
        more = _highest(table, near & ~chosen, count - len(found), least=-np.inf)
        found = np.concatenate([found, more])
    return found


def falling(table: Mapping[str, Out], at: int) -> NDArray[np.bool_]:
    """Tell whose level will be a lower one soon."""
    ranks = {"none": 0, "low": 1, "medium": 2, "high": 3}
    now, later = (_ranks(table[name], ranks) for name in ("level", "next_level"))
    return np.asarray(_within(table, at, SOON) & (later >= 0) & (later < now))


def last_phase(model: Model) -> str | None:
    """Name the last phase of customers; None if they have no other."""
    names = [phase.name for phase in model.phases if phase.half == "customer"]
    return names[-1] if len(set(names)) > 1 else None


def _highest(
    table: Mapping[str, Out], chosen: NDArray[np.bool_], count: int, *, least: float = _LEAST
) -> NDArray[np.int64]:
    rows = np.flatnonzero(chosen & (table["score"].values > least))
    scores = table["score"].values[rows]
    if len(rows) > count > 0:  # sorting half a million for the sake of a few takes its time
        bound = np.partition(scores, len(rows) - count)[len(rows) - count]
        rows = rows[scores >= bound]
        scores = table["score"].values[rows]
    return np.asarray(rows[np.argsort(-scores, kind="stable")][:count])


def _is(out: Out, word: str) -> NDArray[np.bool_]:
    codes, words = out.coded()
    return np.asarray(codes == words.index(word)) if word in words else np.zeros(len(codes), np.bool_)


def _ranks(out: Out, ranks: Mapping[str, int]) -> NDArray[np.int64]:
    codes, words = out.coded()
    return np.array([*(ranks.get(word, -1) for word in words), -1])[codes]


def _within(table: Mapping[str, Out], at: int, span: int) -> NDArray[np.bool_]:
    change = table["next_change"]
    near = np.asarray(change.values) <= at + span
    return near if change.null is None else near & ~change.null


def people(side: Side, rows: NDArray[np.int64], words: Words, *, courses: bool = False) -> list[Person]:
    """Tell of the contacts in some rows what a report shows.

    Parameters
    ----------
    side
        The result.
    rows
        Which of its rows.
    words
        How numbers and names are written.
    courses
        Whether each has a small curve of its last 90 days, where its events are at hand.
    """
    assert side.at is not None
    at = microseconds_of(side.at)
    keys = [side.keys.at(int(row)) for row in rows]
    columns = {name: _some(side.table[name], rows) for name in _TOLD if name in side.table}
    curves: Sequence[Markup] = [Markup()] * len(rows)
    if courses and side.origin is not None and len(rows):
        instants = at - _DAY * np.arange(_SPARK + 1, dtype=np.int64)[::-1]
        curves = [_course(side, int(row), instants, words) for row in rows]
    return [
        _person(key, {name: values[place] for name, values in columns.items()}, at, words, curve)
        for place, (key, curve) in enumerate(zip(keys, curves, strict=True))
    ]


_TOLD: Final = (
    "score", "engagement", "level", "half", "phase", "momentum", "rating", "stage", "top_channel",
    "last_type", "last_event", "next_change", "next_level", "next_phase",
)  # fmt: skip


def _some(out: Out, rows: NDArray[np.int64]) -> list[Any]:
    """Return some values: texts, numbers, microseconds; None where there is nothing."""
    null = None if out.null is None else out.null[rows]
    if out.kind == "category":
        return list(evolve(out, values=out.values[rows], null=null).objects())
    values = out.values[rows]
    gone = null if null is not None else values != values
    return [None if missing else value for value, missing in zip(values.tolist(), gone, strict=True)]


def _person(contact: Any, own: Mapping[str, Any], at: int, words: Words, course: Markup) -> Person:
    momentum, last, change = own["momentum"], own["last_event"], own["next_change"]

    def named(kind: str, name: str | None) -> str:
        return "" if name is None else shortened(clean(words.label(kind, name)), _LONGEST)

    return Person(
        contact=contact,
        score=own["score"],
        shown_score=words.signed(own["score"], 1).removeprefix("+"),
        engagement=own["engagement"],
        # rounded down, so that it never seems to reach a bound that it does not
        shown_engagement=words.whole(int(own["engagement"])),
        level=named("level", own["level"]),
        half=named("half", own["half"]),
        phase=named("phase", own["phase"]) or words["gauge.nothing"],
        momentum=momentum,
        shown_momentum="" if momentum is None else words.signed(momentum),
        sinking=momentum is not None and momentum <= SINKING,
        rating=shortened(clean(own.get("rating") or "")),
        stage=named("stage", own.get("stage")),
        channel=named("channel", own["top_channel"]),
        last_type=named("type", own["last_type"]),
        last_day="" if last is None else _day(last, at, words),
        last_at=0 if last is None else last,
        next=named(*_next(own)),
        next_day="" if change is None else _day(change, at, words),
        next_at=0 if change is None else change,
        course=course,
    )


def _next(own: Mapping[str, Any]) -> tuple[str, str | None]:
    """Name the phase that comes next, or where that stays the level."""
    if own["next_phase"] is not None and own["next_phase"] != own["phase"]:
        return "phase", own["next_phase"]
    return "level", own["next_level"]


def _day(instant: int, at: int, words: Words) -> str:
    when, near = (EPOCH + timedelta(microseconds=each) for each in (instant, at))
    return words.date(when, near=near)


def _course(side: Side, row: int, instants: NDArray[np.int64], words: Words) -> Markup:
    """Draw how the engagement came to be what it is."""
    assert side.origin is not None
    values = Opened.of(side.origin, row).course(instants, _DAY)
    return sparkline(values, side.model.levels, words["report.course"])
