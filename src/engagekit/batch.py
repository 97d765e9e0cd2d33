"""Scoring a whole table: every contact at one instant, or one contact and instant a row."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define

from engagekit import _core, streams
from engagekit.coding import Coder, no_instants
from engagekit.contacts import NO_INSTANT, Contacts, codes_of, key_name
from engagekit.errors import EventsError, in_all
from engagekit.events import Events, Mapped, read
from engagekit.frames import Frame, Out, build, frame_of
from engagekit.instants import EARLIEST, EPOCH, microseconds_of, now, refuse_out_of_range
from engagekit.matching import match
from engagekit.model import Absence, Model, Repeat, Rule
from engagekit.notes import notes
from engagekit.plan import TALLY, Plan, lower
from engagekit.scores import Scores, Stats, ids_out, result_columns, taken
from engagekit.threads import MOST_THREADS, cores, in_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL = 4096
"""Jobs below which threads cost more than they save."""
A_CONTACT = 20
"""The events whose reading takes as long as a contact's finishing."""
KERNEL_COLUMNS = {
    np.float64: ("score", "engagement", "momentum", "silent_days", "largest"),
    np.int64: ("next_change", "events", "first_event", "last_event"),
    np.int32: ("level", "half", "phase", "next_level", "next_phase", "last_type", "top_channel"),
    np.uint8: ("present",),
}
STATS = ("future", "excluded", "unmatched", "null_amounts")
NO_INSTANT_YET = EARLIEST - 1
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
    """What the kernel made of the jobs: arrays by result column, one row of `channels` and `sums` each."""

    columns: dict[str, NDArray[Any]]
    channels: NDArray[np.float64]
    sums: NDArray[np.float64]
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
    watch: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score events by a model; see `Model.score`. Where they lie on disk, `watch` is told how far that is."""
    plan = lower(model)
    coded = _events(model, events, mapping)
    if coded.disk is not None:
        coded.disk.watch = watch
    asked = _asked(coded, at, contacts)
    numbers = _run(plan, coded, asked.jobs, threads=threads, sums=False, ahead=True)
    _refuse_overflow(numbers, coded, asked)
    if at is None:
        _warn_if_faded(numbers)
    rows = _result_rows(asked, numbers)
    duplicates, later = _dropped(coded, asked.jobs)
    customers_known = bool((asked.jobs.since != NO_INSTANT).any())
    noted = notes(plan, coded, instant=asked.instant, customers_known=customers_known)
    if coded is not events:
        coded.release()
    columns = result_columns(plan, coded, numbers.columns, numbers.channels, rows)
    key = coded.mapping.contact
    _refuse_collision(key, asked.base, columns)
    if asked.base is None:
        columns = {key: ids_out(coded, asked.contacts, rows), **columns}
    tally = numbers.tally[0]
    return Scores(
        model=model,
        at=_at(asked.instant, coded),
        stats=Stats(
            rows=coded.rows,
            contacts=len(columns["score"].values) if asked.distinct is None else asked.distinct,
            future=int(tally["future"]) + later,
            duplicates=duplicates,
            excluded=int(tally["excluded"]),
            unmatched=int(tally["unmatched"]),
            null_amounts=int(tally["null_amounts"]),
        ),
        key=key,
        columns=columns,
        kind=asked.base.kind if asked.base else _kind(coded),
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
    coded = _events(model, events, mapping)
    asked = _asked(coded, at, None)
    numbers = _run(plan, coded, asked.jobs, threads=threads, sums=True, ahead=False)
    _refuse_overflow(numbers, coded, asked)
    rows = _result_rows(asked, numbers)
    places = {name: r for r, name in enumerate(plan.names)}
    declared: list[Rule | Absence | Repeat] = [*model.rules, *model.absences, *model.repeats]
    columns = {
        rule.name: Out(kind="float", values=taken(numbers.sums[places[rule.name]], rows)) for rule in declared
    }
    key = coded.mapping.contact
    _refuse_collision(key, asked.base, columns)
    if asked.base is None:
        columns = {key: ids_out(coded, None, rows), **columns}
    return build(asked.base.kind if asked.base else _kind(coded), columns, base=asked.base)


def _kind(events: Events) -> str:
    return str(events.source.kind)


def _events(model: Model, events: Any, mapping: Mapping[str, str | None]) -> Events:
    given = {name: column for name, column in mapping.items() if column is not None}
    if isinstance(events, Events):
        if given:
            raise EventsError(f"{', '.join(given)}: say which column is which when the Events are made")
        return events
    mapped = Mapped.of(model.columns, given)
    return read(events, mapped, sorted(model.fields - {"contact", "type", "time"}))


def _asked(events: Events, at: Any, source: Any) -> Asked:
    try:
        contacts = None if source is None else Contacts(source, events)
        table = None if at is None or isinstance(at, str) else _table(at)
        if table is None:
            return _everyone(events, _instant(events, at), contacts)
        return _each_row(events, table, contacts)
    except BaseException:
        events.close()
        raise


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
    if events.disk is not None:
        newest = streams.newest(events, present, threads=_threads(None, len(events)))
        return present if newest is None else newest
    if not events.times.size:
        return present
    # each contact's newest event is its last
    latest = int(events.times[events.starts[1:][np.diff(events.starts) > 0] - 1].max())
    if latest > present:
        latest = int(events.times[events.times <= present].max(initial=NO_INSTANT_YET))
    return present if latest == NO_INSTANT_YET else latest


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


def _run(plan: Plan, events: Events, jobs: Jobs, *, threads: int | None, sums: bool, ahead: bool) -> Numbers:
    if events.disk is not None:
        with closing(events):
            return _run_on_disk(plan, events, jobs, threads=threads, sums=sums, ahead=ahead)
    matched = match(plan, events)
    model = plan.model
    scorer = _core.scorer(
        rules=plan.rules,
        channel_caps=plan.channel_caps,
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
        excludes=len(plan.excludes) > 0,
        starts=events.starts,
        times=events.times,
        types=events.types,
        classes=matched.classes,
        type_ranks=events.type_ranks,
    )
    count = len(jobs.contacts)
    numbers = _room(plan, count, sums=sums)

    def part(first: int, last: int) -> NDArray[Any]:
        tally = np.zeros(1, TALLY)
        scorer.run(
            jobs.contacts, jobs.at, jobs.since, jobs.counted, first, last, ahead,
            numbers.columns, numbers.channels, numbers.sums if sums else None, tally,
        )  # fmt: skip
        return tally

    for tally in in_parts(part, _edges(events, jobs, _threads(threads, count)), stop=scorer.stop):
        for name in STATS:
            numbers.tally[name] += tally[name]
    return numbers


def _room(plan: Plan, count: int, *, sums: bool) -> Numbers:
    return Numbers(
        columns={name: np.zeros(count, dtype) for dtype, names in KERNEL_COLUMNS.items() for name in names},
        channels=np.zeros((len(plan.channels), count)),
        sums=np.zeros((len(plan.names) if sums else 0, count)),
        tally=np.zeros(1, TALLY),
    )


def _fill(numbers: Numbers, jobs: NDArray[np.int64], part: Numbers) -> None:
    """Put the results of some jobs among those of all."""
    for name, values in part.columns.items():
        numbers.columns[name][jobs] = values
    numbers.channels[:, jobs] = part.channels
    numbers.sums[:, jobs] = part.sums


def _run_on_disk(
    plan: Plan, events: Events, jobs: Jobs, *, threads: int | None, sums: bool, ahead: bool
) -> Numbers:
    numbers = _room(plan, len(jobs.contacts), sums=sums)
    streams.run(
        plan,
        events,
        jobs,
        numbers,
        score=lambda part, own: _run(plan, part, own, threads=1, sums=sums, ahead=ahead),
        fill=_fill,
        dropped=_dropped,
        threads=_threads(threads, len(events)),
    )
    return numbers


def _threads(threads: int | None, jobs: int) -> int:
    if threads is None:
        return cores() if jobs >= SMALL else 1
    if type(threads) is not int or threads < 1:
        raise EventsError(f"threads=: expected a whole number of at least 1, got {threads!r}")
    return min(threads, MOST_THREADS)


def _edges(events: Events, jobs: Jobs, parts: int) -> list[int]:
    """Cut the jobs into contiguous parts of about the same work."""
    count = len(jobs.contacts)
    if parts == 1 or count < 2:
        return [0, count]
    sizes = np.append(np.diff(events.starts), 0)[jobs.contacts] + A_CONTACT
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts, side="right")
    return sorted({0, count, *cuts.tolist()})


def _result_rows(asked: Asked, numbers: Numbers) -> NDArray[np.int64] | None:
    """Give the jobs of the result's rows; None: all, as they are."""
    if asked.order is not None:
        return asked.order
    present = numbers.columns["present"].view(np.bool_)
    if asked.contacts is None and present.size and present.all():
        return None
    rest = asked.others[~present[asked.others]]
    return np.concatenate([np.flatnonzero(present), rest])


