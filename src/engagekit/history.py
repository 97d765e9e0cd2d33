"""The course of every contact: one row a contact and instant, by one sweep over each contact's events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define, evolve

from engagekit import _core
from engagekit.batch import coded_events, kind_of, refuse_collision, refuse_overflow
from engagekit.coding import no_instants
from engagekit.contacts import NO_INSTANT, Contacts
from engagekit.errors import EventsError
from engagekit.events import Events
from engagekit.frames import Out, build, frame_of
from engagekit.instants import EARLIEST, LATEST, microseconds_of, now, refuse_out_of_range, text_of
from engagekit.model import Model
from engagekit.model.durations import parse_duration
from engagekit.model.wording import typed
from engagekit.plan import LEVELS, Plan, lower, microseconds
from engagekit.running import PARTS, attach, thread_count
from engagekit.threads import in_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = timedelta(days=1)
MUCH = 1 << 22
"""Bytes of a column for which it is worth the while to have memory again that the result before had."""
MOST_NARROW = 127
"""Phases that a code of one byte can tell apart."""
ROW_BYTES = 8 + 3 * 8 + 3
"""What a row takes beside its key."""
EMPTY_TEXT = (np.zeros(1, np.int64), np.empty(0, np.uint8))
EVENT_COST, CONTACT_COST = 5, 32
"""What an event and a contact cost, as rows, to deal out contacts to threads."""


@define(kw_only=True)
class Rows:
    """The columns of a history while the kernel fills them."""

    starts: NDArray[np.int64]
    """By contact its first row, and at last the number of rows."""
    at: NDArray[np.int64]
    key: NDArray[np.int64] | None
    code: NDArray[np.int32] | None
    score: NDArray[np.float64]
    engagement: NDArray[np.float64]
    momentum: NDArray[np.float64]
    level: NDArray[np.int8] | None
    half: NDArray[np.int8] | None
    phase: NDArray[np.int8] | None
    state: NDArray[np.int32] | None
    """All three as one number: level + 4 * half + 8 * (phase + 1)."""
    paced: bool = False
    """Whether every row has a momentum."""
    active: bool = False
    """Whether every row has a phase."""


def history(
    model: Model,
    events: Any,
    *,
    at: Any = None,
    every: Any = None,
    start: Any = None,
    end: Any = None,
    contacts: Any = None,
    threads: int | None = None,
    mapping: Mapping[str, str | None],
) -> Any:
    """Score every contact at many instants; see `Model.history`."""
    plan = lower(model)
    named = _named(at, every, start, end)
    coded = coded_events(model, events, mapping, spill=False)
    known = None if contacts is None else Contacts(contacts, coded)
    columns = ("at", "score", "engagement", "level", "half", "phase", "momentum")
    refuse_collision(coded.mapping.contact, None, dict.fromkeys(columns))
    instants = _grid(coded, every, start, end) if named is None else named
    rows = _sweep(plan, coded, instants, _since(coded, known), threads)
    if coded is not events:
        coded.release()
    return build(kind_of(coded), _columns(plan, coded, rows))


def _named(at: Any, every: Any, start: Any, end: Any) -> NDArray[np.int64] | None:
    """Read the instants that are named one by one: ascending, each once."""
    if at is None:
        return None
    besides = [
        name for name, value in (("every", every), ("start", start), ("end", end)) if value is not None
    ]
    if besides:
        raise EventsError(
            f"at: expected either at= (instants) or every=, start= and end=, got {', '.join(besides)} too"
        )
    return np.unique(_instants(at))


def _instants(at: Any) -> NDArray[np.int64]:
    if isinstance(at, (str, date, np.datetime64)):
        return np.array([microseconds_of(at)], np.int64)
    if isinstance(at, Mapping) or hasattr(at, "columns"):
        raise EventsError(
            "at: expected instants, got a frame; for one contact and instant a row see Model.score, for "
            "these instants of every contact name the column"
        )
    if hasattr(at, "dtype") or hasattr(at, "type"):
        column = frame_of({"at": at}).column("at")
        if column.kind == "instant":
            assert column.values is not None
            if column.null is not None and column.null.any():
                raise EventsError(f"at[{int(column.null.argmax())}]: expected an instant, got a null")
            refuse_out_of_range(column.values, "at")
            return np.ascontiguousarray(column.values, np.int64)
        if column.rows and column.kind in ("integer", "float", "boolean"):
            raise EventsError(no_instants("at", column))
    if not hasattr(at, "__iter__"):
        raise EventsError(f"at: expected instants, got {typed(at)}")
    found = [microseconds_of(instant, f"at[{place}]") for place, instant in enumerate(at)]
    return np.array(found, np.int64)


def _grid(events: Events, every: Any, start: Any, end: Any) -> NDArray[np.int64]:
    """Give the instants `start`, `start` + `every` and so on."""
    step = _step(every)
    first = None if start is None else microseconds_of(start, "start")
    last = None if end is None else microseconds_of(end, "end")
    if first is not None and last is not None and last < first:
        raise EventsError(
            f"end: expected an instant not before start ({text_of(first)}), got {text_of(last)}"
        )
    if first is None:
        if not events.times.size:
            return np.empty(0, np.int64)
        first = int(events.times.min()) // step * step
        first += step * (first < EARLIEST)
    if last is None:
        present = now()
        newest = events.newest(present)
        newest = max(present if newest is None else newest, first)
        # the first that has seen them all
        last = newest + (first - newest) % step
    last = min(last, LATEST)
    count = max(0, (last - first) // step + 1)
    _refuse_too_much(count, 8, f"{count:,} instants")
    return first + step * np.arange(count, dtype=np.int64)


def _step(every: Any) -> int:
    try:
        span = parse_duration(DAY if every is None else every)
    except ValueError as error:
        raise EventsError(f"every: {error}") from None
    if span <= timedelta(0):
        raise EventsError(f"every: expected a duration above 0, got {every!r}")
    return microseconds(span)


def _since(events: Events, contacts: Contacts | None) -> NDArray[np.int64]:
    since = np.full(len(events.contacts), NO_INSTANT, np.int64)
    if contacts is not None:
        met = contacts.codes >= 0
        since[contacts.codes[met]] = contacts.since()[met]
    return since


def _sweep(
    plan: Plan, events: Events, instants: NDArray[np.int64], since: NDArray[np.int64], threads: int | None
) -> Rows:
    steps = np.diff(instants)
    every = 0 if len(steps) and steps.min() != steps.max() else int(steps[0]) if len(steps) else 1
    sweeper = _core.sweeper(attach(plan, events), instants, every)
    counts = np.zeros(len(events.contacts), np.int64)
    sweeper.count(counts)
    rows = _rows(plan, events, counts, len(instants))
    keys = events.contacts.integers().view(np.int64) if rows.key is not None else None

    def part(first: int, last: int) -> int:
        return sweeper.history(
            since, rows.starts, keys, first, last, rows.at, rows.key, rows.code, rows.score, rows.engagement,
            rows.momentum, rows.level, rows.half, rows.phase, rows.state,
        )  # fmt: skip

    workers = thread_count(threads, int(rows.starts[-1]))
    edges = _edges(events, rows.starts, workers * PARTS if workers > 1 else 1)
    overflowed = in_parts(part, edges, threads=workers, stop=sweeper.stop)
    for contact in overflowed:
        if contact >= 0:
            refuse_overflow(events, contact)
    unpaced, inactive = sweeper.gaps()
    return evolve(rows, paced=not unpaced, active=not inactive)


def _rows(plan: Plan, events: Events, counts: NDArray[np.int64], instants: int) -> Rows:
    """Make room for all rows, if there is any."""
    starts = np.concatenate([[0], np.cumsum(counts)])
    count = int(starts[-1])
    integers = events.contacts.kind == "integer"
    # polars looks up the words of all three columns at once
    joined = kind_of(events) == "polars" or len(plan.phase_names) > MOST_NARROW
    what = f"{count:,} rows ({len(counts):,} contacts, {instants:,} instants)"
    _refuse_too_much(count, ROW_BYTES + 8, what)
    try:
        return Rows(
            starts=starts,
            at=_room(count, np.int64),
            key=_room(count, np.int64) if integers else None,
            code=None if integers else _room(count, np.int32),
            score=_room(count, np.float64),
            engagement=_room(count, np.float64),
            momentum=_room(count, np.float64),
            level=None if joined else _room(count, np.int8),
            half=None if joined else _room(count, np.int8),
            phase=None if joined else _room(count, np.int8),
            state=_room(count, np.int32) if joined else None,
        )
    except MemoryError:
        raise EventsError(_too_much(what)) from None


def _room(count: int, dtype: type[np.generic]) -> NDArray[Any]:
    """Make room for numbers that are yet to be written."""
    size = count * np.dtype(dtype).itemsize
    return np.empty(count, dtype) if size < MUCH else np.frombuffer(_core.room(size), dtype)


def _refuse_too_much(count: int, size: int, what: str) -> None:
    """Raise an EventsError for more than this machine's memory could ever hold."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        memory = 1 << 48
    if count * size > memory:
        raise EventsError(_too_much(f"{what} of at least {count * size / 2**30:,.0f} GiB"))


