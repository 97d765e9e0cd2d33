"""Scoring a whole table: every contact at one instant, or one contact and instant a row."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from attrs import define

from engagekit import _core
from engagekit.coding import Coder, no_instants
from engagekit.contacts import NO_INSTANT, Contacts, codes_of, key_name
from engagekit.errors import EventsError, in_all
from engagekit.events import Events, Mapped, read
from engagekit.frames import Frame, Out, build, frame_of
from engagekit.instants import EARLIEST, EPOCH, microseconds_of, now, refuse_out_of_range
from engagekit.matching import match
from engagekit.model import Model
from engagekit.notes import notes
from engagekit.plan import ROW, TALLY, Plan, lower
from engagekit.scores import Scores, Stats, ids_out, result_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_THREADS = 256
SMALL = 4096
"""Jobs below which threads cost more than they save."""
STATS = ("future", "excluded", "unmatched", "null_amounts")
NOTHING = 1e-6
"""Decayed points that no reader of a score would take for anything."""


@define(kw_only=True)
class Jobs:
    """What the kernel is to score: contacts by code (-1: none of the events'), each at its instant."""

    contacts: NDArray[np.int64]
    at: NDArray[np.int64]
    since: NDArray[np.int64]
    counted: NDArray[np.uint8]


@define(kw_only=True)
class Numbers:
    """What the kernel made of the jobs."""

    rows: NDArray[Any]
    channels: NDArray[np.float64]
    sums: NDArray[np.float64] | None
    tally: NDArray[Any]


@define(kw_only=True)
class Asked:
    """Jobs, and how their results become rows: which jobs, under which ids, beside which columns."""

    jobs: Jobs
    order: NDArray[np.int64] | None
    """The jobs of the result's rows; None: those with an event, then the contacts table's others."""
    others: NDArray[np.int64]
    """The contacts table's rows by job, in its order."""
    contacts: Contacts | None
    base: Frame | None
    instant: int | None
    distinct: int | None = None
    """How many contacts the rows of `at` ask for."""


def score(
    model: Model,
    events: Any,
    *,
    at: Any = None,
    contacts: Any = None,
    threads: int | None = None,
    mapping: Mapping[str, str | None],
) -> Scores:
    """Score events by a model; see `Model.score`."""
    plan = lower(model)
    coded = coded_events(model, events, mapping)
    asked = _asked(coded, at, contacts)
    numbers = _run(plan, coded, asked, threads=threads, sums=False)
    _refuse_overflow(numbers, coded, asked)
    if at is None:
        _warn_if_faded(numbers)
    rows = _result_rows(asked, numbers)
    duplicates, later = _dropped(coded, asked.jobs)
    customers_known = bool((asked.jobs.since != NO_INSTANT).any())
    noted = notes(plan, coded, instant=asked.instant, customers_known=customers_known)
    if coded is not events:
        coded.release()
    columns = result_columns(plan, coded, numbers.rows, numbers.channels, asked.jobs.at, rows)
    key = coded.mapping.contact
    refuse_collision(key, asked.base, columns)
    if asked.base is None:
        columns = {key: ids_out(coded, asked.contacts, rows), **columns}
    tally = numbers.tally[0]
    return Scores(
        model=model,
        at=_at(asked.instant, coded),
        stats=Stats(
            rows=coded.rows,
            contacts=len(rows) if asked.distinct is None else asked.distinct,
            future=int(tally["future"]) + later,
            duplicates=duplicates,
            excluded=int(tally["excluded"]),
            unmatched=int(tally["unmatched"]),
            null_amounts=int(tally["null_amounts"]),
        ),
        key=key,
        columns=columns,
        kind=asked.base.kind if asked.base else kind_of(coded),
        base=asked.base,
        notes=noted,
    )


def features(
    model: Model,
    events: Any,
    *,
    at: Any = None,
    threads: int | None = None,
    mapping: Mapping[str, str | None],
) -> Any:
    """Give S(r) per contact or per row of `at`; see `Model.features`."""
    plan = lower(model)
    coded = coded_events(model, events, mapping)
    asked = _asked(coded, at, None)
    numbers = _run(plan, coded, asked, threads=threads, sums=True)
    _refuse_overflow(numbers, coded, asked)
    rows = _result_rows(asked, numbers)
    assert numbers.sums is not None
    columns = {
        name: Out(kind="float", values=np.ascontiguousarray(numbers.sums[rows, r]))
        for r, name in enumerate(plan.names)
    }
    key = coded.mapping.contact
    refuse_collision(key, asked.base, columns)
    if asked.base is None:
        columns = {key: ids_out(coded, None, rows), **columns}
    return build(asked.base.kind if asked.base else kind_of(coded), columns, base=asked.base)


def kind_of(events: Events) -> str:
    """Return the kind of frame the events came in."""
    return str(events.source.kind)


def coded_events(model: Model, events: Any, mapping: Mapping[str, str | None]) -> Events:
    """Return events coded for a model, unless they come as `Events` already."""
    given = {name: column for name, column in mapping.items() if column is not None}
    if isinstance(events, Events):
        if given:
            raise EventsError(f"{', '.join(given)}: say which column is which when the Events are made")
        return events
    mapped = Mapped.of(model.columns, given)
    return read(events, mapped, sorted(model.fields - {"contact", "type", "time"}))


def _asked(events: Events, at: Any, source: Any) -> Asked:
    contacts = None if source is None else Contacts(source, events)
    table = None if at is None or isinstance(at, str) else _table(at)
    if table is None:
        return _everyone(events, _instant(events, at), contacts)
    return _each_row(events, table, contacts)


def _table(at: Any) -> Frame | None:
    try:
        return frame_of(at)
    except EventsError as error:
        if isinstance(at, Mapping) or hasattr(at, "columns"):
            raise EventsError(f"at: {error}") from None
        return None


def _instant(events: Events, at: Any) -> int:
    if at is None:
        return now()
    if not isinstance(at, str) and hasattr(at, "__len__"):
        raise EventsError(
            "at: expected an instant (a datetime, a date, a numpy.datetime64 or ISO 8601 text), or a frame "
            f"of contacts and instants (columns {events.mapping.contact!r} and 'at'), got {type(at).__name__}"
        )
    if not (isinstance(at, str) and at == "latest"):
        return microseconds_of(at)
    present = now()
    past = events.times[events.times <= present] if events.times.size else events.times
    return int(past.max()) if past.size else present


def _everyone(events: Events, at: int, contacts: Contacts | None) -> Asked:
    known = len(events.contacts)
    since = np.full(known, NO_INSTANT, np.int64)
    others = np.empty(0, np.int64)
    if contacts is not None:
        attributes, met = contacts.since(), contacts.codes >= 0
        since[contacts.codes[met]] = attributes[met]
        others = np.where(met, contacts.codes, 0).astype(np.int64)
        others[~met] = known + np.arange(int((~met).sum()))
        since = np.concatenate([since, attributes[~met]])
    jobs = Jobs(
        contacts=np.concatenate([np.arange(known), np.full(len(since) - known, -1)]),
        at=np.full(len(since), at, np.int64),
        since=since,
        counted=np.ones(len(since), np.uint8),
    )
    return Asked(jobs=jobs, order=None, others=others, contacts=contacts, base=None, instant=at)


def _instants_name(frame: Frame, key: str) -> str:
    """Name the column of instants: ``at``, or whichever is the only one that holds instants."""
    if "at" in frame.names:
        return "at"
    found = [name for name in frame.names if name != key and frame.column(name).kind == "instant"]
    if len(found) != 1:
        raise EventsError(
            f"at: expected a column 'at' of instants beside {key!r}, got {', '.join(frame.names)}"
        )
    return found[0]


def _each_row(events: Events, frame: Frame, contacts: Contacts | None) -> Asked:
    key = key_name(frame, events, "at")
    name = _instants_name(frame, key)
    column, instants = frame.column(key), frame.column(name)
    what, when = f"at column {key!r}", f"at column {name!r}"
    codes = codes_of(column, events.contacts, insert=False, what=what, rows=frame.rows)
    if frame.rows and instants.kind != "instant":
        raise EventsError(no_instants(when, instants))
    if instants.null is not None and instants.null.any():
        raise EventsError(
            f"{when}, row {int(instants.null.argmax()):,}: null; {in_all(int(instants.null.sum()))}"
        )
    at = np.ascontiguousarray(instants.values, np.int64) if frame.rows else np.empty(0, np.int64)
    refuse_out_of_range(at, when)
    asked = Coder(what)
    asked.code(column)
    since = np.full(frame.rows, NO_INSTANT, np.int64)
    if contacts is not None and len(contacts.coder):
        rows = codes_of(column, contacts.coder, insert=False, what=what, rows=frame.rows)
        since[rows >= 0] = contacts.since()[rows[rows >= 0]]
    # the stats count each contact once, at its last instant
    counted = np.zeros(frame.rows, np.uint8)
    order = np.lexsort((at, codes))
    final = np.append(codes[order][1:] != codes[order][:-1], True)[: frame.rows]
    counted[order[final]] = 1
    jobs = Jobs(contacts=codes.astype(np.int64), at=at, since=since, counted=counted)
    nobody = np.empty(0, np.int64)
    return Asked(
        jobs=jobs,
        order=np.arange(frame.rows),
        others=nobody,
        contacts=contacts,
        base=frame,
        instant=None,
        distinct=len(asked),
    )


def attach(plan: Plan, events: Events) -> _core.Scorer:
    """Bring plan and events together in the kernel."""
    matched = match(plan, events)
    model = plan.model
    return _core.scorer(
        rules=plan.rules,
        channel_caps=plan.channel_caps,
        by_channel=plan.by_channel,
        families=plan.families,
        listed_rules=plan.listed,
        roles=matched.roles,
        flags=matched.flags,
        plain_start=matched.plain_start,
        plain_rules=matched.plain_rules,
        weight_columns=matched.weight_columns,
        weight_starts=matched.weight_starts,
        weight_factors=matched.weight_factors,
        codes=matched.codes,
        amounts=matched.amounts,
        phases=plan.phases,
        ended_phase=plan.ended_phase,
        linear_scale=model.scale.kind == "linear",
        scale=model.scale.value,
        levels=np.array([model.levels.low, model.levels.medium, model.levels.high], np.float64),
        fast=plan.fast_us,
        slow=plan.slow_us,
        lifecycle=model.lifecycle is not None,
        starts=events.starts,
        times=events.times,
        types=events.types,
        classes=matched.classes,
        type_ranks=events.type_ranks,
    )


def _run(plan: Plan, events: Events, asked: Asked, *, threads: int | None, sums: bool) -> Numbers:
    scorer = attach(plan, events)
    jobs = asked.jobs
    count = len(jobs.contacts)
    numbers = Numbers(
        rows=np.zeros(count, ROW),
        channels=np.zeros((count, len(plan.channels))),
        sums=np.zeros((count, len(plan.names))) if sums else None,
        tally=np.zeros(1, TALLY),
    )

    parts = thread_count(threads, count)
    if asked.base is None:
        edges = _edges(np.append(np.diff(events.starts), 0)[jobs.contacts] + 1, parts)
    else:
        order = np.lexsort((jobs.at, jobs.contacts))
        sorted_ = Jobs(
            contacts=jobs.contacts[order], at=jobs.at[order], since=jobs.since[order], counted=jobs.counted
        )
        new = np.flatnonzero(np.diff(sorted_.contacts)) + 1
        starts = np.concatenate([[0], new, [count]]) if count else np.zeros(1, np.int64)
        contacts = sorted_.contacts[starts[:-1]]
        edges = _edges(np.append(np.diff(events.starts), 0)[contacts] + np.diff(starts), parts)

    def part(first: int, last: int) -> NDArray[Any]:
        tally = np.zeros(1, TALLY)
        if asked.base is None:
            scorer.run(
                jobs.contacts, jobs.at, jobs.since, jobs.counted, first, last, not sums,
                numbers.rows, numbers.channels, numbers.sums, tally,
            )  # fmt: skip
        else:
            _core.score_rows(
                scorer, starts, contacts, sorted_.at, sorted_.since, order, first, last,
                numbers.rows, numbers.channels, numbers.sums, tally,
            )  # fmt: skip
        return tally

    if len(edges) == 2:
        tallies = [part(*edges)]
    else:
        with ThreadPoolExecutor(len(edges) - 1) as pool:
            try:
                tallies = list(pool.map(part, edges[:-1], edges[1:]))
            except BaseException:  # Ctrl-C above all: the others need not finish
                scorer.stop()
                raise
    for tally in tallies:
        for name in STATS:
            numbers.tally[name] += tally[name]
    return numbers


def thread_count(threads: int | None, jobs: int) -> int:
    """Return how many threads to use for so many jobs: those asked for, else the cores where it pays."""
    if threads is None:
        cores = os.cpu_count()
        return cores if cores and jobs >= SMALL else 1
    if type(threads) is not int or threads < 1:
        raise EventsError(f"threads=: expected a whole number of at least 1, got {threads!r}")
    return min(threads, MOST_THREADS)


def _edges(sizes: NDArray[np.int64], parts: int) -> list[int]:
    """Cut jobs of these sizes into contiguous parts of about the same work."""
    count = len(sizes)
    if parts == 1 or count < 2:
        return [0, count]
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts, side="right")
    return sorted({0, count, *cuts.tolist()})


