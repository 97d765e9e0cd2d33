"""Live: scores that keep up with events as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from math import isfinite
from os import PathLike
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Self, cast

import numpy as np
from attrs import asdict, define

from engagekit import _core, statefiles
from engagekit.attributes import Attributes, kind_in, values_of
from engagekit.autosaving import Autosave
from engagekit.classing import Classes, hashes_of, label_of, moment_of
from engagekit.coding import MIXED, MOST_SIGNED
from engagekit.contacts import single
from engagekit.errors import EventsError, StateError
from engagekit.events import CONTENT, Events, Mapped, read
from engagekit.frames import Out
from engagekit.instants import EPOCH, microseconds_of, now, text_of
from engagekit.keeping import combine, restored, sections_of
from engagekit.leads import Leads, leads_of, seen
from engagekit.leads import Rows as LeadRows
from engagekit.matching import match
from engagekit.model import Model
from engagekit.model.durations import duration_text, parse_duration
from engagekit.plan import lower, microseconds
from engagekit.results import result_columns, taken
from engagekit.running import Numbers, attach, contents_of
from engagekit.score import NAIVE_EPOCH, RowNames, Score, score_of
from engagekit.scores import Scores, Stats
from engagekit.summary import printable
from engagekit.tables import html_table, paragraph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.contacts import Contacts
    from engagekit.show.card import Card

_NEVER: Final = 2**63 - 1
_SLICE: Final = 4096
"""Contacts that are scored while other threads wait."""


@define(frozen=True, kw_only=True)
class LiveStats:
    """What a live state has taken in.

    Attributes
    ----------
    rows
        Events given, duplicates and those that wait included.
    contacts
        Contacts with an event that counts.
    late
        Events that came too late for something settled: they are left out there, and count for all else.
    waiting
        Events later than the clock.
    duplicates
        Events whose id the contact has had.
    excluded
        Events taken away by an exclusion, as far as is known by now.
    unmatched
        Events that no rule, absence or repeat reads.
    null_amounts
        Matched events whose amount was null, once per rule.
    """

    rows: int
    contacts: int
    late: int
    waiting: int
    duplicates: int
    excluded: int
    unmatched: int
    null_amounts: int


class Live(_core.LiveState):
    """Scores that keep up with events as they come: the batch's numbers, in bounded memory.

    Parameters
    ----------
    model
        The model that scores.
    lateness
        How much later than newer ones an event may come and still count as if it had come in time.
    clock
        Called without arguments for the present instant; None: the machine's clock. An event later than it
        waits.

    Notes
    -----
    Any number of threads may use it at once. Whatever is asked of a `Live` reads or changes it as a whole.

    Examples
    --------
    >>> import engagekit as ek
    >>> model = ek.Model(rules=[ek.Rule(name="demo", on="demo", points=30)])
    >>> live = ek.Live(model)
    >>> live.add("ann", "demo", "2026-01-01")
    >>> live.score("ann", at="2026-01-31").score
    15.0
    >>> live
    Live(1 contact, 1 event, lateness 7d, newest 2026-01-01T00:00:00Z)
    """

    def __init__(
        self,
        model: Model,
        *,
        lateness: str | timedelta = "7d",
        clock: Callable[[], Any] | None = None,
    ) -> None:
        if not isinstance(model, Model):
            raise StateError(f"Live: expected a Model, got {type(model).__name__}")
        try:
            span = parse_duration(lateness)
        except ValueError as error:
            raise StateError(f"lateness=: {error}") from None
        if span < timedelta(0):
            raise StateError(f"lateness=: expected a duration of at least 0, got {lateness!r}")
        self.model = model
        self.lateness = span
        self.position: str | int | None = None
        self.clock = clock
        self._lock = RLock()
        self._file_lock = RLock()
        self._saver: Autosave | None = None
        self._plan = lower(model)
        self._classes = Classes(self._plan)
        self._classes.declare(self, lateness=microseconds(span))
        self._attributes = Attributes(model)
        self._says_leads = leads_of(model, None) is not None
        self._rows = RowNames(self._plan)
        self._type_names: list[str] = []
        self._contents = {content.id: number for number, content in enumerate(model.contents)}
        self._types: dict[str, int] = {}
        self.plain = {}
        self._kind: str | None = None
        self._ids: Any = None
        self._signs = (False, False)
        self._like: Any = None
        self._frame_kind = "dict"
        self._key = model.columns.get("contact", "contact")

    # Events ----------------------------------------------------------------------------------------------

    def _add(
        self,
        contact: int | str,
        type: str,
        time: Any,
        value: Any,
        id: int | str | None,
        context: Mapping[str, Any] | None,
    ) -> None:
        """Take in one event of any kind; `LiveState.add` takes the plain ones itself."""
        present = self._present()
        micros = present if time is None else microseconds_of(time, "time")
        if not isinstance(type, str):
            raise EventsError(f"type: expected text, got {type!r} ({type.__class__.__name__})")
        kind = self._kind_of(contact)
        row = {**(context or {}), "contact": contact, "type": type, "value": value}
        if "time" in self.model.fields:
            row["time"] = moment_of(micros)
        key = self._classes.of_row(row)
        read = self._classes.read(self, row)
        content = self._contents.get(label_of(row.get(CONTENT), CONTENT) or "", -1) if self._contents else -1
        label = None if id is None else label_of(id, "id")
        identity = None if label is None else self.hashed(label)
        with self._lock:
            self._admit(present)
            number = self._number(key)
            code = self._place(contact, kind)
            named = self._type(type)
            self.take_one(code, micros, number, named, content, identity, *read, present)
            if self._classes.is_plain(type) and not self._contents:
                self.plain[str(type)] = number << 32 | named
            if isinstance(time, datetime) and time.tzinfo is not None:
                self.aware = True

    def ingest(
        self,
        events: Any,
        position: str | int | None = None,
        *,
        contact: str | None = None,
        type: str | None = None,
        time: str | None = None,
        value: str | None = None,
        id: str | None = None,
        unit: str | None = None,
    ) -> None:
        """Take in a frame of events, wholly or, if anything is wrong with it, not at all.

        Parameters
        ----------
        events
            A frame of any library, an `Events`, a stream of frames (taken in as one), or a stream of (frame,
            position) pairs (taken in one by one).
        position
            How far the source has been read with it: text or an integer. It is saved with the state.
        contact, type, time, value, id, unit
            As of `Events`.

        Raises
        ------
        EventsError
            If a column is missing, of the wrong kind or has a null, or the contacts are of another kind than
            those before.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)]))
        >>> times = np.array(["2026-01-01", "2026-01-01"], "datetime64[us]")
        >>> live.ingest({"contact": ["ann", "bob"], "type": ["visit"] * 2, "time": times}, position="0-1")
        >>> live.position, live.scores(at="2026-01-01").frame["score"].tolist()
        ('0-1', [2.0, 2.0])
        """
        mapping = {"contact": contact, "type": type, "time": time, "value": value, "id": id, "unit": unit}
        _refuse_position(position)
        source = iter(events) if _is_stream(events) else None
        if source is None:
            self._ingest(events, position, mapping)
            return
        first = next(source, None)
        if first is None:
            if position is not None:
                self.position = position
            return
        if not _is_pair(first):
            self._ingest(_chained(first, source), position, mapping)
            return
        if position is not None:
            raise EventsError("position=: the stream is of (frame, position) pairs and says it itself")
        for pair in _chained(first, source):
            if not _is_pair(pair):
                raise EventsError(f"events: expected (frame, position) pairs, got {pair!r}")
            _refuse_position(pair[1])
            self._ingest(pair[0], pair[1], mapping)

    def _ingest(self, source: Any, position: str | int | None, given: Mapping[str, str | None]) -> None:
        events = self._read(source, given)
        matched = match(self._classes.judging, events)
        identity = events.mapping.id
        ids = None if identity is None else events.codes(identity)
        contents = contents_of(self._plan, events)
        labels = [events.codes(name)[1] for name in self._plan.codes]
        keys = self._classes.of_view(matched.view)
        scorer = attach(self._classes.judging, events, matched)
        hashes = [hashes_of(self, names) for names in labels]
        named, hashed = np.empty(0, np.uint8), np.empty(0, np.int64)
        if ids is not None:
            named = (ids[0] >= 0).view(np.uint8)
            hashed = hashes_of(self, ids[1])[ids[0]]
        with self._lock:
            present = self._present()
            self._refuse_kind(events)
            self._admit(present)
            if len(events.contacts):
                numbers = [self._number(key) for key in keys]
                kept = _core.Kept(
                    self._place_all(events),
                    np.array(numbers, np.int32),
                    self._types_of(events.types_by_code),
                    contents,
                    hashed,
                    named,
                    hashes,
                    matched.codes,
                )
                self.take_all(scorer, kept, present)
                gone = len(events.dropped_codes)
                self.rows += gone
                self.duplicates += gone
            self.aware = self.aware or events.aware
            self._like = self._like or events.source.like(events.mapping.contact)
            self._frame_kind = events.source.kind
            self._key = events.mapping.contact
            if position is not None:
                self.position = position

    def _read(self, source: Any, given: Mapping[str, str | None]) -> Events:
        named = {name: column for name, column in given.items() if column is not None}
        if isinstance(source, Events):
            if named:
                raise EventsError(f"{', '.join(named)}: say which column is which when the Events are made")
            return source
        mapped = Mapped.of(self.model.columns, named)
        fields = self.model.fields - {"contact", "type", "time"}
        if mapped.id is not None:
            fields |= {mapped.id}
        optional = {CONTENT} - fields if self.model.contents else ()
        return read(source, mapped, sorted(fields), optional=optional, spill=False)

    # Numbers ---------------------------------------------------------------------------------------------

    def score(self, contact: int | str, at: Any = None) -> Score:
        """Score one contact.

        Parameters
        ----------
        contact
            Who. One that is not known has the row of a contact without events.
        at
            The instant, not before the contact's newest event that counts; None: now; ``"latest"``: the
            newest event seen.

        Raises
        ------
        StateError
            If the contact has events later than `at`: the batch, which has all events, can look back.
        EventsError
            If the contact is of another kind than those known, or `at` is no instant.

        Examples
        --------
        >>> import engagekit as ek
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)]))
        >>> live.add("ann", "visit", "2026-01-01")
        >>> live.score("ann", at="2026-01-31")
        Score('ann', score 1, engagement 1.4, low, nurture)
        """
        kind = self._kind_of(contact)
        with self._lock:
            instant = self._asked(at)
            code = self._find(contact, kind)
            if code >= 0:
                code = self.row(code)
            if self._says_leads:
                columns = self._columns([code], instant)
                return score_of(contact, self.model, self._moment(instant), columns, 0)
            numbers = self.score_one(code, instant, self._attributes.since_of(code))
            if numbers is None:
                raise self._early(code, instant)
            if not (isfinite(numbers[0]) and isfinite(numbers[3])):
                raise self._overflow(code)
            row = self._rows.of(numbers, instant, self._type_names, aware=self.aware)
            return Score(contact, self.model, self._moment(instant), row)

    def card(
        self,
        contact: int | str,
        at: Any = None,
        *,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> Card:
        """Make a contact's card, as `Scores.card` does; without what only the events know.

        That is when the newest event of a reason was, how many there are, and the course of the last days.

        Parameters
        ----------
        contact, at
            As of `score`.
        language, labels, theme
            As of `Scores.card`.

        Raises
        ------
        StateError, EventsError
            As `score`.

        Examples
        --------
        >>> import engagekit as ek
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="demo", on="demo", points=60)]))
        >>> live.add("ann", "demo", "2026-01-01")
        >>> live.card("ann", at="2026-03-01", language="de")
        Card('ann', Engagement 19, niedrig, Pflege, sinkend)
        """
        from engagekit.explain import reasons
        from engagekit.show.card import Subject, card

        with self._lock:
            score = self.score(contact, at)
            row = score.to_dict()
            code = self._find(contact, self._kind_of(contact))
            code = self.row(code) if code >= 0 else code
            sums = np.zeros((len(self._plan.names), 1))
            self.sums_of(code, microseconds_of(score.at), self._attributes.since_of(code), sums[:, 0])
        half = np.array([row["half"] == "customer"], np.int32)
        found = reasons(self._plan, sums, half)
        subject = Subject(model=self.model, contact=contact, at=score.at, row=row, reasons=found)
        return card(subject, language=language, labels=labels, theme=theme)

    def scores(self, at: Any = None) -> Scores:
        """Score all contacts, in the order in which they first came; then those of `update` without events.

        Parameters
        ----------
        at
            As of `score`.

        Raises
        ------
        StateError
            If a contact has events later than `at`.

        Examples
        --------
        >>> import engagekit as ek
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)]))
        >>> live.add(7, "visit", "2026-01-01")
        >>> live.update({8: {"customer_since": "2025-01-01"}})
        >>> live.scores(at="2026-01-31").frame["contact"].tolist()
        [7, 8]
        """
        with self._lock:
            instant = self._asked(at)
            codes = self._own_codes()
            return self._scores(codes, instant)

    def _scores(self, codes: list[int], instant: int) -> Scores:
        numbers = self._run(codes, instant)
        counted = numbers.columns["present"].view(np.bool_)
        places = {code: place for place, code in enumerate(codes)}
        others = [
            places[code] for code in self._attributes.of if code in places and not counted[places[code]]
        ]
        rows = np.concatenate([np.flatnonzero(counted), np.array(others, np.int64)])
        shown = [codes[row] for row in rows.tolist()]
        columns = self._result(numbers, rows, shown, instant)
        known = self.stats
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
            model=self.model,
            at=self._moment(instant),
            stats=stats,
            key=self._key,
            columns={self._key: self._ids_out(shown), **columns},
            kind=self._frame_kind,
        )

    def _columns(self, codes: list[int], instant: int) -> dict[str, Out]:
        numbers = self._run(codes, instant)
        return self._result(numbers, None, codes, instant)

    def _run(self, codes: list[int], instant: int) -> Numbers:
        numbers = Numbers.room(self._plan, len(codes), sums=False)
        since = self._attributes.since(codes)
        own = np.array(codes, np.int64)
        heard = numbers.heard
        for first in range(0, len(codes), _SLICE):
            last = min(first + _SLICE, len(codes))
            columns = {name: values[first:last] for name, values in numbers.columns.items()}
            channels = np.zeros((len(self._plan.channels), last - first))
            early = self.score_some(
                own[first:last],
                since[first:last],
                instant,
                True,
                columns,
                channels,
                np.empty(0, np.int64) if heard is None else heard.rejected[first:last],
                np.empty(0, np.uint8) if heard is None else heard.said[first:last],
                np.empty((0, 0), np.uint64) if heard is None else heard.had[first:last],
            )
            if early >= 0:
                raise self._early(codes[first + early], instant)
            numbers.channels[:, first:last] = channels
        largest, score = numbers.columns["largest"], numbers.columns["score"]
        bad = ~(np.isfinite(largest) & np.isfinite(score))
        if bad.any():
            raise self._overflow(codes[int(bad.argmax())])
        return numbers

    def _early(self, code: int, instant: int) -> StateError:
        return StateError(
            f"at: expected an instant not before the newest event of contact {self._name(code)!r}, got "
            f"{text_of(instant)}; the batch, which has all events, can look back"
        )

    def _overflow(self, code: int) -> EventsError:
        return EventsError(
            f"events of contact {self._name(code)!r}: their points overflow; expected amounts and points "
            "whose sum a 64-bit float can hold"
        )

    def _moment(self, instant: int) -> datetime:
        return (EPOCH if self.aware else NAIVE_EPOCH) + timedelta(microseconds=instant)

    def _result(
        self, numbers: Numbers, rows: NDArray[np.int64] | None, shown: list[int], instant: int
    ) -> dict[str, Out]:
        """Name the numbers of some rows, whose codes are those `shown`."""
        sight: Any = _Sight(aware=self.aware, types_by_code=self._type_names)
        columns = result_columns(self._plan, sight, numbers.columns, numbers.channels, rows)
        if not self._says_leads:
            return columns
        table, known = self._attributes.table(shown)
        found, heard = numbers.columns, numbers.heard
        leads = Leads(self.model, cast("Contacts", table))
        given = LeadRows(
            at=np.full(len(shown), instant, np.int64),
            half=taken(found["half"], rows),
            level=taken(found["level"], rows),
            intent=taken(found["intent"], rows) if "intent" in found else None,
            rejected=None if heard is None else taken(heard.rejected, rows),
            said=None if heard is None else taken(heard.said, rows),
            had=None if heard is None else taken(heard.had, rows),
            known=known,
            key=lambda: seen(self._ids_out(shown)),
        )
        return leads.columns(columns, given)

    # Contacts --------------------------------------------------------------------------------------------

    def update(self, contacts: Any) -> None:
        """Set attributes of contacts: those that the model uses, and `customer_since`.

        Parameters
        ----------
        contacts
            A frame with the key and a column an attribute, or ``{contact: {attribute: value}}``. What is null
            is not known any more; what is not there stays as it was.

        Raises
        ------
        EventsError
            If the key is missing, null, twice there or of another kind than the contacts known, or an
            attribute is of another kind than before. Nothing has changed then.

        Examples
        --------
        >>> import engagekit as ek
        >>> fit = ek.Fit(criteria=[ek.Criterion(name="big", where=ek.field("size") >= 50, points=1)])
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)], fit=fit))
        >>> live.update({"ann": {"size": 80}})
        >>> live.score("ann").grade
        'A'
        """
        keys, columns = self._attributes_in(contacts)
        kinds = {self._kind_of(key) for key in keys}
        if len(kinds) > 1:
            raise EventsError("contacts: expected keys of one kind (7 is not '7'), got integers and text")
        read, found = {}, {}
        for name, values in columns.items():
            read[name] = self._attributes.read(name, values, f"contacts column {name!r}")
            kind = kind_in(values)
            if kind is not None and name != "customer_since":
                found[name] = kind
        with self._lock:
            codes = [self.row(self._place(key, kind)) for key in keys for kind in kinds]
            self._attributes.put(codes, read, found)

    def _attributes_in(self, contacts: Any) -> tuple[list[Any], dict[str, list[Any]]]:
        used = self._attributes.names
        rows = contacts.values() if isinstance(contacts, Mapping) else ()
        if isinstance(contacts, Mapping) and all(isinstance(row, Mapping) for row in rows):
            names = [name for name in used if any(name in row for row in rows)]
            absent = [(key, name) for name in names for key, row in contacts.items() if name not in row]
            if not absent:
                return list(contacts), {name: [row[name] for row in rows] for name in names}
            # what is not said of somebody stays as it was
            codes = {key: self._find(key, self._kind_of(key)) for key, _ in absent}
            before = {key: self._attributes.of.get(code, {}) for key, code in codes.items()}
            columns = {
                name: [
                    row[name] if name in row else self._kept(before[key], name)
                    for key, row in contacts.items()
                ]
                for name in names
            }
            return list(contacts), columns
        frame = single(contacts, "contacts")
        name = self._key if self._key in frame.names else "contact"
        if name not in frame.names:
            listed = ", ".join(map(repr, frame.names[:20]))
            raise EventsError(f"contacts: expected a column {self._key!r} or 'contact', got {listed}")
        keys = values_of(frame, name)
        if len(set(keys)) < len(keys):
            twice = next(key for place, key in enumerate(keys) if key in keys[:place])
            raise EventsError(f"contacts column {name!r}: expected each contact once, got {twice!r} again")
        return keys, {each: values_of(frame, each) for each in used if each in frame.names}

    def _kept(self, own: Mapping[str, Any], name: str) -> Any:
        value = own.get(name)
        instant = name == "customer_since" or self._attributes.kinds.get(name) == "instant"
        return moment_of(value) if instant and value is not None else value

    def link(self, contact: int | str, into: int | str) -> None:
        """Let one contact's events be another's, for what was and from now on.

        Parameters
        ----------
        contact
            The one whose id becomes an alias; it has no row of its own any more.
        into
            The one whose events they are; its attributes win.

        Raises
        ------
        StateError
            If `into` is an alias of `contact` already, or the same.

        Examples
        --------
        >>> import engagekit as ek
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)]))
        >>> live.add("cookie-1", "visit", "2026-01-01")
        >>> live.link("cookie-1", into="ann")
        >>> live.score("ann", at="2026-01-01").score
        2.0
        """
        kinds = {self._kind_of(contact), self._kind_of(into)}
        if len(kinds) > 1:
            raise EventsError(
                "link: expected two contacts of one kind (7 is not '7'), got an integer and a text"
            )
        with self._lock:
            (kind,) = kinds
            codes = [self._find(each, kind) for each in (contact, into)]
            one, two = (self.row(code) if code >= 0 else code for code in codes)
            if contact == into or (one == two and one >= 0):
                same = "the same contact" if contact == into else "an alias of it already"
                raise StateError(
                    f"link: expected another contact to link {contact!r} into, got {into!r}, {same}"
                )
            source, target = (self.row(self._place(each, kind)) for each in (contact, into))
            self.join(source, target)
            own = self._attributes.of.pop(source, None)
            if own is not None:
                self._attributes.of[target] = own | self._attributes.of.get(target, {})

    def forget(self, contact: int | str) -> None:
        """Erase a contact: what it did, what is known of it, and every id that was linked to it.

        No file that is saved later has any of it. One that comes again is a new contact. To correct a
        contact, forget it and `ingest` its cleaned log.

        Parameters
        ----------
        contact
            Who. One that is not known is forgotten already.

        Examples
        --------
        >>> import engagekit as ek
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)]))
        >>> live.add("ann", "visit", "2026-01-01")
        >>> live.forget("ann")
        >>> live.score("ann").events, live.stats.contacts
        (0, 0)
        """
        kind = self._kind_of(contact)
        with self._file_lock, self._lock:
            code = self._find(contact, kind)
            if code >= 0:
                self._attributes.of.pop(self.row(code), None)
                self.erase(code)

    def merge(self, other: Live) -> None:
        """Take in all that another live state of the same model has, of other events; it stays as it is.

        Parameters
        ----------
        other
            Its contacts come after those known here. Where both know an attribute, the one here stays. The
            position stays the one here.

        Raises
        ------
        StateError
            If it is of another model or another kind of contacts, or this very state.

        Examples
        --------
        >>> import engagekit as ek
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)])
        >>> web, shop = ek.Live(model), ek.Live(model)
        >>> web.add("ann", "visit", "2026-01-01")
        >>> shop.add("ann", "visit", "2026-01-01")
        >>> web.merge(shop)
        >>> web.score("ann", at="2026-01-01").score
        4.0
        """
        if other is self or not isinstance(other, Live):
            raise StateError(
                f"merge: expected another Live, got {'itself' if other is self else repr(other)}"
            )
        if other.model.fingerprint != self.model.fingerprint:
            raise StateError(
                f"merge: expected a Live of the same model, of fingerprint {self.model.fingerprint[:12]}..., "
                f"got {other.model.fingerprint[:12]}..."
            )
        copy = restored(Live, sections_of(other), "merge", other.clock)
        with self._file_lock, self._lock:
            combine(self, copy)

    # Files -----------------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Save everything: the state, the model and the position.

        Events may come meanwhile; the file has the state of the moment at which saving began. A crash at any
        instant leaves the old file or the new one.

        Parameters
        ----------
        path
            Where to; an existing file is replaced as a whole.

        Raises
        ------
        OSError
            If the file cannot be written. An older one stands as it was.
        """
        with self._file_lock:
            try:
                statefiles.write(path, sections_of(self))
            finally:
                self.end_file()

    @classmethod
    def load(cls, path: str | PathLike[str], *, clock: Callable[[], Any] | None = None) -> Live:
        """Read what `save` wrote.

        Parameters
        ----------
        path
            The file.
        clock
            As of `Live`: a clock is not saved.

        Raises
        ------
        StateError
            If the file is no saved Live, damaged, or of a newer version.

        Examples
        --------
        >>> import engagekit as ek
        >>> live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)]))
        >>> live.add("ann", "visit", "2026-01-01")
        >>> live.save("visits.live")
        >>> ek.Live.load("visits.live").score("ann", at="2026-01-01").score
        2.0
        """
        return restored(cls, statefiles.read(path).items(), path, clock)

    def autosave(self, path: str | PathLike[str], every: str | timedelta) -> None:
        """Save in the background, again and again, until `close` or the end of a ``with`` block.

        A save that fails is tried again when its time comes; what the last one failed with is raised by
        `close`, or by the next `autosave`.

        Parameters
        ----------
        path
            Where to.
        every
            How long after a save the next one begins.

        Examples
        --------
        >>> import engagekit as ek
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)])
        >>> with ek.Live(model) as live:
        ...     live.autosave("visits.live", every="30s")
        ...     live.add("ann", "visit", "2026-01-01")
        >>> ek.Live.load("visits.live").stats.rows
        1
        """
        try:
            span = parse_duration(every)
        except ValueError as error:
            raise StateError(f"every=: {error}") from None
        if span <= timedelta(0):
            raise StateError(f"every=: expected a duration of more than 0, got {every!r}")
        self._stop_saving()
        self._saver = Autosave(self, path, span.total_seconds())

    def close(self) -> None:
        """Stop saving in the background, and save once more where that was being done.

        Raises
        ------
        OSError
            If that fails.
        """
        saver = self._saver
        self._stop_saving()
        if saver is not None:
            self.save(saver.path)

    def _stop_saving(self) -> None:
        saver, self._saver = self._saver, None
        if saver is not None:
            saver.stop()
            if saver.error is not None:
                raise saver.error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    # Beneath ---------------------------------------------------------------------------------------------

    @property
    def stats(self) -> LiveStats:
        """What has been taken in."""
        with self._lock:
            excluded, unmatched, null_amounts = self.tallies()
            return LiveStats(
                rows=self.rows,
                contacts=self.counted(),
                late=self.late,
                waiting=self.waiting,
                duplicates=self.duplicates,
                excluded=excluded,
                unmatched=unmatched,
                null_amounts=null_amounts,
            )

    def _present(self) -> int:
        return now() if self.clock is None else microseconds_of(self.clock(), "clock")

    def _admit(self, present: int) -> None:
        self.admit(present)

    def _asked(self, at: Any) -> int:
        """Return the instant asked for; what waited for the clock counts by then, if its time has come."""
        instant = self.instant(at)
        if instant is not None and self.waits_until == _NEVER:
            return instant
        present = self._present()
        self._admit(present)
        return self._instant(at, present) if instant is None else instant

    def _instant(self, at: Any, present: int) -> int:
        if at is None:
            return present
        if isinstance(at, str) and at == "latest":
            return present if self.newest is None else self.newest
        if not isinstance(at, (str, date)) and hasattr(at, "__len__"):
            raise EventsError(f"at: expected an instant, got {type(at).__name__}; the batch takes frames")
        return microseconds_of(at)

    def _kind_of(self, contact: Any) -> str:
        if type(contact) is str and self._kind == "text" and contact.isascii():
            return "text"
        if type(contact) is int and self._kind == "integer" and 0 <= contact <= MOST_SIGNED:
            return "integer"
        if isinstance(contact, str):
            kind = "text"
        elif isinstance(contact, (int, np.integer)) and not isinstance(contact, bool):
            kind = "integer"
            if not -(2**63) <= contact < 2**64:
                raise EventsError(f"contact: expected an integer within 64 bits, got {contact!r}")
            if (contact < 0 and self._signs[0]) or (contact > MOST_SIGNED and self._signs[1]):
                raise EventsError(f"contact: {MIXED}")
        else:
            raise EventsError(
                f"contact: expected an integer or a text, got {contact!r} ({type(contact).__name__})"
            )
        if self._kind not in (None, kind):
            wanted = "an integer" if self._kind == "integer" else "a text"
            raise EventsError(f"contact: expected {wanted} as before (7 is not '7'), got {contact!r}")
        if kind == "text":
            _refuse_surrogates(contact)
        return kind

    def _become(self, kind: str) -> None:
        if self._kind is None:
            self._kind = kind
            self._ids = _core.IntegerIds() if kind == "integer" else _core.TextIds()
            super().become(self._ids)

    def _place(self, contact: Any, kind: str) -> int:
        """Return a contact's code, a new one if need be."""
        self._become(kind)
        if kind == "text":
            return int(self.code_text(self._ids, contact))
        number = int(contact)
        self._signs = (self._signs[0] or number > MOST_SIGNED, self._signs[1] or number < 0)
        return int(self.code_integer(self._ids, number if number <= MOST_SIGNED else number - 2**64))

    def _find(self, contact: Any, kind: str) -> int:
        """Return a contact's code, -1 if it is unknown."""
        if self._kind is None:
            return -1
        if kind == "text":
            return int(self.code_text(self._ids, contact, False))
        number = int(contact)
        return int(self.code_integer(self._ids, number if number <= MOST_SIGNED else number - 2**64, False))

    def _refuse_kind(self, events: Events) -> None:
        kind = events.contacts.kind
        what = f"events column {events.mapping.contact!r}"
        if kind is not None and self._kind not in (None, kind):
            raise EventsError(f"{what}: expected {self._kind} as before (7 is not '7'), got {kind}")
        if kind == "integer":
            values = events.contacts.integers()
            signs = bool(values.dtype == np.uint64), bool(values.min() < 0)
            if (signs[0] and self._signs[1]) or (signs[1] and self._signs[0]):
                raise EventsError(f"{what}: {MIXED}")

    def _place_all(self, events: Events) -> NDArray[np.int32]:
        kind = str(events.contacts.kind)
        self._become(kind)
        if kind == "text":
            return np.frombuffer(self.code_texts(self._ids, *events.contacts.buffers()), np.int32)
        values = events.contacts.integers()
        unsigned = values.dtype == np.uint64
        self._signs = (self._signs[0] or unsigned, self._signs[1] or bool(values.min() < 0))
        return np.frombuffer(self.code_integers(self._ids, values.view(np.int64)), np.int32)

    def _number(self, key: tuple[str, frozenset[int]]) -> int:
        if self._classes.missing(key):
            self._classes.declare(self, lateness=microseconds(self.lateness))
            self._rank()
        return self._classes.numbers[key]

    def _type(self, name: str) -> int:
        if name not in self._types:
            self._types[name] = len(self._types)
            self._type_names.append(name)
            self._rank()
        return self._types[name]

    def _types_of(self, names: list[str]) -> NDArray[np.int32]:
        known = len(self._types)
        codes = [self._types.setdefault(name, len(self._types)) for name in names]
        if len(self._types) > known:
            self._type_names += list(self._types)[known:]
            self._rank()
        return np.array(codes, np.int32)

    def _rank(self) -> None:
        ranks = np.empty(len(self._types), np.int32)
        ranks[[self._types[name] for name in sorted(self._types)]] = np.arange(len(ranks), dtype=np.int32)
        self.rank(ranks)

    def _own_codes(self) -> list[int]:
        marks = np.empty(len(self), np.uint8)
        self.own(marks)
        return [int(code) for code in np.flatnonzero(marks)]

    def _ids_out(self, codes: list[int]) -> Out:
        index = np.array(codes, np.int64)
        if self._kind == "integer":
            values = self._integers()
            whole = values.view(np.uint64) if self._signs[0] else values
            return Out(kind="integer", values=whole[index], like=self._like)
        starts, data = np.zeros(1, np.int64), np.empty(0, np.uint8)
        if self._ids is not None:
            starts, data = self._texts()
        places = np.empty(len(index) + 1, np.int64)
        content = _core.take_text(starts, data, index, places)
        return Out(kind="text", values=(places, np.frombuffer(content, np.uint8)), like=self._like)

    def _integers(self) -> NDArray[np.int64]:
        """Return the ids by code, of a state of integers."""
        return np.frombuffer(self.integers_of(self._ids), np.int64)

    def _texts(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the ids by code as offsets and UTF-8 bytes, of a state of texts."""
        while True:
            starts, data = np.empty(len(self._ids) + 1, np.int64), np.empty(self._ids.size, np.uint8)
            try:
                self._ids.export(starts, data)
            except ValueError:  # a thread has added one since they were counted
                continue
            return starts, data

    def _name(self, code: int) -> Any:
        return self._ids_out([code]).objects()[0]

    def _repr_html_(self) -> str:
        told = asdict(self.stats)
        rows = [["", "count"], *([name.replace("_", " "), f"{count:,}"] for name, count in told.items())]
        named = paragraph(f"{self!r} of the model {printable(self.model.name)}")
        at = "" if self.position is None else paragraph(f"Read as far as {printable(str(self.position))}")
        return f"<div>{named}{at}{html_table(rows, 'What has been taken in', right=range(1, 2))}</div>"

    def __repr__(self) -> str:
        stats, newest = self.stats, self.newest
        counts = f"{_counted(stats.contacts, 'contact')}, {_counted(stats.rows, 'event')}"
        seen_until = "" if newest is None else f", newest {text_of(newest)}"
        return f"Live({counts}, lateness {duration_text(self.lateness)}{seen_until})"


@define
class _Sight:
    """What result columns ask of events."""

    aware: bool
    types_by_code: list[str]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _refuse_position(position: object) -> None:
    if position is not None and (isinstance(position, bool) or not isinstance(position, (str, int))):
        raise EventsError(
            f"position: expected a text or an integer, got {position!r} ({type(position).__name__})"
        )


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EventsError(
            f"contact: expected text that UTF-8 can hold, got {text!a}: a lone surrogate"
        ) from None


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple) and len(item) == 2


def _is_stream(events: Any) -> bool:
    """Whether events come as a list or an iterator, and are no frame."""
    if isinstance(events, (list, tuple)):
        return True
    return isinstance(events, Iterator) and not hasattr(events, "__arrow_c_stream__")


def _chained(first: Any, rest: Iterable[Any]) -> Iterator[Any]:
    yield first
    yield from rest
