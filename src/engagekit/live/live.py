"""The live state: what an app feeds with events and asks for scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from os import PathLike
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from attrs import asdict

from engagekit import _core
from engagekit.errors import EventsError, StateError
from engagekit.instants import microseconds_of, now, text_of
from engagekit.leads import leads_of
from engagekit.live import reacting, reading, scoring, statefiles
from engagekit.live.attributes import SINCE, Attributes, kind_in
from engagekit.live.autosaving import Autosave
from engagekit.live.classing import Classes, Types
from engagekit.live.identity import Identities
from engagekit.live.keeping import combine, restored, sections_of
from engagekit.live.stats import LiveStats
from engagekit.model import Model
from engagekit.model.durations import duration_text, parse_duration
from engagekit.model.wording import shown
from engagekit.plan import LEVELS, lower, microseconds
from engagekit.summary import printable
from engagekit.tables import html_table, page, paragraph

if TYPE_CHECKING:
    from engagekit.live.score import Score
    from engagekit.scores import Scores
    from engagekit.show.card import Card


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
            raise StateError(f"Live: expected a Model (Model.load reads files), got {type(model).__name__}")
        if clock is not None and not callable(clock):
            raise StateError(
                f"clock=: expected what can be called for the present instant, got {shown(clock)}"
            )
        self.model = model
        self.lateness = _span(lateness, "lateness=", least=timedelta(0), expected="of at least 0")
        self.clock = clock
        self._lock = RLock()
        self._file_lock = RLock()
        self._saver: Autosave | None = None
        self._plan = lower(model)
        self._classes = Classes(self._plan, microseconds(self.lateness))
        self._classes.declare(self)
        self._types = Types()
        self._who = Identities()
        self._attributes = Attributes(model)
        self._says_leads = leads_of(model, None) is not None
        self.name_columns(LEVELS, self._plan.phase_names, self._plan.channels)
        self._reactions = reacting.Reactions(self._plan)
        self._contents = {content.id: number for number, content in enumerate(model.contents)}
        self.plain = {}
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
        reading.take_one(self, contact, type, time, value, id, context)

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
        reading.ingest(self, events, position, mapping)

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
        with self._lock:
            code = self.known(contact)
            if code is None:
                code = self._who.find(self, contact, self._who.kind_of(contact))
            return scoring.score_one(self, contact, code, at)

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
        from engagekit.show.card import Subject, card
        from engagekit.show.look import Look

        look = Look.of(self.model, language, labels, theme)
        with self._lock:
            score = self.score(contact, at)
            row = score.to_dict()
            found = scoring.reasons_of(self, contact, microseconds_of(score.at), row["half"])
        subject = Subject(model=self.model, contact=contact, at=score.at, row=row, reasons=found)
        return card(subject, look)

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
            return scoring.score_all(self, at)

    def react(self, at: Any = None) -> Any:
        """Tell which of the model's triggers fire now: what began to hold since the last time.

        Only contacts are looked at to whom something happened since (events, attributes), and those of whom
        time may have changed what a trigger asks for. The first call sets the base line; nothing fires. What
        fired is saved with the state.

        Parameters
        ----------
        at
            As of `scores`; not before that of the last call. None: now, or then, if the clock has been put
            back since.

        Returns
        -------
        frame
            As of `Scores.reactions`: a row for each contact and trigger that fires, in the order in which
            contacts first came.

        Raises
        ------
        ModelError
            If the model has no triggers.
        StateError
            If `at` is before that of the last call, or before an event of a contact to be looked at.
        EventsError
            If `at` is no instant.

        Notes
        -----
        What fires is what `Scores.reactions` would tell of all contacts at the same instants. A contact that
        was forgotten is new if it comes again. Of two that are linked the one that stays goes on as it stood;
        where it was not known, as the other did. So do contacts of a state that is merged.

        A trigger that asks for the top channel or the intent, or for a content that depends on them, has all
        contacts looked at.

        Examples
        --------
        >>> import engagekit as ek
        >>> hot = ek.Trigger(name="hot", when=ek.field("engagement") >= 50)
        >>> cold = ek.Trigger(name="cold", when=ek.field("engagement") < 50)
        >>> rule = ek.Rule(name="demo", on="demo", points=100)
        >>> live = ek.Live(ek.Model(rules=[rule], triggers=[hot, cold]))
        >>> len(live.react("2026-01-01")["trigger"])
        0
        >>> live.add("ann", "demo", "2026-01-01")
        >>> live.react("2026-01-01")["trigger"].tolist()
        ['hot']
        >>> f"{live.next_due:%Y-%m-%d %H:%M}"
        '2026-01-31 00:00'
        >>> live.react(live.next_due)["trigger"].tolist()
        ['cold']
        """
        with self._lock:
            return reacting.react(self, at)

    @property
    def next_due(self) -> datetime | None:
        """When `react` may next have something to tell: a host may sleep until then.

        Where something happened since the last `react` that is at once: the newest event's time. Else the
        first instant at which time alone changes the phase, the level or a bound that a trigger asks for, an
        event comes due that waited for the clock, or a trigger has cooled down; at most a second after the
        change itself. None: nothing will, unless something happens; so too if the model has no triggers.

        Due for a contact is a change of what a trigger asks for, whether or not it makes the trigger fire.
        Where a trigger asks for the top channel or the intent, nobody can tell when these change: then it is
        an hour after the last `react` at most.
        """
        with self._lock:
            return reacting.next_due(self)

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
        keys, columns = self._attributes.given(contacts, self._key)
        with self._lock:
            kinds = {self._who.kind_of(key) for key in keys}
            if len(kinds) > 1:
                raise EventsError("contacts: expected keys of one kind (7 is not '7'), got integers and text")
            self._who.refuse_mixed(keys)
            read, found = {}, {}
            for name, values in columns.items():
                read[name] = self._attributes.read(name, values, f"contacts column {name!r}")
                kind = kind_in(values)
                if kind is not None and name != SINCE:
                    found[name] = kind
            codes = [self.row(self._who.place(self, key, kind)) for key in keys for kind in kinds]
            self._attributes.put(codes, read, found)
            self.touch(np.array(codes, np.int64))

    def link(self, contact: int | str, into: int | str) -> None:
        """Let one contact's events be another's, for what was and from now on.

        Parameters
        ----------
        contact
            The one whose id becomes an alias; it has no row of its own any more. If it is an alias already,
            whoever it stands for comes with it, with all events: nothing takes a link back.
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
        with self._lock:
            kinds = {self._who.kind_of(contact), self._who.kind_of(into)}
            if len(kinds) > 1:
                raise EventsError(
                    "link: expected two contacts of one kind (7 is not '7'), got an integer and a text"
                )
            (kind,) = kinds
            self._who.refuse_mixed([contact, into])
            codes = [self._who.find(self, each, kind) for each in (contact, into)]
            one, two = (self.row(code) if code >= 0 else code for code in codes)
            if contact == into or (one == two and one >= 0):
                same = "the same contact" if contact == into else "an alias of it already"
                raise StateError(
                    f"link: expected another contact to link {shown(contact)} into, got {shown(into)}, {same}"
                )
            source, target = (self.row(self._who.place(self, each, kind)) for each in (contact, into))
            self._unite(source, target)

    def forget(self, contact: int | str) -> None:
        """Erase a contact: what it did, what is known of it, and every id that was linked to it.

        No file that is saved later has any of it, and neither has this state. One that comes again is a new
        contact. To correct a contact, forget it and `ingest` its cleaned log.

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
        with self._file_lock, self._lock:
            kind = self._who.kind_of(contact)
            code = self._who.find(self, contact, kind)
            if code >= 0:
                self._attributes.of.pop(self.row(code), None)
                self._reactions.forget(self.row(code))
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
            got = "itself" if other is self else shown(other)
            raise StateError(f"merge: expected another Live, got {got}")
        if other.model.fingerprint != self.model.fingerprint:
            raise StateError(
                f"merge: expected a Live of the same model, of fingerprint {self.model.fingerprint[:12]}..., "
                f"got {other.model.fingerprint[:12]}..."
            )
        with other._file_lock:
            try:
                copy = restored(Live, sections_of(other), "merge", other.clock)
            finally:
                other.end_file()
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

        That a file can be written there is seen at once. A save that fails later is tried again when its
        time comes, and by `close`, which raises what it fails with itself; the next `autosave` raises what
        the last one failed with.

        Parameters
        ----------
        path
            Where to.
        every
            How long after a save the next one begins.

        Raises
        ------
        OSError
            If no file can be written there: no such folder, or a read-only one. What was being saved to
            before still is.
        StateError
            If `every` is no duration above 0.

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
        span = _span(every, "every=", least=timedelta(microseconds=1), expected="of more than 0")
        statefiles.probe(path)
        stopped = self._stop_saving()
        if stopped is not None and stopped.error is not None:
            raise stopped.error
        self._saver = Autosave(self, path, span.total_seconds())

    def close(self) -> None:
        """Stop saving in the background, and save once more where that was being done.

        Raises
        ------
        OSError
            If that fails.
        """
        saver = self._stop_saving()
        if saver is not None:
            # Whatever an earlier save failed with: this one has everything, or says itself why it has not.
            self.save(saver.path)

    def _stop_saving(self) -> Autosave | None:
        saver, self._saver = self._saver, None
        if saver is not None:
            saver.stop()
        return saver

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    # Beneath ---------------------------------------------------------------------------------------------

    @property
    def position(self) -> str | int | None:
        """How far the source has been read: text or an integer, saved with the state; None: nobody said.

        Setting it to anything else raises an EventsError.
        """
        return self.read_until

    @position.setter
    def position(self, position: str | int | None) -> None:
        self.read_until = reading.plain_position(position)

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

    def _unite(self, source: int, target: int) -> None:
        """Let a contact be another, by the codes of their rows: its events, what is known, how it stands."""
        self.join(source, target)
        self._reactions.take(self._reactions, np.array([source]), np.array([target]))
        self._reactions.forget(source)
        own = self._attributes.of.pop(source, None)
        if own is not None:
            self._attributes.of[target] = own | self._attributes.of.get(target, {})

    def _present(self) -> int:
        return now() if self.clock is None else microseconds_of(self.clock(), "clock")

    def _repr_html_(self) -> str:
        told = asdict(self.stats)
        rows = [["", "count"], *([name.replace("_", " "), f"{count:,}"] for name, count in told.items())]
        named = paragraph(f"{self!r} of the model {printable(self.model.name)}")
        at = "" if self.position is None else paragraph(f"Read as far as {printable(str(self.position))}")
        return page(named, at, html_table(rows, "What has been taken in", right=range(1, 2)))

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        beneath = {name for name in dir(_core.LiveState) if not name.startswith("__")}
        beneath -= {"add", "clock", "newest"}
        return sorted(name for name in super().__dir__() if name not in beneath)

    def __repr__(self) -> str:
        stats, newest = self.stats, self.newest
        counts = f"{_counted(stats.contacts, 'contact')}, {_counted(stats.rows, 'event')}"
        seen_until = "" if newest is None else f", newest {text_of(newest)}"
        return f"Live({counts}, lateness {duration_text(self.lateness)}{seen_until})"


def _span(value: Any, name: str, *, least: timedelta, expected: str) -> timedelta:
    try:
        span = parse_duration(value)
    except ValueError as error:
        raise StateError(f"{name}: {error}") from None
    if span < least:
        raise StateError(f"{name}: expected a duration {expected}, got {shown(value)}")
    return span


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
