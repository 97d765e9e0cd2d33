"""A live state's numbers: its rows scored at one instant, under the names of a result."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from attrs import define

from engagekit.batch import overflow
from engagekit.contacts import NO_INSTANT
from engagekit.errors import EventsError, StateError
from engagekit.explain import reasons
from engagekit.frames import Out
from engagekit.instants import EPOCH, NAIVE_EPOCH, microseconds_of, text_of
from engagekit.leads import Leads, Rows, seen
from engagekit.live.score import Score, score_of
from engagekit.results import result_columns
from engagekit.running import Numbers
from engagekit.scores import Scores, Stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.contacts import Contacts
    from engagekit.explain import Reason
    from engagekit.live.live import Live

_NEVER: Final = 2**63 - 1
SLICE: Final = 4096
"""Contacts that are scored while other threads wait."""


@define
class _Sight:
    """What result columns ask of events."""

    aware: bool
    types_by_code: list[str]


def asked(live: Live, at: Any) -> int:
    """Return the instant asked for; what waited for the clock counts by then, if its time has come."""
    instant = live.instant(at)
    if instant is not None and live.waits_until == _NEVER:
        return instant
    present = live._present()
    live.admit(present)
    if instant is not None:
        return instant
    if at is None:
        return present
    if isinstance(at, str) and at == "latest":
        return present if live.newest is None else live.newest
    if not isinstance(at, (str, date)) and hasattr(at, "__len__"):
        raise EventsError(f"at: expected an instant, got {type(at).__name__}; the batch takes frames")
    return microseconds_of(at)


def moment(live: Live, instant: int) -> datetime:
    """Return an instant as results name it."""
    return (EPOCH if live.aware else NAIVE_EPOCH) + timedelta(microseconds=instant)


def score_one(live: Live, contact: int | str, code: int, at: Any) -> Score:
    """Score one contact, by its code (-1: it is unknown)."""
    instant, attributes = asked(live, at), live._attributes
    if live._says_leads or attributes.of:
        code = live.row(code) if code >= 0 else code
    if live._says_leads:
        codes = np.array([code])
        columns = named(live, run(live, codes, instant, flowing=at is None), None, codes, instant)
        return score_of(contact, live.model, moment(live, instant), columns, 0)
    since = attributes.since_of(code) if attributes.of else NO_INSTANT
    try:
        said = live.score_one(code, instant, since, live._types.names)
        if said is None and at is None:
            # an event came after the clock was asked
            instant = asked(live, at)
            said = live.score_one(code, instant, since, live._types.names)
    except OverflowError:
        raise overflow(live._who.name(live, code)) from None
    if said is None:
        raise _early(live, code, instant)
    return Score(contact, live.model, *said)


def reasons_of(live: Live, contact: int | str, instant: int, half: str) -> list[Reason]:
    """Say what each rule gives a contact that `score_one` has scored."""
    code = live._who.find(live, contact, live._who.kind_of(contact))
    code = live.row(code) if code >= 0 else code
    sums = np.zeros((len(live._plan.names), 1))
    live.sums_of(code, instant, live._attributes.since_of(code), sums[:, 0])
    return reasons(live._plan, sums, np.array([half == "customer"], np.int32))


def score_all(live: Live, at: Any) -> Scores:
    """Score all contacts that have events, in the order in which they first came, then the others known."""
    instant, codes = asked(live, at), own_codes(live)
    numbers = run(live, codes, instant, flowing=at is None)
    counted = numbers.columns["present"].view(np.bool_)
    rows = np.flatnonzero(counted)
    if live._attributes.of:
        places = np.searchsorted(codes, list(live._attributes.of))
        rows = np.concatenate([rows, places[~counted[places]]])
    shown = codes[rows]
    columns = named(live, numbers, None if counted.all() else rows, shown, instant)
    known = live.stats
    stats = Stats(
        rows=known.rows,
        contacts=len(rows),
        future=known.waiting,
        duplicates=known.duplicates,
        excluded=known.excluded,
        unmatched=known.unmatched,
        null_amounts=known.null_amounts,
    )
    return Scores(
        model=live.model,
        at=moment(live, instant),
        stats=stats,
        key=live._key,
        columns={live._key: live._who.out(live, shown), **columns},
        kind=live._frame_kind,
    )


def own_codes(live: Live) -> NDArray[np.int64]:
    """Return the codes that lead to a row of their own."""
    marks = np.empty(len(live), np.uint8)
    live.own(marks)
    return np.flatnonzero(marks)


def run(live: Live, codes: NDArray[np.int64], instant: int, *, flowing: bool, ahead: bool = True) -> Numbers:
    """Score contacts by code.

    Parameters
    ----------
    live, codes, instant
        Whom, and when.
    flowing
        Whether the instant is the present: who has an event later than it, that came meanwhile, is seen as
        of the present as it is then.
    ahead
        Whether the next change is asked for.

    Raises
    ------
    StateError
        If one has events later than that.
    EventsError
        If one's points overflow.
    """
    numbers = Numbers.room(live._plan, len(codes), sums=False)
    since = live._attributes.since(codes)
    heard = numbers.heard
    for first in range(0, len(codes), SLICE):
        last = min(first + SLICE, len(codes))
        columns = {name: values[first:last] for name, values in numbers.columns.items()}
        channels = np.zeros((len(live._plan.channels), last - first))
        while True:
            early = live.score_some(
                codes[first:last],
                since[first:last],
                instant,
                ahead,
                columns,
                channels,
                np.empty(0, np.int64) if heard is None else heard.rejected[first:last],
                np.empty(0, np.uint8) if heard is None else heard.said[first:last],
                np.empty((0, 0), np.uint64) if heard is None else heard.had[first:last],
            )
            if early < 0:
                break
            present = live._present() if flowing else instant
            if present <= instant:
                raise _early(live, int(codes[first + early]), instant)
            instant = present
        numbers.channels[:, first:last] = channels
    largest, score = numbers.columns["largest"], numbers.columns["score"]
    bad = ~(np.isfinite(largest) & np.isfinite(score))
    if bad.any():
        raise overflow(live._who.name(live, codes[int(bad.argmax())]))
    return numbers


def _early(live: Live, code: int, instant: int) -> StateError:
    return StateError(
        f"at: expected an instant not before the newest event of contact {live._who.name(live, code)!r}, got "
        f"{text_of(instant)}; the batch, which has all events, can look back"
    )


def named(
    live: Live, numbers: Numbers, rows: NDArray[np.int64] | None, shown: NDArray[np.int64], instant: int
) -> dict[str, Out]:
    """Name the numbers of some rows (None: all), whose codes are those `shown`."""
    columns = plain_columns(live, numbers, rows)
    if not live._says_leads:
        return columns
    facts, table = lead_rows(live, numbers, rows, shown, instant)
    return Leads(live.model, table).columns(columns, facts)


def plain_columns(live: Live, numbers: Numbers, rows: NDArray[np.int64] | None) -> dict[str, Out]:
    """Name the numbers of some rows (None: all), the lead side aside."""
    sight: Any = _Sight(aware=live.aware, types_by_code=live._types.names)
    return result_columns(live._plan, sight, numbers.columns, numbers.channels, rows)


def lead_rows(
    live: Live, numbers: Numbers, rows: NDArray[np.int64] | None, shown: NDArray[np.int64], instant: int
) -> tuple[Rows, Contacts]:
    """Give what the lead side and conditions ask of some rows, and the attributes of those `shown`."""
    table, known = live._attributes.table(shown.tolist())
    facts = Rows.of(
        numbers,
        rows,
        at=np.full(len(shown), instant, np.int64),
        known=known,
        key=lambda: seen(live._who.out(live, shown)),
    )
    return facts, cast("Contacts", table)