def _result_rows(asked: Asked, numbers: Numbers) -> NDArray[np.int64]:
    if asked.order is not None:
        return asked.order
    present = numbers.rows["present"].astype(bool)
    rest = asked.others[~present[asked.others]]
    return np.concatenate([np.flatnonzero(present), rest])


def _dropped(events: Events, jobs: Jobs) -> tuple[int, int]:
    """Count the dropped duplicates up to each contact's last instant, and those after it."""
    last = np.full(len(events.contacts), EARLIEST - 1, np.int64)
    asked = jobs.contacts >= 0
    np.maximum.at(last, jobs.contacts[asked], jobs.at[asked])
    until = last[events.dropped_codes]
    later = (events.dropped_times > until) & (until >= EARLIEST)
    return int((events.dropped_times <= until).sum()), int(later.sum())


def _refuse_overflow(numbers: Numbers, events: Events, asked: Asked) -> None:
    finite = np.isfinite(numbers.rows["score"]) & np.isfinite(numbers.rows["largest"])
    if not finite.all():
        refuse_overflow(events, int(asked.jobs.contacts[int((~finite).argmax())]))


def refuse_overflow(events: Events, contact: int) -> NoReturn:
    """Raise an EventsError for a contact whose points no float can hold."""
    raise EventsError(
        f"events of contact {events.contacts.strings()[contact]!r}: their points overflow; expected amounts "
        "and points whose sum a 64-bit float can hold"
    )


def _warn_if_faded(numbers: Numbers) -> None:
    rows = numbers.rows
    if rows["largest"].max(initial=0.0) < NOTHING and not np.isnan(rows["momentum"]).all():
        warnings.warn(
            "every contribution has decayed to nothing by now; score old events as of their newest one "
            'with at="latest", or name an instant',
            UserWarning,
            stacklevel=4,
        )


def refuse_collision(key: str, base: Frame | None, columns: Collection[str]) -> None:
    """Raise an EventsError where the result would use names of the caller's columns."""
    both = sorted(set(columns) & (set(base.names) if base is not None else {key}))
    if both:
        table = "events" if base is None else "at"
        raise EventsError(
            f"{table}: expected columns with names that the result does not use itself, got "
            f"{', '.join(map(repr, both))}; "
            "rename them"
        )


def _at(instant: int | None, events: Events) -> Any:
    from datetime import timedelta

    if instant is None:
        return None
    at = EPOCH + timedelta(microseconds=instant)
    return at if events.aware else at.replace(tzinfo=None)