def _too_much(what: str) -> str:
    return f"history: expected what memory can hold, got {what}; take a longer every=, or fewer instants"


def _edges(events: Events, starts: NDArray[np.int64], parts: int) -> list[int]:
    """Cut the contacts into contiguous parts of about the same work."""
    count = len(starts) - 1
    if parts == 1 or count < 2:
        return [0, count]
    ends = starts[1:] + EVENT_COST * events.starts[1:] + CONTACT_COST * np.arange(1, count + 1)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts, side="right")
    return sorted({0, count, *cuts.tolist()})


def _columns(plan: Plan, events: Events, rows: Rows) -> dict[str, Out]:
    like = events.source.like(events.mapping.contact)
    if rows.key is None:
        values = events.contacts.buffers() if events.contacts.kind == "text" else EMPTY_TEXT
        key = Out(kind="text", values=values, of=rows.code, like=like)
    else:
        unsigned = events.contacts.integers().dtype == np.uint64
        key = Out(kind="integer", values=rows.key.view(np.uint64) if unsigned else rows.key, like=like)
    return {
        events.mapping.contact: key,
        "at": Out(kind="instant", values=rows.at, aware=events.aware, whole=True),
        "score": Out(kind="float", values=rows.score, whole=True),
        "engagement": Out(kind="float", values=rows.engagement, whole=True),
        **_states(plan, rows),
        "momentum": Out(kind="float", values=rows.momentum, whole=rows.paced),
    }


def _states(plan: Plan, rows: Rows) -> dict[str, Out]:
    level: NDArray[Any] | None = rows.level
    half: NDArray[Any] | None = rows.half
    phase: NDArray[Any] | None = rows.phase
    if rows.state is not None:
        state = np.arange(8 * (len(plan.phase_names) + 1), dtype=np.int32)
        # what no row has need not be known as a gap
        level, half, phase = state % 4, state // 4 % 2, np.maximum(state // 8 - 1, 0 if rows.active else -1)
    states = {
        "level": (level, list(LEVELS), True),
        "half": (half, ["prospect", "customer"], True),
        "phase": (phase, list(plan.phase_names), rows.active),
    }
    return {
        name: Out(kind="category", values=codes, categories=words, whole=whole, of=rows.state)
        for name, (codes, words, whole) in states.items()
    }
