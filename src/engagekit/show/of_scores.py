"""Pictures of scores: what `Scores` computes for them, from its table and its events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import evolve

from engagekit.comparison import Side, crossings
from engagekit.course import course_of, everyone_at
from engagekit.errors import EventsError, StateError
from engagekit.explain import row_of
from engagekit.instants import EARLIEST, EPOCH, microseconds_of, text_of
from engagekit.model.durations import parse_duration
from engagekit.show.flow import Flow
from engagekit.show.history import History
from engagekit.show.population import Population

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from engagekit.show.look import Look

_DAY: Final = timedelta(days=1)
_MOST: Final = 366
"""Instants of a course if nobody says how far apart they are to be."""


def history(side: Side, contact: Any, *, every: Any, start: Any, at: Any, kind: str, look: Look) -> History:
    """Show the course of one contact; see `Scores.history`."""
    origin = side.origin
    if origin is None:
        raise StateError(
            "history: expected scores that still have their events; these are of a Live, were loaded, "
            "pickled or copied, or made of more events than memory should hold: "
            "score the contact's events again"
        )
    row = row_of(side.keys, lambda rows: origin.some(rows).at, contact, at)
    last = int(origin.some(np.array([row])).at[0])
    instants = _instants(side, row, last, every, None if start is None else microseconds_of(start, "start"))
    course = course_of(origin, row, instants)
    who = side.keys.at(row)
    return History(contact=who, course=course, model=side.model, kind=kind, look=look)


def _instants(side: Side, row: int, last: int, every: Any, start: int | None) -> NDArray[np.int64]:
    """Give the instants from `start` on, `every` apart, of which the last is that of the score."""
    try:
        step = None if every is None else parse_duration(every)
    except ValueError as error:
        raise EventsError(f"every: {error}") from None
    if step is not None and step <= timedelta(0):
        raise EventsError(f"every: expected a duration above 0, got {every!r}")
    if start is not None and start > last:
        raise EventsError(
            f"start: expected an instant not after that of the score ({text_of(last)}), got {text_of(start)}"
        )
    if start is None:
        first = side.table["first_event"]
        known = first.null is None or not first.null[row]
        start = max(int(first.values[row]), last - _MOST * _micros(_DAY)) if known else last
    days = -(-(last - start) // _micros(_DAY))
    apart = _micros(step) if step is not None else _micros(_DAY) * max(1, -(-days // _MOST))
    count = -(-(last - start) // apart)
    return last - apart * np.arange(count + 1, dtype=np.int64)[::-1]


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def before(side: Side, since: Any) -> Side:
    """Tell where the contacts of a result stood at an earlier instant, or so long before."""
    if side.at is None:
        raise StateError("since: expected scores at one instant, got some at instants of their own")
    if side.origin is None:
        raise StateError(
            "since: expected scores that still have their events, or earlier scores; these were loaded, "
            "pickled or copied, or made of more events than memory should hold: give earlier scores"
        )
    at = microseconds_of(side.at)
    instant = _since(since, at)
    if not instant < at:
        raise EventsError(
            f"since: expected an instant before that of the scores ({text_of(at)}), got {text_of(instant)}"
        )
    when = EPOCH + timedelta(microseconds=instant)
    return evolve(
        side,
        at=when if side.at.tzinfo else when.replace(tzinfo=None),
        table=everyone_at(side.origin, len(side.keys), instant),
        origin=None,
    )


def _since(since: Any, at: int) -> int:
    try:
        # before the calendar begins there was nothing
        return max(EARLIEST, at - _micros(parse_duration(since)))
    except ValueError:
        return microseconds_of(since, "since")


def flow(side: Side, since: Any, *, look: Look) -> Flow:
    """Show who moved between the phases; see `Scores.flow`. `since` is another side, or an instant."""
    earlier = since if isinstance(since, Side) else before(side, since)
    when = _both(earlier, side)
    found, matrix = crossings(earlier, side, "phase")
    names, counts = _in_order(found, matrix, [phase.name for phase in side.model.phases])
    return Flow(model=side.model, since=when[0], at=when[1], names=names, counts=counts, look=look)


def _in_order(
    found: list[str], counts: NDArray[np.int64], declared: list[str]
) -> tuple[list[str], NDArray[np.int64]]:
    """Put phases into the model's order, in which a table that was read from a file need not have them."""
    names = [*dict.fromkeys(name for name in (*declared, *found) if name in found)]
    places = [*(found.index(name) for name in names), len(found)]
    return names, counts[np.ix_(places, places)]


def _both(one: Side, other: Side) -> tuple[datetime, datetime]:
    if one.at is None or other.at is None:
        raise StateError("since: expected scores at one instant, got some at instants of their own")
    if microseconds_of(one.at) > microseconds_of(other.at):
        raise StateError(
            f"since: expected earlier scores, got some of {text_of(microseconds_of(one.at))}, later than "
            f"{text_of(microseconds_of(other.at))}"
        )
    return one.at, other.at


def population(side: Side, *, look: Look) -> Population:
    """Show how many stand where; see `Scores.population`."""
    return Population(side.table, side.model, look)