def _dropped(events: Events, jobs: Jobs) -> tuple[int, int]:
    """Count the dropped duplicates up to each contact's last instant, and those after it."""
    if events.disk is not None and events.disk.seen is not None:
        return events.disk.seen.duplicates, events.disk.seen.later
    if not len(events.dropped_codes):
        return 0, 0
    last = np.full(len(events.contacts), NO_INSTANT_YET, np.int64)
    asked = jobs.contacts >= 0
    np.maximum.at(last, jobs.contacts[asked], jobs.at[asked])
    until = last[events.dropped_codes]
    later = (events.dropped_times > until) & (until >= EARLIEST)
    return int((events.dropped_times <= until).sum()), int(later.sum())


def _refuse_overflow(numbers: Numbers, events: Events, asked: Asked) -> None:
    largest = numbers.columns["largest"]
    if not np.isfinite(largest.max(initial=0.0)) or not np.isfinite(numbers.columns["score"].sum()):
        finite = np.isfinite(numbers.columns["score"]) & np.isfinite(largest)
        if finite.all():
            return
        contact = int(asked.jobs.contacts[int((~finite).argmax())])
        raise EventsError(
            f"events of contact {events.contacts.strings()[contact]!r}: their points "
            "overflow; expected amounts and "
            "points whose sum a 64-bit float can hold"
        )


def _warn_if_faded(numbers: Numbers) -> None:
    columns = numbers.columns
    if columns["largest"].max(initial=0.0) < NOTHING and not np.isnan(columns["momentum"]).all():
        warnings.warn(
            "every contribution has decayed to nothing by now; score old events as of their newest one "
            'with at="latest", or name an instant',
            UserWarning,
            stacklevel=4,
        )


def _refuse_collision(key: str, base: Frame | None, columns: Mapping[str, Out]) -> None:
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
