"""Scoring a whole table: every contact at one instant, or one contact and instant a row."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from attrs import define

from engagekit import reacting, streams
from engagekit.coding import Coder, no_instants
from engagekit.columns import Column
from engagekit.contacts import NO_INSTANT, Contacts, codes_of, column_in, key_name
from engagekit.errors import EventsError, in_all
from engagekit.events import CONTENT, Events, read
from engagekit.explain import Origin
from engagekit.frames import Frame, Out, build, frame_of
from engagekit.instants import EPOCH, microseconds_of, now, refuse_out_of_range
from engagekit.leads import Rows, Sight, leads_of, seen
from engagekit.mapped import Mapped
from engagekit.model import Absence, Model, Repeat, Rule
from engagekit.model.wording import shown
from engagekit.notes import notes, reads_nothing
from engagekit.plan import lower
from engagekit.results import ids_out, result_columns, taken
from engagekit.running import Jobs, Numbers, alike, dropped, run, thread_count
from engagekit.scores import Scores, Stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING = 1e-6
"""Decayed points that no reader of a score would take for anything."""


@define(kw_only=True)
class Asked:
    """Jobs, and how their results become rows: which jobs, under which ids, beside which columns."""

    jobs: Jobs
    order: NDArray[np.int64] | None
    """The jobs of the result's rows; None: those with an event, then the contacts table's others."""
    others: NDArray[np.int64]
    """The contacts table's rows by job, in its order."""
    contacts: Contacts | None
    known: NDArray[np.int64] | None
    """The contacts table's row by job, -1 for none; None: there is no table."""
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
    coded = coded_events(model, events, mapping)
    if coded.disk is not None:
        coded.disk.watch = watch
        coded.disk.counted = reads_nothing(plan, coded.types_by_code)
    asked = _asked(coded, at, contacts)
    try:
        leads = leads_of(model, asked.contacts)
        if asked.base is None:
            reacting.refuse_missing(model, asked.contacts)
    except BaseException:
        coded.close()
        raise
    numbers = run(plan, coded, asked.jobs, threads=threads, sums=False)
    _refuse_overflow(numbers, coded, asked)
    if at is None:
        _warn_if_faded(numbers)
    rows = _result_rows(asked, numbers)
    duplicates, later = dropped(coded, asked.jobs)
    customers_known = contacts is not None and bool((asked.jobs.since != NO_INSTANT).any())
    noted = notes(
        plan,
        coded,
        instant=asked.instant,
        customers_known=customers_known,
        contacts_given=asked.contacts is not None,
    )
    columns = result_columns(plan, coded, numbers.columns, numbers.channels, rows)
    key = coded.mapping.contact
    sight = None
    if leads is not None or model.triggers:
        facts = _lead_rows(coded, asked, numbers, rows)
        columns = columns if leads is None else leads.columns(columns, facts)
        sight = Sight(columns, facts, asked.contacts)
    refuse_collision(key, asked.base, columns)
    standing = None
    if asked.base is None:
        columns = {key: ids_out(coded, asked.contacts, rows), **columns}
        if sight is not None and model.triggers:
            standing = reacting.first(model, columns, key, sight)
    future, excluded, unmatched, null_amounts = numbers.tally.item()
    kind = asked.base.kind if asked.base else kind_of(coded)
    origin = None
    if coded.disk is None:
        if coded is not events:
            coded.detach(ids="contact" in model.fields)
        origin = Origin.of(model, coded, asked.jobs, rows)
    return Scores(
        model=model,
        at=_at(asked.instant, coded),
        stats=Stats(
            rows=coded.rows,
            contacts=len(columns["score"].values) if asked.distinct is None else asked.distinct,
            future=future + later,
            duplicates=duplicates,
            excluded=excluded,
            unmatched=unmatched,
            null_amounts=null_amounts,
        ),
        key=key,
        columns=columns,
        kind=kind,
        base=asked.base,
        notes=noted,
        origin=origin,
        contacts=asked.contacts,
        standing=standing,
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
    numbers = run(plan, coded, asked.jobs, threads=threads, sums=True)
    _refuse_overflow(numbers, coded, asked)
    rows = _result_rows(asked, numbers)
    places = {name: r for r, name in enumerate(plan.names)}
    declared: list[Rule | Absence | Repeat] = [*model.rules, *model.absences, *model.repeats]
    columns = {
        rule.name: Out(kind="float", values=taken(numbers.sums[places[rule.name]], rows)) for rule in declared
    }
    key = coded.mapping.contact
    refuse_collision(key, asked.base, columns)
    if asked.base is None:
        columns = {key: ids_out(coded, None, rows), **columns}
    return build(asked.base.kind if asked.base else kind_of(coded), columns, base=asked.base)


def kind_of(events: Events) -> str:
    """Return the kind of frame the events came in."""
    return str(events.source.kind)


def coded_events(
    model: Model, events: Any, mapping: Mapping[str, str | None], *, spill: bool = True, ids: bool = False
) -> Events:
    """Return events coded for a model, unless they come as `Events` already.

    Large streams `spill` to disk; the events' `ids` are kept as a column where somebody asks for them.
    """
    given = {name: column for name, column in mapping.items() if column is not None}
    if isinstance(events, Events):
        if given:
            raise EventsError(f"{', '.join(given)}: say which column is which when the Events are made")
        return events
    mapped = Mapped.of(model.columns, given)
    fields = model.fields - {"contact", "type", "time"}
    if ids and mapped.id is not None:
        fields |= {mapped.id}
    optional = {CONTENT} - fields if model.contents else ()
    return read(events, mapped, sorted(fields), optional=optional, spill=spill)


def _asked(events: Events, at: Any, source: Any) -> Asked:
    try:
        contacts = None if source is None else Contacts(source, events)
        table = None if at is None or isinstance(at, str) else _table(at)
        if table is None:
            return everyone(events, _instant(events, at), contacts)
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
    if events.disk is None:
        newest = events.newest(present)
    else:
        newest = streams.newest(events, present, threads=thread_count(None, len(events)))
    return present if newest is None else newest


def everyone(events: Events, at: int, contacts: Contacts | None) -> Asked:
    """Ask for all contacts at one instant."""
    known = len(events.contacts)
    since = alike(NO_INSTANT, known)
    others = np.empty(0, np.int64)
    table: NDArray[np.int64] | None = None
    asked = np.arange(known)
    if contacts is not None:
        since = since.copy()
        attributes, met = contacts.since(), contacts.codes >= 0
        since[contacts.codes[met]] = attributes[met]
        others = np.where(met, contacts.codes, 0).astype(np.int64)
        others[~met] = known + np.arange(int((~met).sum()))
        table = np.full(known, -1, np.int64)
        table[contacts.codes[met]] = np.flatnonzero(met)
        table = np.concatenate([table, np.flatnonzero(~met)])
        since = np.concatenate([since, attributes[~met]])
        asked = np.concatenate([asked, np.full(len(since) - known, -1)])
    jobs = Jobs(
        contacts=asked,
        at=alike(at, len(since)),
        since=since,
        counted=np.ones(len(since), np.uint8),
    )
    return Asked(jobs=jobs, order=None, others=others, contacts=contacts, known=table, base=None, instant=at)


def _instants_name(frame: Frame, key: str) -> str:
    """Name the column of instants: ``at``, or whichever is the only one that holds instants."""
    if "at" in frame.names:
        return "at"
    found = [name for name in frame.names if name != key and frame.column(name).kind == "instant"]
    if len(found) != 1:
        names = ", ".join(repr(name) for name in frame.names[:20])
        raise EventsError(f"at: expected a column 'at' of instants beside {key!r}, got {names}")
    return found[0]


def _each_row(events: Events, frame: Frame, contacts: Contacts | None) -> Asked:
    key = key_name(frame, events.mapping.contact, "at")
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
    rows: NDArray[Any] | None = None
    if contacts is not None and len(contacts.coder):
        rows = codes_of(column, contacts.coder, insert=False, what=what, rows=frame.rows)
        since[rows >= 0] = contacts.since()[rows[rows >= 0]]
    # the stats count each contact once, at its last instant
    counted = np.zeros(frame.rows, np.uint8)
    order = np.lexsort((at, codes))
    final = np.append(codes[order][1:] != codes[order][:-1], True)[: frame.rows]
    counted[order[final]] = 1
    jobs = Jobs(contacts=codes.astype(np.int64), at=at, since=since, counted=counted, mixed=True)
    nobody = np.empty(0, np.int64)
    return Asked(
        jobs=jobs,
        order=np.arange(frame.rows),
        others=nobody,
        contacts=contacts,
        known=None if rows is None else rows.astype(np.int64),
        base=frame,
        instant=None,
        distinct=len(asked),
    )


def _result_rows(asked: Asked, numbers: Numbers) -> NDArray[np.int64] | None:
    """Give the jobs of the result's rows; None: all, as they are."""
    if asked.order is not None:
        return asked.order
    present = numbers.columns["present"].view(np.bool_)
    if asked.contacts is None and present.size and present.all():
        return None
    rest = asked.others[~present[asked.others]]
    return np.concatenate([np.flatnonzero(present), rest])


def _lead_rows(events: Events, asked: Asked, numbers: Numbers, rows: NDArray[np.int64] | None) -> Rows:
    """Tell the lead side of a result's rows what the kernel says of them."""

    def key() -> Column:
        if asked.base is not None:
            name = key_name(asked.base, events.mapping.contact, "at")
            return column_in(asked.base, name, f"at column {name!r}")
        return seen(ids_out(events, asked.contacts, rows))

    return Rows.of(
        numbers,
        rows,
        at=taken(asked.jobs.at, rows),
        known=None if asked.known is None else taken(asked.known, rows),
        key=key,
    )


def _refuse_overflow(numbers: Numbers, events: Events, asked: Asked) -> None:
    largest, score = numbers.columns["largest"], numbers.columns["score"]
    if _all_finite(largest) and _all_finite(score):
        return
    finite = np.isfinite(score) & np.isfinite(largest)
    if not finite.all():
        refuse_overflow(events, int(asked.jobs.contacts[int((~finite).argmax())]))


def _all_finite(values: NDArray[np.float64]) -> bool:
    """Say whether there is no infinity, and no NaN, which is the greatest to NumPy; without a mask."""
    return not len(values) or (isfinite(values[values.argmax()]) and isfinite(values[values.argmin()]))


def refuse_overflow(events: Events, contact: int) -> NoReturn:
    """Raise an EventsError for a contact whose points no float can hold."""
    ids = events.contacts
    who = int(ids.integers()[contact]) if ids.kind == "integer" else ids.strings()[contact]
    raise overflow(who)


def overflow(who: int | str) -> EventsError:
    """Make the error of a contact whose points no float can hold."""
    return EventsError(
        f"events of contact {shown(who)}: their points overflow; expected amounts and points whose sum a "
        "64-bit float can hold"
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
    if instant is None:
        return None
    at = EPOCH + timedelta(microseconds=instant)
    return at if events.aware else at.replace(tzinfo=None)
